# The settings of the Python programs as options. settings.json is what `unibos-dev settings --json` prints, so that there is
# one list; a machine's options are rendered to the one TOML file that its processes read.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;

  declared = builtins.filter (s: !(builtins.elem s.name unwritten)) (builtins.fromJSON (builtins.readFile ./settings.json));
  # Where this very file lies, and a switch of the Makefile.
  unwritten = [
    "UNIBOS_CONFIG"
    "UNIBOS_NO_INSTALL"
  ];
  open = builtins.filter (s: !s.secret) declared;
  secret = builtins.filter (s: s.secret) declared;
  ofRole = builtins.filter (s: lib.hasPrefix "UNIBOS_" s.name);

  typeOf =
    kind:
    if lib.hasPrefix "choice:" kind then
      types.enum (lib.splitString "|" (lib.removePrefix "choice:" kind))
    else
      {
        text = types.str;
        path = types.str;
        # Without user and password: a secret never goes through an option.
        url = types.strMatching "([a-z+]+://[^@]*)?";
        port = types.port;
        integer = types.ints.unsigned;
        seconds = types.ints.between 1 31622400;
        boolean = types.bool;
        list = types.listOf types.str;
      }
      .${kind};
  # Python writes an empty list as an empty text.
  defaultOf = s: if s.type == "list" && s.default == "" then [ ] else s.default;

  key = s: lib.toLower s.name;
  roleKey = role: name: "unibos_${role}_${lib.removePrefix "unibos_" name}";
  optionsOf = make: settings: lib.listToAttrs (map (s: lib.nameValuePair (key s) (make s)) settings);

  machineOption =
    s:
    mkOption {
      type = typeOf s.type;
      default = defaultOf s;
      description = s.sentence;
    };
  roleOption =
    s:
    mkOption {
      type = types.nullOr (typeOf s.type);
      default = null;
      description = "${s.sentence} Null: as for the machine.";
    };
  secretOption =
    s:
    mkOption {
      # A text, not a path: a path literal would copy the secret into the store.
      type = types.nullOr (types.strMatching "/[^@]*");
      default = null;
      description = "Path, at run time, of the file with this secret. ${s.sentence}";
    };

  changed = lib.filterAttrs (name: value: value != (defaults.${name})) cfg.settings;
  defaults = lib.listToAttrs (map (s: lib.nameValuePair (key s) (defaultOf s)) open);
  changedOf =
    role:
    lib.mapAttrs' (name: lib.nameValuePair (roleKey role name)) (
      lib.filterAttrs (_: value: value != null) cfg.${role}.settings
    );
  # JSON's numbers, texts, booleans and lists of texts are TOML's as well.
  toml = values: lib.concatStrings (lib.mapAttrsToList (name: value: "${name} = ${builtins.toJSON value}\n") values);
in
{
  options.unibos = {
    settings = optionsOf machineOption open;
    secrets = optionsOf secretOption secret;
    hub.settings = optionsOf roleOption (ofRole open);
    hub.secrets = optionsOf secretOption secret;
    node.settings = optionsOf roleOption (ofRole open);
    node.secrets = optionsOf secretOption secret;
    settingsText = mkOption {
      type = types.lines;
      readOnly = true;
      internal = true;
      description = "The settings file.";
    };
  };

  config = {
    unibos.settingsText = toml (changed // changedOf "hub" // changedOf "node");
    environment.etc."unibos/settings.toml" = lib.mkIf cfg.active { text = cfg.settingsText; };
  };
}
