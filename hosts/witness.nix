# The third voice of the pair, and the door to whichever hub is primary.
{
  imports = [
    ../hardware/x86-64-server.nix
    ../hardware/disk.nix
    ./pair.nix
  ];
  networking.hostName = "witness";
  networking.useNetworkd = true;
  systemd.network.networks."10-fixed" = {
    matchConfig.Name = "en* eth*";
    address = [ "192.0.2.13/24" ];
    gateway = [ "192.0.2.1" ];
    dns = [ "192.0.2.1" ];
  };
  disko.devices.disk.main.device = "/dev/vda";
  unibos.witness.enable = true;
}
