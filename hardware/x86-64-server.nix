# A server: wired, headless.
{ lib, ... }:
{
  imports = [ ./efi.nix ];
  nixpkgs.hostPlatform = "x86_64-linux";
  hardware.cpu.intel.updateMicrocode = lib.mkDefault true;
  hardware.cpu.amd.updateMicrocode = lib.mkDefault true;
  boot.kernelParams = [
    "console=tty0"
    "console=ttyS0,115200n8"
  ];
}
