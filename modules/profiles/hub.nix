# A hub: identity, registry, sync and relay. Its database is PostgreSQL (services/database.nix, or the pair's).
{ config, lib, ... }@args:
let
  cfg = config.unibos;
  role = import ./role.nix args;
in
{
  options.unibos.hub = role.options "hub" // {
    memory = role.memory {
      web = "512M";
      agent = "256M";
      worker = "256M";
    };
  };

  config = lib.mkIf cfg.hub.enable (
    lib.mkMerge [
      (role.config "hub")
      {
        unibos.settings.unibos_deployment_type = lib.mkDefault "hub";
        unibos.jobs.workers.hub-default = {
          role = "hub";
          queue = "default";
        };
      }
    ]
  );
}
