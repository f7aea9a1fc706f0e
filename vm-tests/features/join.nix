# A node joins a hub on the LAN with one text to copy.
_:
import ../story.nix {
  story = "join";
  nodes = {
    hub.unibos.hub.enable = true;
    node.unibos.node.enable = true;
    phone = { };
  };
  cast = [
    "hub"
    "node"
    "phone"
  ];
}
