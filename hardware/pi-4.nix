# Raspberry Pi 4 and 400.
{ inputs, ... }:
{
  imports = [
    inputs.nixos-hardware.nixosModules.raspberry-pi-4
    ./raspberry-pi.nix
  ];
}
