# The reference pair: who is in it, and where. Addresses are of the documentation's range: a fleet of one's own has its own.
{
  unibos.pair = {
    enable = true;
    hubs = {
      rocksteady = "192.0.2.11";
      bebop = "192.0.2.12";
    };
    primary = "rocksteady";
    witness = {
      name = "witness";
      address = "192.0.2.13";
    };
    workers.gpu-server-01 = "192.0.2.21";
    regionals = {
      us = "198.51.100.14";
      asia = "203.0.113.15";
    };
  };
  unibos.certificate.names = [ "hub.example.org" ];
}
