# Three nodes on a LAN without a hub. What they can do for one another today is to be found by name; the mesh adds the rest.
_:
import ../story.nix {
  story = "p2p_discovery";
  nodes = {
    one.unibos.node.enable = true;
    two.unibos.node.enable = true;
    three.unibos.node.enable = true;
  };
  cast = [
    "one"
    "two"
    "three"
  ];
}
