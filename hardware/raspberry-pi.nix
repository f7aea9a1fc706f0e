# What the Raspberry Pi boards have in common: U-Boot, our own labels, so that a card and a disk of two systems are never taken for each
# other, and firmware that is refilled at every update.
{ lib, modulesPath, ... }:
{
  imports = [ "${modulesPath}/installer/sd-card/sd-image-aarch64.nix" ];
  disabledModules = [ "profiles/base.nix" ];

  nixpkgs.hostPlatform = "aarch64-linux";
  # A kernel without one of the many modules of the image builder's list still boots these boards.
  boot.initrd.allowMissingModules = true;
  hardware.enableAllHardware = lib.mkForce false;
  hardware.enableRedistributableFirmware = true;
  boot.loader.generic-extlinux-compatible.configurationLimit = 3;

  hardware.raspberry-pi.firmware = {
    enable = true;
    uboot.enable = true;
  };
  hardware.raspberry-pi.configtxt.settings.all.dtparam = [ "watchdog=on" ];
  boot.kernelModules = [ "bcm2835_wdt" ];

  # Mounted, so that updates refill it and a provisioning file is seen; root's alone.
  fileSystems."/boot/firmware".options = lib.mkForce [
    "noatime"
    "nofail"
    "umask=0077"
  ];
  fileSystems."/".options = [ "noatime" ];
  sdImage = {
    # FAT cannot be grown in the field.
    firmwareSize = 512;
    firmwarePartitionID = "0x554e4942";
    firmwarePartitionName = "UNIBOSBOOT";
    rootVolumeLabel = "UNIBOS_SD";
    compressImage = true;
  };
}
