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
in
{
  imports = [ ./appliance.nix ];
  fileSystems."/" = {
    device = "/dev/disk/by-label/UNIBOS";
    fsType = "ext4";
    autoResize = true;
    options = [ "noatime" ];
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/UNIBOSBOOT";
    fsType = "vfat";
    options = [
      "nofail"
      "umask=0077"
    ];
  };
  boot.growPartition = true;
  image.modules = {
    raw-efi = named "";
    qemu-efi = named "-vm";
    iso = {
      imports = [ (named "-installer") ];
      isoImage = {
        volumeID = "UNIBOS";
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
