# What every image is: an appliance without an identity, claimed by nobody. Nothing in it depends on when or where it is built.
{
  config,
  lib,
  modulesPath,
  ...
}:
{
  imports = [ "${modulesPath}/profiles/minimal.nix" ];
  unibos.appliance.enable = true;
  system.image.id = lib.mkDefault "unibos";
  system.image.version = config.unibos.package.version;
  nixpkgs.flake = {
    setFlakeRegistry = false;
    setNixPath = false;
  };
  fonts.fontconfig.enable = false;
  networking.firewall.enable = true;
}
