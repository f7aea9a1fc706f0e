# What every machine with a profile has: the package, the user, the programs with their settings, and the rules of its state.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  # Of the environment's many programs only ours. They find the machine's settings in /etc/unibos by themselves.
  program = name: pkgs.writeShellScriptBin name ''exec ${cfg.package}/bin/${name} "$@"'';
in
{
  options.unibos = {
    package = lib.mkPackageOption pkgs "unibos" { };
    active = mkOption {
      type = types.bool;
      internal = true;
      readOnly = true;
      default = cfg.hub.enable || cfg.node.enable || cfg.worker.enable || cfg.witness.enable;
      description = "Whether this machine has any profile.";
    };
  };

  config = lib.mkIf cfg.active {
    users.users.unibos = {
      isSystemUser = true;
      group = "unibos";
      home = "/var/lib/unibos";
      description = "UNIBOS";
    };
    users.groups.unibos = { };
    users.mutableUsers = lib.mkDefault false;
    # Before any process starts: what is hidden from one (InaccessiblePaths) has to be there when it starts, or it stays open to it.
    systemd.tmpfiles.rules =
      map (folder: "d /var/lib/unibos${folder} 0700 unibos unibos") (
        [ "" ]
        ++ lib.optional cfg.hub.enable "/hub"
        ++ lib.optionals cfg.node.enable [
          "/node"
          "/mosquitto"
        ]
      );

    unibos.settings = {
      unibos_data_dir = "/var/lib/unibos";
      # The proxy in front ends HTTPS.
      unibos_tls_proxy = true;
    };

    environment.systemPackages =
      lib.optionals (cfg.node.enable || cfg.worker.enable) [
        (program "unibos")
        (program "unibos-worker")
      ]
      ++ lib.optionals cfg.hub.enable [
        (program "unibos-hub")
        (program "unibos-manager")
      ];

    documentation.enable = lib.mkDefault false;
    environment.defaultPackages = lib.mkDefault [ ];
    nix.channel.enable = lib.mkDefault false;
    system.stateVersion = lib.mkDefault "26.05";
  };
}
