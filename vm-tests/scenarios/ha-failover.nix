# The hub pair with its witness: a crash, a partition, a promotion by hand, and the return. The engines and their keys are laid out
# here; the story says what must not be lost.
_:
let
  addresses = {
    rocksteady = "192.168.1.11";
    bebop = "192.168.1.12";
    witness = "192.168.1.13";
  };
  # Keys of this test alone, made while it is built: they open nothing but its own machines.
  keys =
    pkgs:
    pkgs.runCommand "pair-keys" { nativeBuildInputs = [ pkgs.openssl ]; } ''
      mkdir -p "$out"
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=pair -keyout ca-key.pem -out ca.pem
      for host in ${builtins.concatStringsSep " " (builtins.attrNames addresses)}; do
        mkdir "$out/$host"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$host" -keyout "$out/$host/key.pem" -out request.pem
        printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1,IP:%s\n' "$host" "$(cat ${addressFile pkgs} | sed -n "s/^$host //p")" > names
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -extfile names -out "$out/$host/certificate.pem"
        cat "$out/$host/certificate.pem" "$out/$host/key.pem" > "$out/$host/both.pem"
        cp ca.pem "$out/$host/ca.pem"
        for account in superuser replication rewind queue; do printf 'only-of-this-test' > "$out/$host/$account-password"; done
        printf 'postgresql://postgres:only-of-this-test@127.0.0.1:5000/postgres?sslmode=require' > "$out/$host/database-url"
        printf 'redis://:only-of-this-test@127.0.0.1:6379/0' > "$out/$host/queue-url"
      done
    '';
  addressFile =
    pkgs:
    pkgs.writeText "addresses" (
      builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs (name: address: "${name} ${address}") addresses))
    );
  member =
    name:
    { lib, pkgs, ... }:
    {
      networking.interfaces.eth1.ipv4.addresses = lib.mkForce [
        {
          address = addresses.${name};
          prefixLength = 24;
        }
      ];
      unibos.pair = {
        enable = true;
        hubs = { inherit (addresses) rocksteady bebop; };
        witness.address = addresses.witness;
      };
      # They belong to root alone: services get copies of what they are named.
      systemd.tmpfiles.rules = [ "C /var/lib/unibos-pair 0700 root root - ${keys pkgs}/${name}" ];
      environment.systemPackages = [ pkgs.postgresql_17 ];
      virtualisation.memorySize = 1536;
    };
  hub = name: role: {
    imports = [ (member name) ];
    unibos.hub.enable = true;
    unibos.settings.hub_role = role;
  };
in
import ../story.nix {
  story = "ha_failover";
  nodes = {
    rocksteady = hub "rocksteady" "primary";
    bebop = hub "bebop" "standby";
    witness = {
      imports = [ (member "witness") ];
      unibos.witness.enable = true;
    };
    client = { };
  };
  cast = [
    "rocksteady"
    "bebop"
    "witness"
    "client"
  ];
}
