# The mainline kernel with its own device trees, from the public cache, instead of the vendor's that nixos-hardware prefers. The Pi 5 is
# not supported well enough by it.
{ lib, pkgs, ... }:
{
  boot.kernelPackages = lib.mkOverride 900 pkgs.linuxPackages;
  # The firmware's device trees are for the vendor's kernel.
  boot.loader.generic-extlinux-compatible.useGenerationDeviceTree = true;
}
