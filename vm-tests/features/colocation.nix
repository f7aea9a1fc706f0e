# Hub and node on one box.
_:
import ../story.nix {
  story = "colocation";
  nodes.box = {
    unibos.colocated.enable = true;
    virtualisation.memorySize = 2048;
  };
  nodes.phone = { };
  cast = [
    "box"
    "phone"
  ];
}
