# The images for a desktop or mini PC: a node.
{
  imports = [
    ../hardware/x86-64-desktop.nix
    ./disk.nix
  ];
  system.image.id = "unibos-desktop";
  unibos.node.enable = true;
  unibos.node.type = "desktop";
  unibos.wifi.enable = true;
  # Whatever its slot, the radio has the name that Wi-Fi waits for.
  systemd.network.links."40-radio" = {
    matchConfig.Type = "wlan";
    linkConfig.Name = "wlan0";
  };
}
