# A box is claimed from a phone on the LAN, once.
_:
import ../story.nix {
  story = "claim";
  nodes.node.unibos.node.enable = true;
  nodes.phone = { };
  cast = [
    "node"
    "phone"
  ];
}
