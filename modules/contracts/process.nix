# A process of a role: its command in our Python environment, with the machine's settings file, the role's secrets and the
# shared hardening. Hub and node of one machine share a user, so each is kept out of the other's folder.
{ config, lib }:
let
  cfg = config.unibos;
  hardening = import ./hardening.nix;
  other = {
    hub = "node";
    node = "hub";
  };
  # Only the migration gets the address of the role that owns the tables.
  secretsOf =
    role: owner:
    lib.filterAttrs (name: path: path != null && (owner || name != "unibos_database_owner_url")) (
      cfg.secrets // lib.filterAttrs (_: path: path != null) cfg.${role}.secrets
    );
  # unibos_database_url of the hub becomes UNIBOS_HUB_DATABASE_URL_FILE.
  variable = role: name: "UNIBOS_${lib.toUpper role}_${lib.toUpper (lib.removePrefix "unibos_" name)}_FILE";
in
{
  inherit hardening;

  # -P: a module is never taken from the directory that a process stands in.
  python = module: "${cfg.package}/bin/python -P -m unibos.profiles.${module}";

  service =
    {
      role,
      description,
      exec,
      memory ? null,
      talks ? hardening.loopback,
      owner ? false,
      extra ? { },
    }:
    {
      inherit description;
      startLimitIntervalSec = 0;
      environment = {
        UNIBOS_CONFIG = "/etc/unibos/settings.toml";
        PYTHONUNBUFFERED = "1";
        PYTHONDONTWRITEBYTECODE = "1";
        # glibc's arenas cost a small machine tens of megabytes a process.
        MALLOC_ARENA_MAX = "1";
      };
      restartTriggers = [ cfg.settingsText ];
      serviceConfig =
        hardening.base
        // talks
        // {
          ExecStart = exec;
          User = "unibos";
          Group = "unibos";
          StateDirectory = [
            "unibos"
            "unibos/run"
            "unibos/${role}"
          ];
          StateDirectoryMode = "0700";
          WorkingDirectory = "/var/lib/unibos";
          # psutil reads /proc/meminfo and /proc/stat for the machine's load.
          ProcSubset = "all";
          InaccessiblePaths = [
            "-/var/lib/unibos/${other.${role}}"
          ]
          ++ lib.optional (role == "hub") "-/var/lib/unibos/mosquitto";
          LoadCredential = lib.mapAttrsToList (name: path: "${name}:${path}") (secretsOf role owner);
          Environment = lib.mapAttrsToList (name: _: "${variable role name}=%d/${name}") (secretsOf role owner);
        }
        // lib.optionalAttrs (memory != null) { MemoryMax = memory; }
        // extra;
    };
}
