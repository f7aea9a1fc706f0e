# A worker with a GPU, on the hubs' own network.
{
  imports = [
    ../hardware/gpu-workstation.nix
    ../hardware/disk.nix
  ];
  networking.hostName = "gpu-server-01";
  networking.useNetworkd = true;
  systemd.network.networks."10-fixed" = {
    matchConfig.Name = "en* eth*";
    address = [ "192.0.2.21/24" ];
    gateway = [ "192.0.2.1" ];
    dns = [ "192.0.2.1" ];
  };
  unibos.worker = {
    enable = true;
    type = "ocr";
    gpu = true;
    memory = "16G";
  };
  unibos.hub.secrets = {
    unibos_database_url = "/var/lib/unibos-pair/database-url";
    unibos_redis_url = "/var/lib/unibos-pair/queue-url";
  };
}
