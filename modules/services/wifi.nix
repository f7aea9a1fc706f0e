# Wi-Fi by wpa_supplicant; its networks come from the provisioning file or, later, from the panel, never from the store.
{ config, lib, ... }:
let
  cfg = config.unibos;
in
{
  options.unibos.wifi = {
    enable = lib.mkEnableOption "Wi-Fi";
    interface = lib.mkOption {
      type = lib.types.strMatching "[a-z0-9]+";
      default = "wlan0";
      description = "The radio's interface.";
    };
  };

  config = lib.mkIf cfg.wifi.enable {
    networking.wireless = {
      enable = true;
      interfaces = [ cfg.wifi.interface ];
      # Networks of /etc/wpa_supplicant/imperative.conf, which is the machine's own.
      allowAuxiliaryImperativeNetworks = true;
    };
    hardware.wirelessRegulatoryDatabase = true;
    # The service opens its file of networks to all; the directory keeps them out.
    systemd.tmpfiles.rules = [ "d /etc/wpa_supplicant 0750 wpa_supplicant wpa_supplicant -" ];
    assertions = [
      {
        assertion = !(cfg.accessPoint.enable && cfg.accessPoint.interface == cfg.wifi.interface);
        message = "unibos.wifi and unibos.accessPoint want the same radio (${cfg.wifi.interface}). Give the access point another interface, or leave one of them off.";
      }
    ];
  };
}
