# A machine that only works: it takes jobs of a hub's queues. Until workers fetch their jobs over HTTPS it needs the hub's database and
# queue, so it belongs on the hubs' own network, and its addresses come as run-time files.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  process = import ../contracts/process.nix { inherit config lib; };
  inherit (process) hardening;
in
{
  options.unibos.worker = {
    enable = lib.mkEnableOption "the worker profile";
    type = mkOption {
      type = types.enum [
        "core"
        "ocr"
      ];
      default = "core";
      description = "What it is made for: the queues it serves, and the programs it has.";
    };
    gpu = lib.mkEnableOption "the use of a GPU";
    memory = mkOption {
      type = types.strMatching "[0-9]+[MG]";
      default = "2G";
      description = "The most memory that it may use.";
    };
  };

  config = lib.mkIf cfg.worker.enable {
    assertions = [
      {
        assertion = cfg.hub.enable || cfg.node.enable || cfg.hub.secrets.unibos_database_url != null;
        message = "A worker needs unibos.hub.secrets.unibos_database_url and unibos_redis_url: run-time files with the addresses of its hub.";
      }
    ];
    unibos.settings = {
      unibos_deployment_type = lib.mkDefault "worker";
      worker_type = cfg.worker.type;
      gpu_enabled = cfg.worker.gpu;
    };
    systemd.services.unibos-worker = lib.mkMerge [
      (process.service {
        role = "hub";
        description = "UNIBOS worker (${cfg.worker.type})";
        exec = "${cfg.package}/bin/unibos-worker start --role hub --type ${cfg.worker.type}";
        inherit (cfg.worker) memory;
        talks = hardening.network;
        extra =
          hardening.restarting
          // {
            TimeoutStopSec = "30s";
          }
          // lib.optionalAttrs cfg.worker.gpu {
            # The GPU's devices and nothing else.
            PrivateDevices = false;
            DeviceAllow = [
              "char-drm rw"
              "char-nvidia rw"
              "char-nvidia-uvm rw"
            ];
          };
      })
      {
        wantedBy = [ "multi-user.target" ];
        wants = [ "network-online.target" ];
        after = [ "network-online.target" ];
        path = lib.optionals (cfg.worker.type == "ocr") [
          pkgs.tesseract
          pkgs.poppler-utils
        ];
      }
    ];
  };
}
