# A node's hubs: which to join, and the token for the first time.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
in
{
  options.unibos.node.hubs = mkOption {
    type = types.listOf types.str;
    default = [ ];
    example = [ "https://hub.example.org" ];
    description = "Addresses of the hubs; the first is the one written to. A node without hubs works alone, or is joined in its panel.";
  };

  config = lib.mkIf (cfg.node.enable && cfg.node.hubs != [ ]) {
    unibos.node.settings.unibos_hubs = cfg.node.hubs;
  };
}
