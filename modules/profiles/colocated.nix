# Several roles on one machine (spec section 17): what they share is the user, the queue's server and, where asked for, PostgreSQL.
{ config, lib, ... }:
let
  cfg = config.unibos;
  colocated = cfg.colocated;
in
{
  options.unibos.colocated = {
    enable = lib.mkEnableOption "hub and node on this machine (the mini cluster)";
    join = lib.mkOption {
      type = lib.types.bool;
      default = colocated.enable;
      defaultText = "when hub and node share the machine";
      description = "Let the node join the hub beside it by itself.";
    };
  };

  config = lib.mkIf colocated.enable {
    unibos.hub.enable = true;
    unibos.node.enable = true;
    # `<name>.local` is the node and `hub-<name>.local` the hub.
    unibos.settings.unibos_deployment_type = "node";
    unibos.hub.settings.unibos_deployment_type = "hub";
  };
}
