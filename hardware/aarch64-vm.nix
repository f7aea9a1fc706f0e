# A virtual machine on an ARM server or on a Mac.
{
  imports = [ ./efi.nix ];
  nixpkgs.hostPlatform = "aarch64-linux";
  boot.kernelParams = [ "console=ttyAMA0" ];
}
