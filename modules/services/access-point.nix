# An access point of the node's own, so that others join it where there is no router (spec section 10).
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  ap = cfg.accessPoint;
in
{
  options.unibos.accessPoint = {
    enable = lib.mkEnableOption "an access point on this machine's radio";
    interface = mkOption {
      type = types.strMatching "[a-z0-9]+";
      default = "wlan0";
      description = "The radio that is the access point.";
    };
    ssid = mkOption {
      type = types.strMatching ".{1,32}";
      default = "UNIBOS-P2P";
      description = "The name of the network.";
    };
    country = mkOption {
      type = types.strMatching "[A-Z]{2}";
      example = "TR";
      description = "The country, which decides the channels that may be used.";
    };
    passwordFile = mkOption {
      type = types.strMatching "/[^@]*";
      default = "/var/lib/unibos-appliance/access-point-password";
      description = "Path, at run time, of the file with the network's password, without the signs # and |, which hostapd takes for something else.";
    };
  };

  config = lib.mkIf (cfg.active && ap.enable) {
    services.hostapd = {
      enable = true;
      radios.${ap.interface} = {
        countryCode = ap.country;
        networks.${ap.interface} = {
          inherit (ap) ssid;
          authentication = {
            mode = "wpa3-sae-transition";
            saePasswordsFile = ap.passwordFile;
            wpaPasswordFile = ap.passwordFile;
          };
        };
      };
    };
    systemd.services.hostapd.unitConfig.ConditionPathExists = ap.passwordFile;
    systemd.network.networks."30-access-point" = {
      matchConfig.Name = ap.interface;
      address = [ "10.42.0.1/24" ];
      networkConfig.DHCPServer = true;
      dhcpServerConfig = {
        EmitDNS = false;
        EmitRouter = false;
      };
      linkConfig.RequiredForOnline = "no";
    };
    networking.firewall.interfaces.${ap.interface}.allowedUDPPorts = [ 67 ];
  };
}
