# A desktop or mini PC that has become an appliance: perhaps with Wi-Fi, with a screen.
{ lib, ... }:
{
  imports = [ ./efi.nix ];
  nixpkgs.hostPlatform = "x86_64-linux";
  hardware.cpu.intel.updateMicrocode = lib.mkDefault true;
  hardware.cpu.amd.updateMicrocode = lib.mkDefault true;
}
