# The MQTT broker. Its configuration and its accounts are prepared by the same code as in development: logins of devices are
# made and removed at run time by the dynamic-security plugin, which NixOS' static users cannot do.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.unibos;
  process = import ../contracts/process.nix { inherit config lib; };
  inherit (process) hardening python;
in
{
  config = lib.mkIf (cfg.node.enable && cfg.devices.enable) {
    systemd.services.unibos-broker = lib.mkMerge [
      (process.service {
        role = "node";
        description = "UNIBOS broker for devices";
        exec = python "appliance broker";
        memory = "128M";
        talks = hardening.network;
        extra = hardening.restarting // {
          # The broker sees its own folder and no other.
          TemporaryFileSystem = "/var/lib/unibos:ro";
          BindPaths = "/var/lib/unibos/mosquitto";
          StateDirectory = "";
          InaccessiblePaths = [ ];
          WorkingDirectory = "/var/lib/unibos/mosquitto";
          ProcSubset = "pid";
          LoadCredential = [
            "leaf.pem:/var/lib/unibos-tls/leaf.pem"
            "leaf-key.pem:/var/lib/unibos-tls/leaf-key.pem"
          ];
          Environment = [
            "UNIBOS_MQTT_CERTIFICATE=%d/leaf.pem"
            "UNIBOS_MQTT_KEY=%d/leaf-key.pem"
          ];
        };
      })
      {
        wantedBy = [ "multi-user.target" ];
        # Without certificate or folder it fails and tries again.
        wants = [ "unibos-certificate.service" ];
        after = [
          "unibos-certificate.service"
          "unibos-node-migrate.service"
        ];
        # The plugin that keeps the accounts lies in the libraries' output.
        path = [
          pkgs.mosquitto
          pkgs.mosquitto.lib
        ];
      }
    ];
    systemd.services.unibos-node-migrate.serviceConfig.StateDirectory = [
      "unibos/mosquitto"
    ];
    systemd.services.unibos-node-agent = {
      wants = [ "unibos-broker.service" ];
      after = [ "unibos-broker.service" ];
    };
  };
}
