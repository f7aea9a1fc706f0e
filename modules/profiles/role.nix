# What hub and node have in common: one migration before everything else, the web process and the agent.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  process = import ../contracts/process.nix { inherit config lib; };
  inherit (process) hardening python;
  size = types.strMatching "[0-9]+[MG]";
in
{
  options = role: {
    enable = lib.mkEnableOption "the ${role} profile";
    migrate = mkOption {
      type = types.bool;
      default = true;
      description = "Bring the data up to this version before the other processes start; on the primary only.";
    };
  };

  memory =
    defaults:
    lib.mapAttrs (
      name: default:
      mkOption {
        type = size;
        inherit default;
        description = "The most memory that the ${name} process may use.";
      }
    ) defaults;

  config =
    role:
    let
      own = cfg.${role};
      after = lib.optional own.migrate "unibos-${role}-migrate.service";
      name = kind: "unibos-${role}-${kind}";
      needs = kind: unit: {
        ${name kind} = lib.mkMerge [
          unit
          {
            # Where tables are made first, the migration holds this up: also when it succeeds only at its tenth attempt.
            wantedBy = lib.mkIf (!own.migrate) [ "multi-user.target" ];
            requires = after;
            inherit after;
          }
        ];
      };
    in
    {
      unibos.processes = map name (
        [
          "web"
          "agent"
        ]
        ++ lib.optional own.migrate "migrate"
      );
      systemd.services =
        lib.optionalAttrs own.migrate {
          ${name "migrate"} = (process.service {
            inherit role;
            owner = true;
            description = "UNIBOS ${role}: tables, keys and claim code";
            exec =
              if role == "hub" && cfg.colocated.join then
                python "prepare hub"
              else
                "${cfg.package}/bin/${if role == "hub" then "unibos-hub" else "unibos"} migrate";
            extra = {
              Type = "oneshot";
              RemainAfterExit = true;
              # A colocated hub hands its node the token to join with.
              InaccessiblePaths = lib.optional (!cfg.colocated.join) "-/var/lib/unibos/${if role == "hub" then "node" else "hub"}";
              # Tries again until the database answers: nobody at a terminal would.
              Restart = "on-failure";
              RestartSec = "5s";
            };
          })
          // {
            wantedBy = [ "multi-user.target" ];
            upholds = [
              "${name "web"}.service"
              "${name "agent"}.service"
            ];
          };
        }
        // needs "web" (process.service {
          inherit role;
          description = "UNIBOS ${role}: panel and API";
          exec = python "serve ${role}";
          memory = own.memory.web;
          extra = hardening.restarting // {
            Type = "notify";
            # gunicorn's own workers are watched by its master, which ends one that hangs for 30 s.
            NotifyAccess = "main";
            TimeoutStopSec = "15s";
            # gunicorn gives its socket to its own user, which it has already. It may ask, and has no capability to give anything away.
            SystemCallFilter = hardening.base.SystemCallFilter ++ [ "@chown" ];
          };
        })
        // needs "agent" (process.service {
          inherit role;
          description = "UNIBOS ${role}: devices, links and schedules";
          exec = python "agent ${role}";
          memory = own.memory.agent;
          talks = hardening.network // {
            # The agent looks at the machine's interfaces and addresses.
            RestrictAddressFamilies = hardening.network.RestrictAddressFamilies ++ [ "AF_NETLINK" ];
          };
          extra = hardening.restarting // {
            Type = "notify";
            WatchdogSec = "60s";
            TimeoutStopSec = "15s";
          };
        });
    };
}
