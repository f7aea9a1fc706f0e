# A node on a desktop machine.
{
  imports = [
    ../hardware/x86-64-desktop.nix
    ../hardware/disk.nix
  ];
  networking.hostName = "desktop-01";
  unibos.node.enable = true;
  unibos.node.type = "desktop";
}
