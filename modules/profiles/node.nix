# A node: the data, the panel and the API on the LAN. SQLite unless a database is named.
{ config, lib, ... }@args:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  role = import ./role.nix args;
  # What a process may use, by the size of the machine.
  memory = {
    edge = {
      web = "128M";
      agent = "112M";
      worker = "96M";
    };
    standard = {
      web = "384M";
      agent = "256M";
      worker = "512M";
    };
    desktop = {
      web = "512M";
      agent = "384M";
      worker = "1G";
    };
  };
in
{
  options.unibos.node = role.options "node" // {
    type = mkOption {
      type = types.enum [
        "standard"
        "edge"
        "desktop"
      ];
      default = "standard";
      description = "The size of the machine: an edge node (512 MB) runs the core jobs only.";
    };
    memory = role.memory memory.${cfg.node.type};
  };

  config = lib.mkIf cfg.node.enable (
    lib.mkMerge [
      (role.config "node")
      {
        unibos.settings.unibos_deployment_type = lib.mkDefault "node";
        unibos.settings.unibos_machine_type = lib.mkIf (cfg.node.type != "standard") (lib.mkDefault cfg.node.type);
        unibos.jobs.workers.node-default = {
          role = "node";
          queue = "default";
        };
      }
    ]
  );
}
