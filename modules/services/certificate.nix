# The appliance's own CA and the certificate that the proxy and the broker show. Both are made on the machine at its first boot,
# by a user of their own: no other process can read the CA's key.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  process = import ../contracts/process.nix { inherit config lib; };
  inherit (process) hardening python;
  make = hardening.base // {
    Type = "oneshot";
    ExecStart = lib.concatStringsSep " " (
      [ (python "appliance certificate --ca /var/lib/unibos-ca --leaf /var/lib/unibos-tls") ]
      ++ map (name: "--name ${name}") cfg.certificate.names
    );
    User = "unibos-ca";
    Group = "unibos-ca";
    StateDirectory = [
      "unibos-ca"
      "unibos-tls"
    ];
    StateDirectoryMode = "0700";
    # Lists the machine's addresses and speaks to nobody.
    RestrictAddressFamilies = [
      "AF_UNIX"
      "AF_INET"
      "AF_INET6"
      "AF_NETLINK"
    ];
  };
  users = lib.optional cfg.proxy.enable "unibos-proxy.service" ++ lib.optional (cfg.node.enable && cfg.devices.enable) "unibos-broker.service";
in
{
  options.unibos.certificate.names = mkOption {
    type = types.listOf (types.strMatching "([a-z0-9.-]|[{]host[}])+");
    default = [ ];
    description = "Host names that the certificate is for, besides this machine's own and its name in .local; {host} stands for the machine's own.";
  };

  config = lib.mkIf (cfg.hub.enable || cfg.node.enable) {
    users.users.unibos-ca = {
      isSystemUser = true;
      group = "unibos-ca";
      description = "UNIBOS certificate authority of this machine";
    };
    users.groups.unibos-ca = { };

    systemd.services =
      lib.genAttrs cfg.processes (name: {
        # A hub gives its CA's certificate to nodes with the enrolment token, a node its own to the hub that calls back.
        wants = [ "unibos-certificate.service" ];
        after = [ "unibos-certificate.service" ];
        serviceConfig = {
          LoadCredential = [ "ca.pem:/var/lib/unibos-tls/ca.pem" ];
          Environment = [ "UNIBOS_CA_CERTIFICATE=%d/ca.pem" ];
        };
      })
      // {
        unibos-certificate = {
          description = "UNIBOS certificate of this machine";
          wantedBy = [ "multi-user.target" ];
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          startLimitIntervalSec = 0;
          serviceConfig = make // {
            RemainAfterExit = true;
            Restart = "on-failure";
            RestartSec = "5s";
          };
        };
        unibos-certificate-renew = {
          description = "UNIBOS certificate of this machine, renewed in time";
          serviceConfig = make;
        };
        # Root, because it asks systemd to restart other units; it reads nothing and opens no socket but systemd's.
        unibos-certificate-changed = {
          description = "Show the new certificate";
          serviceConfig = hardening.base // {
            Type = "oneshot";
            ExecStart = "${config.systemd.package}/bin/systemctl try-restart ${lib.concatStringsSep " " users}";
            PrivateUsers = false;
            PrivateNetwork = true;
          };
        };
      };
    systemd.timers.unibos-certificate-renew = {
      description = "Look daily whether the certificate of this machine is still good";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = "daily";
        RandomizedDelaySec = "1h";
        Persistent = true;
      };
    };

    # Who shows the certificate reads it at its start.
    systemd.paths.unibos-certificate = {
      description = "Watch the certificate of this machine";
      wantedBy = [ "multi-user.target" ];
      pathConfig = {
        PathChanged = "/var/lib/unibos-tls/leaf.pem";
        Unit = "unibos-certificate-changed.service";
      };
    };
  };
}
