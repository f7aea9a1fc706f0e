# A workstation with an NVIDIA GPU that works for others. The driver is not free software: this machine opts in, and no other.
{ lib, ... }:
{
  imports = [ ./x86-64-server.nix ];
  nixpkgs.config.allowUnfreePredicate =
    package:
    builtins.elem (lib.getName package) [
      "nvidia-x11"
      "nvidia-settings"
    ];
  services.xserver.videoDrivers = [ "nvidia" ];
  hardware.graphics.enable = true;
  hardware.nvidia = {
    open = true;
    nvidiaSettings = false;
    nvidiaPersistenced = true;
  };
}
