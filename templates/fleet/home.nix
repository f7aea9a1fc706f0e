# A node on a Raspberry Pi 4; `nix flake show` of UNIBOS lists the other boards.
{
  inputs,
  lib,
  modulesPath,
  ...
}:
{
  imports = [
    inputs.nixos-hardware.nixosModules.raspberry-pi-4
    "${modulesPath}/installer/sd-card/sd-image-aarch64.nix"
  ];
  nixpkgs.hostPlatform = "aarch64-linux";
  hardware.raspberry-pi.firmware.enable = true;
  hardware.raspberry-pi.firmware.uboot.enable = true;
  # Mounted, so that updates refill it.
  fileSystems."/boot/firmware".options = lib.mkForce [
    "noatime"
    "nofail"
    "umask=0077"
  ];

  networking.hostName = "home";
  unibos.ssh.keys = [ "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHere-goes-your-own-public-key you@example.org" ];
}
