# The SD card image for the board of hardware/pi-5.nix.
{
  imports = [
    ../hardware/pi-5.nix
    ./sd-card.nix
  ];
  system.image.id = "unibos-pi-5";
  unibos.wifi.enable = true;
}
