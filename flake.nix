{
  description = "UNIBOS: appliances that keep people's data on their own hardware";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    nixos-hardware.url = "github:NixOS/nixos-hardware";
    nixos-hardware.inputs.nixpkgs.follows = "nixpkgs";
    disko.url = "github:nix-community/disko";
    disko.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { self, nixpkgs, ... }@inputs:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      pkgsOf =
        system:
        import nixpkgs {
          inherit system;
          overlays = [ self.overlays.default ];
        };
      perSystem = make: lib.genAttrs systems (system: make system (pkgsOf system));
      machine =
        file:
        lib.nixosSystem {
          specialArgs = { inherit inputs; };
          modules = [
            self.nixosModules.default
            file
          ];
        };
      config = name: self.nixosConfigurations.${name}.config;
      profile = name: {
        imports = [ self.nixosModules.default ];
        unibos.${name}.enable = true;
      };
      sdCard = name: (config name).system.build.sdImage;
      disk = name: variant: (config name).system.build.images.${variant};
      vmTests = {
        claim = ./vm-tests/features/claim.nix;
        colocation = ./vm-tests/features/colocation.nix;
        devices = ./vm-tests/features/devices.nix;
        documents = ./vm-tests/features/documents.nix;
        join = ./vm-tests/features/join.nix;
        ha-failover = ./vm-tests/scenarios/ha-failover.nix;
        p2p-discovery = ./vm-tests/scenarios/p2p-discovery.nix;
      };
    in
    {
      overlays.default = import ./app/overlay.nix;

      nixosModules = {
        default = {
          imports = [ ./modules ];
          nixpkgs.overlays = [ self.overlays.default ];
        };
        hub = profile "hub";
        node = profile "node";
        worker = profile "worker";
      };

      nixosConfigurations = {
        rocksteady = machine ./hosts/rocksteady.nix;
        bebop = machine ./hosts/bebop.nix;
        witness = machine ./hosts/witness.nix;
        us = machine ./hosts/us.nix;
        asia = machine ./hosts/asia.nix;
        pi-001 = machine ./hosts/pi-001.nix;
        pi-zero-01 = machine ./hosts/pi-zero-01.nix;
        desktop-01 = machine ./hosts/desktop-01.nix;
        gpu-server-01 = machine ./hosts/gpu-server-01.nix;

        image-pi-zero-2w = machine ./images/pi-zero-2w.nix;
        image-pi-4 = machine ./images/pi-4.nix;
        image-pi-5 = machine ./images/pi-5.nix;
        image-pi-5-cluster = machine ./images/pi-5-cluster.nix;
        image-desktop = machine ./images/desktop.nix;
        image-server = machine ./images/server.nix;
        image-server-arm = machine ./images/server-arm.nix;
      };

      packages = lib.recursiveUpdate (perSystem (
        system: pkgs: {
          inherit (pkgs) unibos unibos-worker-core unibos-worker-ocr;
          default = pkgs.unibos;
        }
      )) {
        aarch64-linux = {
          image-pi-zero-2w = sdCard "image-pi-zero-2w";
          image-pi-4 = sdCard "image-pi-4";
          image-pi-5 = sdCard "image-pi-5";
          image-pi-5-cluster = sdCard "image-pi-5-cluster";
          image-server-disk = disk "image-server-arm" "raw-efi";
          image-server-vm = disk "image-server-arm" "qemu-efi";
          image-server-installer = disk "image-server-arm" "iso";
        };
        x86_64-linux = {
          image-desktop-disk = disk "image-desktop" "raw-efi";
          image-desktop-vm = disk "image-desktop" "qemu-efi";
          image-desktop-installer = disk "image-desktop" "iso";
          image-server-disk = disk "image-server" "raw-efi";
          image-server-vm = disk "image-server" "qemu-efi";
          image-server-installer = disk "image-server" "iso";
        };
      };

      apps = perSystem (
        system: pkgs:
        lib.genAttrs [ "unibos" "unibos-hub" "unibos-worker" "unibos-manager" "unibos-dev" ] (name: {
          type = "app";
          program = "${pkgs.unibos}/bin/${name}";
          meta.description = "The program ${name}";
        })
      );

      checks = perSystem (
        system: pkgs:
        { package = pkgs.unibos.module; }
        // lib.mapAttrs (_: file: pkgs.testers.runNixOSTest (import file { inherit inputs; })) vmTests
        # Every host and image of this kind of machine evaluates, and its system builds.
        // lib.mapAttrs' (name: host: lib.nameValuePair "system-${name}" host.config.system.build.toplevel) (
          lib.filterAttrs (_: host: host.config.nixpkgs.hostPlatform.system == system) self.nixosConfigurations
        )
      );

      devShells = perSystem (
        system: pkgs: {
          # Everything that `make run` and `make test` need; Python's packages come from the lock.
          default = pkgs.mkShell {
            packages = [
              pkgs.avahi
              pkgs.caddy
              pkgs.chromium
              pkgs.etcd
              pkgs.gnumake
              pkgs.haproxy
              pkgs.iproute2
              pkgs.mosquitto
              pkgs.nixfmt
              pkgs.patroni
              pkgs.poppler-utils
              pkgs.postgresql_17
              pkgs.python3
              pkgs.tesseract
              pkgs.valkey
            ];
          };
        }
      );

      formatter = perSystem (system: pkgs: pkgs.nixfmt-tree);

      templates.default = {
        path = ./templates/fleet;
        description = "A fleet of one's own: hosts that use UNIBOS as an input";
      };
    };
}
