# The SD card image for the board of hardware/pi-zero-2w.nix.
{
  imports = [
    ../hardware/pi-zero-2w.nix
    ./sd-card.nix
  ];
  system.image.id = "unibos-pi-zero-2w";
  unibos.node.type = "edge";
  unibos.journalSize = "16M";
  unibos.wifi.enable = true;
}
