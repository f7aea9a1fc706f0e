# A sensor reports over MQTT with TLS.
_:
import ../story.nix {
  story = "devices";
  nodes.node.unibos.node.enable = true;
  nodes.sensor = { };
  cast = [
    "node"
    "sensor"
  ];
}
