# LAN devices: the broker's listeners for them, and what they are told to connect to.
{ config, lib, ... }:
let
  cfg = config.unibos;
  devices = cfg.devices;
in
{
  options.unibos.devices = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = cfg.node.enable;
      defaultText = "on nodes";
      description = "Run the MQTT broker for devices of the LAN.";
    };
    plain = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Listen for MQTT without TLS on port 1883 of the LAN as well, for devices that cannot do better. Passwords and values are then readable on the LAN.";
    };
  };

  config = lib.mkIf (cfg.node.enable && devices.enable) {
    unibos.settings = {
      # The agent's listener keeps to this machine, so the LAN's plain one takes the port that devices expect.
      unibos_mqtt_port = lib.mkIf devices.plain 1884;
      unibos_mqtt_plain_port = lib.mkIf devices.plain 1883;
      unibos_mqtt_tls_port = 8883;
    };
    unibos.served = [
      {
        port = 8883;
        why = "MQTT over TLS, for devices";
      }
    ]
    ++ lib.optional devices.plain {
      port = 1883;
      why = "MQTT without TLS, for old devices";
    };
  };
}
