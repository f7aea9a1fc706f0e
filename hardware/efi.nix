# Machines that boot by UEFI, physical or virtual.
{ lib, ... }:
{
  boot.loader = {
    systemd-boot = {
      enable = true;
      configurationLimit = 5;
      # Whoever sits at the keyboard must not get a root shell by editing the command line.
      editor = false;
    };
    # A disk that is moved to another machine boots there as well.
    efi.canTouchEfiVariables = lib.mkDefault false;
    timeout = lib.mkDefault 3;
  };
  boot.initrd.availableKernelModules = [
    "ahci"
    "nvme"
    "sd_mod"
    "usb_storage"
    "xhci_pci"
    "virtio_blk"
    "virtio_pci"
    "virtio_scsi"
  ];
  hardware.enableRedistributableFirmware = true;
}
