# An edge node on a Raspberry Pi Zero 2 W.
{
  imports = [ ../hardware/pi-zero-2w.nix ];
  networking.hostName = "pi-zero-01";
  unibos.node.enable = true;
  unibos.node.type = "edge";
  unibos.node.hubs = [ "https://hub.example.org" ];
  unibos.wifi.enable = true;
  unibos.journalSize = "16M";
}
