# The queue: a Valkey server on a unix socket and on no port. The job table is the truth; this wakes the workers.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.unibos;
  hardening = import ../contracts/hardening.nix;
  socket = "/run/unibos-queue/redis.sock";
  # As app/unibos/adapters/redis_server.py starts it in development; a test compares the two.
  options = {
    port = "0";
    unixsocket = socket;
    unixsocketperm = "770";
    dir = "/var/lib/unibos-queue";
    databases = "16";
    appendonly = "yes";
    appendfsync = "everysec";
    save = ''""'';
    maxmemory-policy = "noeviction";
    daemonize = "no";
    loglevel = "warning";
    supervised = "systemd";
  };
  # A database number per role.
  address = number: "unix://${socket}?db=${toString number}";
in
{
  options.unibos.queue.local = lib.mkOption {
    type = lib.types.bool;
    default = (cfg.hub.enable && !cfg.pair.enable) || cfg.node.enable;
    defaultText = "on hubs that stand alone and on nodes";
    description = "Run the queue on this machine.";
  };

  config = lib.mkIf (cfg.active && cfg.queue.local) {
    users.users.unibos-queue = {
      isSystemUser = true;
      group = "unibos";
      description = "UNIBOS queue";
    };
    boot.kernel.sysctl."vm.overcommit_memory" = lib.mkDefault "1";
    systemd.services = lib.genAttrs cfg.processes (name: {
      wants = [ "unibos-queue.service" ];
      after = [ "unibos-queue.service" ];
      environment = {
        UNIBOS_HUB_REDIS_URL = address 0;
        UNIBOS_NODE_REDIS_URL = address 1;
      };
    })
    // {
      unibos-queue = {
        description = "UNIBOS queue";
        wantedBy = [ "multi-user.target" ];
        startLimitIntervalSec = 0;
        serviceConfig =
          hardening.base
          // hardening.restarting
          // {
            Type = "notify";
            ExecStart = "${pkgs.valkey}/bin/valkey-server ${lib.concatStringsSep " " (lib.mapAttrsToList (name: value: "--${name} ${value}") options)}";
            User = "unibos-queue";
            # The group of those who may connect.
            Group = "unibos";
            StateDirectory = "unibos-queue";
            StateDirectoryMode = "0700";
            RuntimeDirectory = "unibos-queue";
            RuntimeDirectoryMode = "0750";
            UMask = "0007";
            PrivateNetwork = true;
            MemoryMax = "128M";
        };
    };
    };
  };
}
