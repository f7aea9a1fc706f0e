# What a machine serves, and to whom: the firewall is made of this list alone, and so is the table in the documents.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  open = protocol: map (s: s.port) (builtins.filter (s: s.protocol == protocol && s.to == "everybody") cfg.served);
  family = address: if lib.hasInfix ":" address then "ip6" else "ip";
  rules = lib.concatMap fromPeers (builtins.filter (s: s.to == "peers") cfg.served);
  fromPeers =
    s: map (address: "${family address} saddr ${address} ${s.protocol} dport ${toString s.port} accept comment \"${s.why}\"") cfg.peers;
in
{
  options.unibos = {
    served = mkOption {
      internal = true;
      default = [ ];
      type = types.listOf (
        types.submodule {
          options = {
            port = mkOption { type = types.port; };
            protocol = mkOption {
              type = types.enum [
                "tcp"
                "udp"
              ];
              default = "tcp";
            };
            to = mkOption {
              type = types.enum [
                "everybody"
                "peers"
              ];
              default = "everybody";
            };
            why = mkOption { type = types.strMatching "[A-Za-z0-9 ,.()-]+"; };
          };
        }
      );
    };
    peers = mkOption {
      type = types.listOf (types.strMatching "[0-9a-fA-F.:/]+");
      default = [ ];
      description = "Addresses of the other hubs, the witness and the workers: they alone reach the ports of the database, the quorum and the queue.";
    };
  };

  config = lib.mkIf cfg.active {
    # For people and for the panel: what this machine serves, to whom and why.
    environment.etc."unibos/served.json".text = builtins.toJSON {
      inherit (cfg) served peers;
      inherit rules;
    };
    networking.nftables.enable = true;
    networking.firewall = {
      enable = true;
      allowPing = true;
      logRefusedConnections = false;
      allowedTCPPorts = open "tcp";
      allowedUDPPorts = open "udp";
      extraInputRules = lib.concatLines rules;
    };
  };
}
