# The attached screen of an appliance: name, address, fingerprint, claim code and QR instead of a login prompt.
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
  role = if cfg.node.enable then "node" else "hub";
in
{
  options.unibos.screen.enable = lib.mkOption {
    type = lib.types.bool;
    default = cfg.appliance.enable;
    defaultText = "on appliances";
    description = "Show how to reach and claim this machine on its screen (tty1).";
  };

  config = lib.mkIf cfg.screen.enable {
    # A font with the letters of every language that the screen speaks.
    console = {
      earlySetup = true;
      packages = [ pkgs.terminus_font ];
      font = "ter-v16n";
    };
    systemd.services."getty@tty1".enable = false;
    systemd.services."autovt@tty1".enable = false;
    systemd.services.unibos-screen = lib.mkMerge [
      (process.service {
        inherit role;
        description = "UNIBOS on the screen";
        exec = python "appliance screen --leaf %d";
        memory = "64M";
        talks = {
          # Addresses of this machine; it speaks to nobody.
          RestrictAddressFamilies = [
            "AF_UNIX"
            "AF_INET"
            "AF_INET6"
            "AF_NETLINK"
          ];
        };
        extra = hardening.restarting // {
          StateDirectory = "";
          StandardInput = "tty";
          StandardOutput = "tty";
          TTYPath = "/dev/tty1";
          TTYReset = true;
          TTYVTDisallocate = true;
          DeviceAllow = "/dev/tty1 rw";
          # Of the data it may see the claim code, and no key, database or file.
          ProtectSystem = "strict";
          InaccessiblePaths = [
            "-/var/lib/unibos/mosquitto"
          ]
          ++ lib.concatMap
            (r: [
              "-/var/lib/unibos/${r}/keys"
              "-/var/lib/unibos/${r}/files"
              "-/var/lib/unibos/${r}/unibos.sqlite"
              "-/var/lib/unibos/${r}/readings.sqlite"
            ])
            [
              "hub"
              "node"
            ];
          LoadCredential = [
            "leaf.pem:/var/lib/unibos-tls/leaf.pem"
            "ca.pem:/var/lib/unibos-tls/ca.pem"
          ];
        };
      })
      {
        wantedBy = [ "multi-user.target" ];
        # A machine without a screen has nothing to show it on.
        unitConfig.ConditionPathExists = "/dev/tty1";
        after = [
          "unibos-certificate.service"
          "unibos-${role}-migrate.service"
        ];
        wants = [ "unibos-certificate.service" ];
        conflicts = [ "getty@tty1.service" ];
      }
    ];
  };
}
