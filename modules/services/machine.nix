# The machine under a profile: network, clock without a battery, logs that spare the card, memory, watchdog.
{
  config,
  lib,
  options,
  ...
}:
let
  cfg = config.unibos;
  patroni = cfg.pair.enable && cfg.pair.role == "hub";
in
{
  options.unibos.journalSize = lib.mkOption {
    type = lib.types.strMatching "[0-9]+[MG]";
    default = "64M";
    description = "The most room that logs take.";
  };

  config = lib.mkIf cfg.active (
    lib.mkMerge [
      {
        networking.useNetworkd = lib.mkDefault true;
        networking.useDHCP = lib.mkDefault false;
        systemd.network.networks."80-lan" = {
          matchConfig.Name = "en* eth* wl*";
          networkConfig.DHCP = lib.mkDefault "yes";
          # The service waits for one address, and a machine without a cable must boot as well.
          linkConfig.RequiredForOnline = "no";
        };
        systemd.network.wait-online.enable = false;

        # A Pi has no clock that runs without power: the last known time is kept on the card, so that it never goes back far, and
        # our own programs distrust a clock from before they were made.
        services.timesyncd.enable = true;

        services.journald.storage = "persistent";
        zramSwap = {
          enable = true;
          memoryPercent = lib.mkDefault (if cfg.node.enable && cfg.node.type == "edge" then 100 else 50);
        };
        boot.kernel.sysctl = {
          # A kernel that cannot go on starts again; there may be nobody to press a button.
          "kernel.panic" = lib.mkDefault "10";
          "kernel.panic_on_oops" = lib.mkDefault "1";
          "vm.swappiness" = lib.mkDefault "100";
        };
        boot.kernelParams = [
          "panic=10"
          "boot.panic_on_fail"
        ];
        # The hardware watchdog is systemd's, except where Patroni owns it to fence the database.
        systemd.settings.Manager = lib.mkIf (!patroni) {
          RuntimeWatchdogSec = lib.mkDefault "15s";
          RebootWatchdogSec = lib.mkDefault "60s";
        };
        boot.tmp.cleanOnBoot = lib.mkDefault true;
        # Trusted is who builds systems; there is nobody else.
        nix.settings = {
          allowed-users = lib.mkDefault [ "root" ];
          experimental-features = [
            "nix-command"
            "flakes"
          ];
          min-free = lib.mkDefault 268435456;
          max-free = lib.mkDefault 1073741824;
        };
        nix.gc = {
          automatic = lib.mkDefault true;
          dates = lib.mkDefault "weekly";
          options = lib.mkDefault "--delete-older-than 30d";
        };
      }
      # 26.11 renames this option and makes the old name an error.
      (
        if options.services.journald ? settings then
          {
            services.journald.settings.Journal = {
              SystemMaxUse = cfg.journalSize;
              SyncIntervalSec = "5m";
            };
          }
        else
          {
            services.journald.extraConfig = ''
              SystemMaxUse=${cfg.journalSize}
              SyncIntervalSec=5m
            '';
          }
      )
    ]
  );
}
