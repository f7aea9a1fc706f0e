# SSH: keys only. They come from the configuration, or lie on the machine itself, where the provisioning file or the operator who
# installed it has put them. An appliance without any does not even start it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  provisioned = "/var/lib/unibos-appliance/authorized_keys";
in
{
  options.unibos.ssh = {
    enable = mkOption {
      type = types.bool;
      default = cfg.active;
      defaultText = "on every machine with a profile";
      description = "Serve SSH to root's keys.";
    };
    keys = mkOption {
      type = types.listOf (types.strMatching "(ssh-ed25519|ecdsa-sha2-nistp256|sk-ssh-ed25519@openssh.com|ssh-rsa) .+");
      default = [ ];
      description = "Public keys of the operators.";
    };
  };

  config = lib.mkIf (cfg.active && cfg.ssh.enable) {
    services.openssh = {
      enable = true;
      openFirewall = false;
      settings = {
        PasswordAuthentication = false;
        KbdInteractiveAuthentication = false;
        PermitRootLogin = "prohibit-password";
        X11Forwarding = false;
        AllowTcpForwarding = lib.mkDefault "no";
        AllowAgentForwarding = false;
        MaxAuthTries = 3;
        # The keys on the machine are root's, and nobody else's.
        AllowUsers = [ "root" ];
      };
      authorizedKeysFiles = lib.mkForce [
        "/etc/ssh/authorized_keys.d/%u"
        provisioned
      ];
    };
    # The keys on the machine are not known here.
    users.allowNoPasswordLogin = lib.mkDefault (cfg.ssh.keys == [ ]);
    users.users.root.openssh.authorizedKeys.keys = cfg.ssh.keys;
    systemd.services.sshd = lib.mkIf cfg.appliance.enable { unitConfig.ConditionPathExists = provisioned; };
    unibos.served = [
      {
        port = 22;
        why = "SSH with keys";
      }
    ];
  };
}
