# The images for a server: a hub that stands alone.
{
  imports = [
    ../hardware/x86-64-server.nix
    ./disk.nix
  ];
  system.image.id = "unibos-server";
  unibos.hub.enable = true;
}
