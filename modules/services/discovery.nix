# `<name>.local`: avahi publishes the host name; services are published by our own programs under names of their own.
{ config, lib, ... }:
let
  cfg = config.unibos;
in
{
  config = lib.mkIf (cfg.hub.enable || cfg.node.enable) {
    services.avahi = {
      enable = true;
      nssmdns4 = true;
      # The firewall is made of one list.
      openFirewall = false;
      publish = {
        enable = true;
        addresses = true;
      };
      # What a stranger may make it remember.
      cacheEntriesMax = 1024;
    };
    unibos.served = [
      {
        port = 5353;
        protocol = "udp";
        why = "mDNS, the name in .local and peers";
      }
    ];
  };
}
