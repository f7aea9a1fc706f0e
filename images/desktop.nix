# The images for a desktop or mini PC: a node.
{
  imports = [
    ../hardware/x86-64-desktop.nix
    ./disk.nix
  ];
  system.image.id = "unibos-desktop";
  unibos.node.enable = true;
  unibos.node.type = "desktop";
  unibos.wifi.enable = true;
  unibos.wifi.interface = "wlan0";
}
