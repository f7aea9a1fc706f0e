{
  description = "Our machines";

  inputs.unibos.url = "github:unibos/unibos";
  inputs.nixpkgs.follows = "unibos/nixpkgs";

  outputs =
    { nixpkgs, unibos, ... }:
    {
      nixosConfigurations.home = nixpkgs.lib.nixosSystem {
        specialArgs.inputs = unibos.inputs;
        modules = [
          unibos.nixosModules.node
          ./home.nix
        ];
      };
    };
}
