# An SD card for a Raspberry Pi: a node that grows to the size of its card at the first boot.
{ config, lib, ... }:
{
  imports = [ ./appliance.nix ];
  image.baseName = lib.mkForce "${config.system.image.id}-${config.system.image.version}";
  unibos.node.enable = true;
  unibos.appliance.bootFolder = "/boot/firmware";
  sdImage.expandOnBoot = true;
}
