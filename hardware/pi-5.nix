# Raspberry Pi 5, with the vendor's kernel (no public cache has it built). It boots from the SD card: U-Boot knows neither its NVMe nor its USB.
{ inputs, ... }:
{
  imports = [
    inputs.nixos-hardware.nixosModules.raspberry-pi-5
    ./raspberry-pi.nix
  ];

  # A floating serial line can stop U-Boot.
  hardware.raspberry-pi.configtxt.settings.pi5.enable_uart = false;
}
