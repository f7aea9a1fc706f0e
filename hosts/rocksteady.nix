# The primary hub, in Europe.
{
  imports = [
    ../hardware/x86-64-server.nix
    ../hardware/disk.nix
    ./pair.nix
  ];
  networking.hostName = "rocksteady";
  networking.useNetworkd = true;
  systemd.network.networks."10-fixed" = {
    matchConfig.Name = "en* eth*";
    address = [ "192.0.2.11/24" ];
    gateway = [ "192.0.2.1" ];
    dns = [ "192.0.2.1" ];
  };
  unibos.hub.enable = true;
  unibos.settings.hub_role = "primary";
  unibos.settings.hub_region = "eu";
}
