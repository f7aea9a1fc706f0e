# The witness of a hub pair: the third voice, and the router in front of both hubs. It holds no data.
{ config, lib, ... }:
let
  cfg = config.unibos;
in
{
  options.unibos.witness.enable = lib.mkEnableOption "the witness profile";

  config = lib.mkIf cfg.witness.enable {
    unibos.settings.unibos_deployment_type = "witness";
    unibos.pair = {
      enable = true;
      role = "witness";
    };
    unibos.served = [
      {
        port = 443;
        why = "HTTPS of the hubs, passed on to the primary";
      }
    ];
    assertions = [
      {
        assertion = !(cfg.hub.enable || cfg.node.enable);
        message = "A witness is a machine of its own: on a hub it would fall together with it.";
      }
    ];
  };
}
