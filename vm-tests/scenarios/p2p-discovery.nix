{ inputs }:
{
  name = "p2p-discovery";
  nodes.node = {
    imports = [ ../../modules ];
    unibos.node.enable = true;
  };
  testScript = "start_all()";
}
