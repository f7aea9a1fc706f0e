# Workers of this machine's own roles: one process a queue.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  process = import ../contracts/process.nix { inherit config lib; };
  inherit (process) hardening;
  # With the database and the queue on unix sockets a worker needs no network at all.
  talks = if cfg.pair.enable then hardening.loopback else { PrivateNetwork = true; };
  unit = name: "unibos-${name}";
in
{
  options.unibos = {
    processes = mkOption {
      type = types.listOf types.str;
      default = [ ];
      internal = true;
      description = "Names of the services that use the database and the queue.";
    };
    jobs.workers = mkOption {
      default = { };
      description = "The workers of this machine.";
      type = types.attrsOf (
        types.submodule {
          options = {
            role = mkOption {
              type = types.enum [
                "hub"
                "node"
              ];
              description = "Whose jobs.";
            };
            queue = mkOption {
              type = types.strMatching "[a-z][a-z0-9-]*";
              description = "The queue.";
            };
            packages = mkOption {
              type = types.listOf types.package;
              default = [ ];
              description = "Programs that the jobs of this queue run.";
            };
            memory = mkOption {
              type = types.nullOr (types.strMatching "[0-9]+[MG]");
              default = null;
              description = "The most memory it may use; null: as the role's workers.";
            };
          };
        }
      );
    };
  };

  config = {
    unibos.processes = map unit (builtins.attrNames cfg.jobs.workers);
    systemd.services = lib.mkMerge [
      (lib.genAttrs
        (map (role: "unibos-${role}-migrate") (builtins.filter (role: cfg.${role}.enable && cfg.${role}.migrate) [ "hub" "node" ]))
        (service: {
          upholds = map (name: "${unit name}.service") (
            builtins.attrNames (lib.filterAttrs (_: worker: service == "unibos-${worker.role}-migrate") cfg.jobs.workers)
          );
        })
      )
      (lib.mapAttrs' (
      name: worker:
      lib.nameValuePair (unit name) (
        lib.mkMerge [
          (process.service {
            inherit (worker) role;
            description = "UNIBOS ${worker.role}: jobs of the queue ${worker.queue}";
            exec = process.python "worker ${worker.role} ${worker.queue}";
            memory = if worker.memory != null then worker.memory else cfg.${worker.role}.memory.worker;
            inherit talks;
            extra = hardening.restarting // {
              # What a job starts is bounded and made to wait for others: a worker may lower its own limits and priority.
              SystemCallFilter = [
                "@system-service"
                "~@privileged"
              ];
              Type = "notify";
              WatchdogSec = "120s";
              # A job that runs is finished first.
              TimeoutStopSec = "30s";
            };
          })
          {
            wantedBy = lib.mkIf (!cfg.${worker.role}.migrate) [ "multi-user.target" ];
            requires = lib.optional cfg.${worker.role}.migrate "unibos-${worker.role}-migrate.service";
            after = lib.optional cfg.${worker.role}.migrate "unibos-${worker.role}-migrate.service";
            path = worker.packages;
          }
        ]
      )
    ) cfg.jobs.workers)
    ];
  };
}
