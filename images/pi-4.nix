# The SD card image for the board of hardware/pi-4.nix.
{
  imports = [
    ../hardware/pi-4.nix
    ./sd-card.nix
  ];
  system.image.id = "unibos-pi-4";
  unibos.wifi.enable = true;
}
