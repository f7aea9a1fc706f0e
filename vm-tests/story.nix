# A story as a NixOS test. Its machines are what a person has on the LAN; the script is person.py, the story, and one call.
{
  story,
  nodes,
  cast,
  folder ? ./stories,
}:
{
  name = builtins.replaceStrings [ "_" ] [ "-" ] story;
  inherit nodes;
  defaults =
    { lib, pkgs, ... }:
    {
      imports = [ ../modules ];
      # What the people of the stories use.
      environment.systemPackages = [
        pkgs.curl
        pkgs.jq
        pkgs.mosquitto
        pkgs.openssl
      ];
      virtualisation.memorySize = lib.mkDefault 1024;
    };
  # The machines are Python objects of the driver: checked types would be its own.
  skipTypeCheck = true;
  testScript = builtins.concatStringsSep "\n" [
    (builtins.readFile (folder + "/person.py"))
    (builtins.readFile (folder + "/${story}.py"))
    "story(${builtins.concatStringsSep ", " cast})"
  ];
}
