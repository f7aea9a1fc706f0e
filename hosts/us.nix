# The regional hub of America: a read replica near its users.
{
  imports = [
    ../hardware/x86-64-server.nix
    ../hardware/disk.nix
    ./pair.nix
  ];
  networking.hostName = "us";
  networking.useNetworkd = true;
  systemd.network.networks."10-fixed" = {
    matchConfig.Name = "en* eth*";
    address = [ "198.51.100.14/24" ];
    gateway = [ "198.51.100.1" ];
    dns = [ "198.51.100.1" ];
  };
  unibos.hub.enable = true;
  unibos.pair.role = "regional";
  unibos.settings.hub_role = "regional";
  unibos.settings.hub_region = "us";
}
