{ inputs }:
{
  name = "documents";
  nodes.node = {
    imports = [ ../../modules ];
    unibos.node.enable = true;
  };
  testScript = "start_all()";
}
