# PostgreSQL of a hub that stands alone, and of a node that asks for it: on a unix socket, every role known by its user, no password.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  roles = builtins.filter (role: cfg.${role}.enable) cfg.database.roles;
  database = role: "unibos_${role}";
  address = role: "postgresql://${database role}@/${database role}?host=/run/postgresql";
in
{
  options.unibos.database = {
    local = mkOption {
      type = types.bool;
      default = cfg.hub.enable && !cfg.pair.enable;
      defaultText = "on hubs that stand alone";
      description = "Run PostgreSQL on this machine for the roles below.";
    };
    roles = mkOption {
      type = types.listOf (
        types.enum [
          "hub"
          "node"
        ]
      );
      default = [ "hub" ];
      description = "The roles that keep their data in PostgreSQL; a database each.";
    };
  };

  config = lib.mkIf (cfg.active && cfg.database.local) {
    services.postgresql = {
      enable = true;
      package = pkgs.postgresql_17;
      enableTCPIP = false;
      ensureDatabases = map database roles;
      ensureUsers = map (role: {
        name = database role;
        ensureDBOwnership = true;
      }) roles;
      identMap = lib.concatMapStrings (role: "unibos unibos ${database role}\n") roles + "unibos postgres postgres\n";
      authentication = lib.mkForce "local all all peer map=unibos\n";
      settings = {
        listen_addresses = lib.mkForce "";
        # An acknowledged write is on the disk.
        fsync = true;
        synchronous_commit = "on";
        full_page_writes = true;
        password_encryption = "scram-sha-256";
        log_connections = false;
        log_line_prefix = "%m %u@%d ";
        max_connections = 100;
      };
      initdbArgs = [ "--data-checksums" ];
    };
    systemd.services = lib.genAttrs cfg.processes (name: {
      requires = [ "postgresql.target" ];
      after = [ "postgresql.target" ];
      environment = lib.listToAttrs (map (role: lib.nameValuePair "UNIBOS_${lib.toUpper role}_DATABASE_URL" (address role)) roles);
    });
  };
}
