# Raspberry Pi Zero 2 W: 512 MB, Wi-Fi only. It runs the core and cannot evaluate or build a system.
{ inputs, lib, ... }:
{
  imports = [
    inputs.nixos-hardware.nixosModules.raspberry-pi-3
    ./mainline.nix
    ./raspberry-pi.nix
  ];

  # The display driver would take 256 MB; the firmware's console is enough for a screen of text.
  hardware.raspberry-pi.configtxt = {
    settings.all.gpu_mem = 16;
    deviceTreeOverlays.all = lib.mkForce [ ];
  };
  nix.settings = {
    max-jobs = 0;
    cores = 1;
  };
}
