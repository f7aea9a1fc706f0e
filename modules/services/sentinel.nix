# The pair's queue: a Valkey server on each hub and a Sentinel on hubs and witness. Both rewrite their own files, so those are seeded
# once and left alone; NixOS' module would write the first master into them at every start. The queue only wakes workers: the truth is
# in the database, so what a failover loses here is handed out again.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.unibos;
  pair = cfg.pair;
  hardening = import ../contracts/hardening.nix;
  name = config.networking.hostName;
  own = (pair.hubs // { ${pair.witness.name} = pair.witness.address; }).${name} or "127.0.0.1";
  first = pair.primary;
  onHub = pair.role == "hub";

  # Writes $2… to the file $1, which has a password in it, unless it is there.
  seed =
    name: lines:
    pkgs.writeShellScript "seed-${name}" ''
      set -eu
      file="$STATE_DIRECTORY/server.conf"
      [ ! -s "$file" ] || exit 0
      password="$(cat "$CREDENTIALS_DIRECTORY/password")"
      umask 077
      {
        ${lib.concatMapStringsSep "\n        " (line: ''printf '%s\n' "${line}"'') lines}
      } > "$file.new"
      mv "$file.new" "$file"
    '';
  queue = [
    "bind ${own} 127.0.0.1"
    "port 6379"
    "dir $STATE_DIRECTORY"
    "requirepass $password"
    "masterauth $password"
    "appendonly yes"
    "appendfsync everysec"
    "maxmemory-policy noeviction"
    "supervised systemd"
  ]
  ++ lib.optional (name != first) "replicaof ${pair.hubs.${first}} 6379";
  sentinel = [
    "bind ${own} 127.0.0.1"
    "port 26379"
    "dir $STATE_DIRECTORY"
    "requirepass $password"
    "supervised systemd"
    "sentinel sentinel-pass $password"
    "sentinel monitor unibos ${pair.hubs.${first}} 6379 2"
    "sentinel auth-pass unibos $password"
    "sentinel down-after-milliseconds unibos 3000"
    "sentinel failover-timeout unibos 10000"
  ];
  unit =
    {
      description,
      state,
      exec,
      lines,
    }:
    {
      inherit description;
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      startLimitIntervalSec = 0;
      serviceConfig =
        hardening.base
        // hardening.restarting
        // hardening.network
        // {
          ExecStartPre = seed state lines;
          Type = "notify";
          ExecStart = exec;
          DynamicUser = true;
          StateDirectory = state;
          StateDirectoryMode = "0700";
          LoadCredential = "password:${pair.passwords.queue}";
          MemoryMax = "256M";
        };
    };
in
{
  config = lib.mkIf (pair.enable && pair.role != "regional") {
    systemd.services = {
      unibos-sentinel = unit {
        description = "UNIBOS sentinel of the queue";
        state = "unibos-sentinel";
        exec = "${pkgs.valkey}/bin/valkey-server /var/lib/unibos-sentinel/server.conf --sentinel";
        lines = sentinel;
      };
    }
    // lib.optionalAttrs onHub {
      unibos-queue = unit {
        description = "UNIBOS queue of the pair";
        state = "unibos-queue";
        exec = "${pkgs.valkey}/bin/valkey-server /var/lib/unibos-queue/server.conf";
        lines = queue;
      };
    };
    unibos.served = [
      {
        port = 26379;
        to = "peers";
        why = "sentinel of the queue";
      }
    ]
    ++ lib.optional onHub {
      port = 6379;
      to = "peers";
      why = "queue";
    };
  };
}
