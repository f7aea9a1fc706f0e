# PostgreSQL of a hub that stands alone, and of a node that asks for it: on a unix socket, every role known by its user, no password.
# The tables belong to a user that nothing but the migration of the schema runs as: who breaks into a program cannot take down the
# policies that keep organisations apart.
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
  process = import ../contracts/process.nix { inherit config lib; };
  database = role: "unibos_${role}";
  program = role: "unibos_${role}_app";
  address = role: user: "postgresql://${user}@/${database role}?host=/run/postgresql";
  variable = role: name: "UNIBOS_${lib.toUpper role}_${name}";
  migrating = builtins.filter (role: cfg.${role}.migrate) roles;
  schema = role: "unibos-${role}-schema";
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
      ensureUsers =
        map (role: {
          name = database role;
          ensureDBOwnership = true;
        }) roles
        ++ map (role: { name = program role; }) roles;
      identMap =
        lib.concatMapStrings (role: ''
          unibos unibos ${program role}
          unibos unibos-schema ${database role}
        '') roles
        + "unibos postgres postgres\n";
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
    users.users.unibos-schema = {
      isSystemUser = true;
      group = "unibos-schema";
      description = "UNIBOS owner of the tables";
    };
    users.groups.unibos-schema = { };
    systemd.services = lib.mkMerge [
      (lib.genAttrs cfg.processes (name: {
        requires = [ "postgresql.target" ];
        after = [ "postgresql.target" ];
        environment = lib.listToAttrs (map (role: lib.nameValuePair (variable role "DATABASE_URL") (address role (program role))) roles);
      }))
      (lib.listToAttrs (
        map (
          role:
          lib.nameValuePair "unibos-${role}-migrate" {
            requires = [ "${schema role}.service" ];
            after = [ "${schema role}.service" ];
            environment.${variable role "MIGRATION"} = "data";
          }
        ) migrating
      ))
      (lib.listToAttrs (
        map (
          role:
          lib.nameValuePair (schema role) (
            lib.recursiveUpdate
              (process.service {
                inherit role;
                description = "UNIBOS ${role}: the tables, as their owner";
                exec = "${cfg.package}/bin/${if role == "hub" then "unibos-hub" else "unibos"} migrate";
                extra = {
                  Type = "oneshot";
                  RemainAfterExit = true;
                  User = "unibos-schema";
                  Group = "unibos-schema";
                  # It has to do with the database only: no file of the programs, no secret of theirs.
                  StateDirectory = [ ];
                  WorkingDirectory = "/";
                  InaccessiblePaths = [ "-/var/lib/unibos" ];
                  LoadCredential = [ ];
                  Environment = [ ];
                  Restart = "on-failure";
                  RestartSec = "5s";
                };
              })
              {
                requires = [ "postgresql.target" ];
                after = [ "postgresql.target" ];
                # Held up by nothing, but tried again: what waits for it is started once it has succeeded.
                upholds = [ "unibos-${role}-migrate.service" ];
                wantedBy = [ "multi-user.target" ];
                environment = {
                  ${variable role "MIGRATION"} = "schema";
                  ${variable role "DATABASE_URL"} = address role (program role);
                  ${variable role "DATABASE_OWNER_URL"} = address role (database role);
                };
              }
          )
        ) migrating
      ))
    ];
  };
}
