# A disk for a machine with UEFI: one file to write to a disk (raw-efi), to try in a virtual machine (qemu-efi), or to carry on a stick
# and install from (iso).
{
  config,
  lib,
  pkgs,
  ...
}:
let
  version = config.system.image.version;
  named = suffix: { image.baseName = lib.mkForce "${config.system.image.id}-${version}${suffix}"; };
  # NixOS' own variants bring their labels, a small boot partition and a channel; these are the installed system's.
  written =
    {
      config,
      lib,
      modulesPath,
      pkgs,
      ...
    }:
    {
      fileSystems = lib.mkForce systems;
      system.build.image = lib.mkForce (
        import "${modulesPath}/../lib/make-disk-image.nix" {
          inherit lib config pkgs;
          inherit (config.image) baseName format;
          inherit (config.virtualisation) diskSize;
          partitionTableType = "efi";
          label = "UNIBOS";
          bootSize = "1G";
          copyChannel = false;
        }
      );
    };
  systems = {
    "/" = {
      device = "/dev/disk/by-label/UNIBOS";
      fsType = "ext4";
      autoResize = true;
      options = [ "noatime" ];
    };
    # The image builder knows no other name for it.
    "/boot" = {
      device = "/dev/disk/by-label/ESP";
      fsType = "vfat";
      options = [
        "nofail"
        "umask=0077"
      ];
    };
  };
in
{
  imports = [ ./appliance.nix ];
  fileSystems = systems;
  boot.growPartition = true;
  image.modules = {
    raw-efi.imports = [
      written
      (named "")
    ];
    qemu-efi.imports = [
      written
      (named "-vm")
    ];
    iso = {
      imports = [
        (named "-installer")
        # The live system must not take the partitions of what is installed on the machine for its own.
        (
          { config, lib, ... }:
          {
            fileSystems = lib.mkImageMediaOverride config.lib.isoFileSystems;
            boot.growPartition = lib.mkForce false;
          }
        )
      ];
      isoImage = {
        volumeID = "UNIBOS_INSTALL";
        makeEfiBootable = true;
        makeUsbBootable = true;
        # The installed system travels along, so that nothing is fetched.
        storeContents = [ config.system.build.toplevel ];
      };
      unibos.appliance.enable = lib.mkForce false;
      unibos.node.enable = lib.mkForce false;
      unibos.hub.enable = lib.mkForce false;
      environment.systemPackages = [
        (pkgs.writeShellApplication {
          name = "unibos-install";
          runtimeInputs = [
            pkgs.dosfstools
            pkgs.e2fsprogs
            pkgs.gptfdisk
            pkgs.nixos-install-tools
            pkgs.util-linux
          ];
          runtimeEnv.UNIBOS_SYSTEM = "${config.system.build.toplevel}";
          text = builtins.readFile ./install.sh;
        })
      ];
      services.getty.autologinUser = lib.mkForce "root";
      services.getty.helpLine = lib.mkForce "To install UNIBOS on a disk of this machine, type: unibos-install";
    };
  };
}
