# Documents: their text is read on this node, by a worker with the OCR programs and without a network.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
in
{
  options.unibos.documents.ocr = mkOption {
    type = types.bool;
    default = cfg.node.enable && cfg.node.type != "edge";
    defaultText = "on nodes that are no edge node";
    description = "Read documents on this node. It needs about 400 MB while it reads.";
  };

  config = lib.mkIf cfg.documents.ocr {
    assertions = [
      {
        assertion = cfg.node.enable;
        message = "unibos.documents.ocr needs unibos.node.enable: documents are a node's.";
      }
      {
        assertion = cfg.node.type != "edge";
        message = "unibos.documents.ocr does not fit an edge node (512 MB): let another node or a worker read.";
      }
    ];
    unibos.jobs.workers.node-ocr = {
      role = "node";
      queue = "ocr";
      packages = [
        (pkgs.tesseract.override {
          enableLanguages = [
            "eng"
            "tur"
            "osd"
          ];
        })
        pkgs.poppler-utils
      ];
    };
  };
}
