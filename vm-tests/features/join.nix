{ inputs }:
{
  name = "join";
  nodes.node = {
    imports = [ ../../modules ];
    unibos.node.enable = true;
  };
  testScript = "start_all()";
}
