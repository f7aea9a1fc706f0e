# Raspberry Pi 4 and 400.
{ inputs, ... }:
{
  imports = [
    inputs.nixos-hardware.nixosModules.raspberry-pi-4
    ./mainline.nix
    ./raspberry-pi.nix
  ];
}
