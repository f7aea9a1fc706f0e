# The regional hub of Asia: a read replica near its users.
{
  imports = [
    ../hardware/x86-64-server.nix
    ../hardware/disk.nix
    ./pair.nix
  ];
  networking.hostName = "asia";
  networking.useNetworkd = true;
  systemd.network.networks."10-fixed" = {
    matchConfig.Name = "en* eth*";
    address = [ "203.0.113.15/24" ];
    gateway = [ "203.0.113.1" ];
    dns = [ "203.0.113.1" ];
  };
  unibos.hub.enable = true;
  unibos.pair.role = "regional";
  unibos.settings.hub_role = "regional";
  unibos.settings.hub_region = "asia";
}
