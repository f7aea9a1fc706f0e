# The mini cluster for a Raspberry Pi 5: a hub and a node that has joined it, on one card.
{
  imports = [
    ../hardware/pi-5.nix
    ./sd-card.nix
  ];
  system.image.id = "unibos-pi-5-cluster";
  unibos.colocated.enable = true;
  unibos.wifi.enable = true;
}
