# A scan is read on the node and found by its words.
_:
import ../story.nix {
  story = "documents";
  nodes.node.unibos.node.enable = true;
  nodes.phone =
    { pkgs, ... }:
    {
      environment.etc."scan.png".source =
        pkgs.runCommand "scan.png" { nativeBuildInputs = [ pkgs.imagemagick ]; }
          ''
            magick -size 1400x300 xc:white -font ${pkgs.dejavu_fonts}/share/fonts/truetype/DejaVuSans.ttf -pointsize 72 \
              -annotate +60+180 'FATURALARIMIZDAN 2026' "$out"
          '';
    };
  cast = [
    "node"
    "phone"
    ''"/etc/scan.png"''
  ];
}
