# Updates: declared, so that every host evaluates them, and disabled until signed releases exist.
{ config, lib, ... }:
let
  cfg = config.unibos;
  hardening = import ../contracts/hardening.nix;
in
{
  config = lib.mkIf cfg.active {
    # Root, because it will switch the system to a verified release.
    systemd.services.unibos-update = {
      enable = false;
      description = "UNIBOS update";
      serviceConfig = hardening.base // {
        Type = "oneshot";
        ExecStart = "${cfg.package}/bin/unibos update";
      };
    };
    systemd.timers.unibos-update = {
      enable = false;
      description = "Look for UNIBOS updates";
      timerConfig = {
        OnCalendar = "daily";
        RandomizedDelaySec = "6h";
        Persistent = true;
      };
    };
  };
}
