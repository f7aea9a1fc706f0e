# A machine that was flashed and not installed: it chooses its name at the first boot and reads an optional unibos.toml from the
# partition that every desktop can write. The file is read by nobody, in the sense of the word: a user without rights parses it, and
# root applies what that made of it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  appliance = cfg.appliance;
  process = import ../contracts/process.nix { inherit config lib; };
  inherit (process) hardening python;
  run = "/run/unibos-provision";
  # Before everything that a name or a network matters to.
  early = [
    "network-pre.target"
    "unibos-certificate.service"
    "avahi-daemon.service"
    "sshd.service"
  ];
in
{
  options.unibos.appliance = {
    enable = lib.mkEnableOption "first boot without an operator: a name of its own, and provisioning by file";
    bootFolder = mkOption {
      type = types.strMatching "/boot(/[a-z]+)?";
      default = "/boot";
      description = "Where the partition is mounted that a person can write on any desktop.";
    };
  };

  config = lib.mkIf appliance.enable {
    # Empty: /etc/hostname is then the machine's own.
    networking.hostName = "";
    systemd.tmpfiles.rules = [
      "d ${run} 0755 root root"
      "d /run/unibos-appliance 0755 root root"
      "d /var/lib/unibos-appliance 0755 root root"
    ];

    systemd.services = {
      # Root, because it sets the host name. It reads /etc/machine-id.
      unibos-name = {
        description = "UNIBOS name of this machine";
        wantedBy = [ "multi-user.target" ];
        before = early ++ [ "unibos-provision-apply.service" ];
        serviceConfig =
          hardening.base
          // {
            Type = "oneshot";
            RemainAfterExit = true;
            ExecStart = python "appliance name";
            PrivateNetwork = true;
            PrivateUsers = false;
            ProtectHostname = false;
            # /etc/hostname is written beside itself and renamed.
            ReadWritePaths = "/etc";
            CapabilityBoundingSet = "CAP_SYS_ADMIN";
            SystemCallFilter = [
              "@system-service"
              "sethostname"
            ];
          };
      };

      unibos-provision-read = {
        description = "UNIBOS reads unibos.toml";
        wantedBy = [ "multi-user.target" ];
        before = [ "unibos-provision-apply.service" ];
        unitConfig.ConditionPathExists = "${appliance.bootFolder}/unibos.toml";
        unitConfig.RequiresMountsFor = appliance.bootFolder;
        serviceConfig =
          hardening.base
          // {
            Type = "oneshot";
            ExecStart = python "appliance provision-read";
            DynamicUser = true;
            PrivateNetwork = true;
            # systemd opens both, so that the parser itself can open nothing.
            StandardInput = "file:${appliance.bootFolder}/unibos.toml";
            StandardOutput = "truncate:${run}/plan.json";
            InaccessiblePaths = [
              "-/boot"
              "-/var/lib"
            ];
            MemoryMax = "96M";
            TimeoutStartSec = "30s";
          };
      };

      # Root, because it writes the host name, Wi-Fi and SSH keys. It gets the verified plan, and opens no socket.
      unibos-provision-apply = {
        description = "UNIBOS applies unibos.toml";
        wantedBy = [ "multi-user.target" ];
        before =
          early
          ++ [ "unibos-screen.service" ]
          ++ lib.optional cfg.node.enable "unibos-node-agent.service"
          ++ lib.optional cfg.wifi.enable "wpa_supplicant-${cfg.wifi.interface}.service";
        after = [
          "unibos-name.service"
          "unibos-provision-read.service"
        ];
        unitConfig.ConditionPathExists = "${run}/plan.json";
        serviceConfig =
          hardening.base
          // {
            Type = "oneshot";
            ExecStart = python "appliance provision-apply ${run}/plan.json ${appliance.bootFolder}/unibos.toml";
            PrivateNetwork = true;
            PrivateUsers = false;
            ProtectHostname = false;
            ReadWritePaths = [
              "/etc"
              "-${appliance.bootFolder}"
              "/run/unibos-appliance"
              # The plan holds passwords and goes when it is applied.
              run
              "/var/lib"
            ];
            CapabilityBoundingSet = [
              "CAP_SYS_ADMIN"
              "CAP_CHOWN"
              "CAP_FOWNER"
              "CAP_DAC_OVERRIDE"
            ];
            SystemCallFilter = [
              "@system-service"
              "sethostname"
            ];
          };
      };
    };
  };
}
