# A node on a Raspberry Pi 4.
{
  imports = [ ../hardware/pi-4.nix ];
  networking.hostName = "pi-001";
  unibos.node.enable = true;
  unibos.node.hubs = [ "https://hub.example.org" ];
}
