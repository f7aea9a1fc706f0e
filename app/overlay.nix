# What UNIBOS adds to nixpkgs.
final: prev: {
  unibos = final.callPackage ./package.nix { };
  unibos-worker-core = final.unibos.workers.core;
  unibos-worker-ocr = final.unibos.workers.ocr;
}
