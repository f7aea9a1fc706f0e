# The images for a virtual or ARM server: a hub that stands alone.
{
  imports = [
    ../hardware/aarch64-vm.nix
    ./disk.nix
  ];
  system.image.id = "unibos-server-arm";
  unibos.hub.enable = true;
}
