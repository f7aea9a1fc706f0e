# HTTPS on the LAN: Caddy with the machine's own certificate in front of the panels. A hub with a public name gets its certificate by ACME.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  proxy = cfg.proxy;
  hardening = import ../contracts/hardening.nix;
  port = role: toString (if cfg.${role}.settings.unibos_port != null then cfg.${role}.settings.unibos_port else { hub = 8000; node = 8001; }.${role});
  to = role: "reverse_proxy 127.0.0.1:${port role}";
  # The largest upload and its form round it; the programs refuse what is over their own limit.
  limit = "${toString (cfg.settings.unibos_upload_mb + 1)}MB";
  main = if cfg.node.enable then "node" else "hub";
  both = cfg.hub.enable && cfg.node.enable;
  indent = text: "  ${lib.replaceStrings [ "\n" ] [ "\n  " ] (lib.removeSuffix "\n" text)}\n";
  certificate = "tls {$CREDENTIALS_DIRECTORY}/leaf.pem {$CREDENTIALS_DIRECTORY}/leaf-key.pem";
  common = ''
    request_body {
      max_size ${limit}
    }
    header {
      Strict-Transport-Security "max-age=31536000"
      -Server
    }
  '';
  # The CA's certificate is public: a device fetches it here, and a person compares its fingerprint with the screen's.
  authority = ''
    handle /unibos-ca.pem {
      header Content-Type application/x-x509-ca-cert
      root * {$CREDENTIALS_DIRECTORY}
      rewrite * /ca.pem
      file_server
    }
  '';
  caddyfile = lib.concatStrings [
    ''
      {
        admin off
        auto_https ${if proxy.publicName == null then "off" else "disable_redirects"}${lib.optionalString (proxy.email != null) "\n  email ${proxy.email}"}
        servers {
          timeouts {
            read_header 10s
            idle 2m
          }
          max_header_size 16KB
          protocols h1 h2
        }
      }

      http:// {
    ''
    (indent authority)
    ''
        handle {
          redir https://{host}{uri} 308
        }
      }

      https:// {
        ${certificate}
    ''
    (indent (common + authority))
    (lib.optionalString both (indent ''
      @hub header_regexp Host ^hub-
      handle @hub {
        ${to "hub"}
      }
    ''))
    ''
        handle {
          ${to main}
        }
      }
    ''
    (lib.optionalString (proxy.publicName != null) ''

      https://${proxy.publicName} {
      ${indent common}  ${to "hub"}
      }
    '')
  ];
in
{
  options.unibos.proxy = {
    enable = mkOption {
      type = types.bool;
      default = cfg.hub.enable || cfg.node.enable;
      defaultText = "on hubs and nodes";
      description = "Serve the panel over HTTPS on port 443.";
    };
    publicName = mkOption {
      type = types.nullOr (types.strMatching "[a-z0-9-]+(\\.[a-z0-9-]+)+");
      default = null;
      description = "The public DNS name of this hub; its certificate is fetched by ACME. Null: only the machine's own certificate.";
    };
    email = mkOption {
      type = types.nullOr (types.strMatching "[^@[:space:]]+@[^@[:space:]]+");
      default = null;
      description = "Where the public certificate authority writes to.";
    };
  };

  config = lib.mkIf (cfg.active && proxy.enable) {
    assertions = [
      {
        assertion = proxy.publicName == null || cfg.hub.enable;
        message = "unibos.proxy.publicName is for hubs: a node is not reached from the internet.";
      }
    ];
    unibos.served = [
      {
        port = 443;
        why = "panel and API over HTTPS";
      }
      {
        port = 80;
        why = "redirects to HTTPS and gives out the CA certificate";
      }
    ];
    unibos.settings.unibos_allowed_hosts = lib.optional (proxy.publicName != null) proxy.publicName
      ++ builtins.filter (name: !(lib.hasInfix "{" name)) cfg.certificate.names;
    unibos.certificate.names = lib.optional both "hub-{host}.local";

    users.users.unibos-proxy = {
      isSystemUser = true;
      group = "unibos-proxy";
      description = "UNIBOS HTTPS";
    };
    users.groups.unibos-proxy = { };
    environment.etc."unibos/Caddyfile".text = caddyfile;
    systemd.services.unibos-proxy = {
      description = "UNIBOS HTTPS";
      wantedBy = [ "multi-user.target" ];
      wants = [ "unibos-certificate.service" ];
      after = [ "unibos-certificate.service" ];
      startLimitIntervalSec = 0;
      restartTriggers = [ caddyfile ];
      environment = {
        XDG_DATA_HOME = "/var/lib/unibos-proxy";
        XDG_CONFIG_HOME = "/var/lib/unibos-proxy";
        # Go gives memory back before the limit is met.
        GOMEMLIMIT = "96MiB";
      };
      serviceConfig =
        hardening.base
        // hardening.restarting
        // hardening.network
        // {
          Type = "notify";
          ExecStart = "${pkgs.caddy}/bin/caddy run --config /etc/unibos/Caddyfile --adapter caddyfile";
          User = "unibos-proxy";
          Group = "unibos-proxy";
          StateDirectory = "unibos-proxy";
          StateDirectoryMode = "0700";
          LoadCredential = [
            "leaf.pem:/var/lib/unibos-tls/leaf.pem"
            "leaf-key.pem:/var/lib/unibos-tls/leaf-key.pem"
            "ca.pem:/var/lib/unibos-tls/ca.pem"
          ];
          # Ports 80 and 443, and nothing else that root may do. A user namespace would make the capability worthless.
          CapabilityBoundingSet = "CAP_NET_BIND_SERVICE";
          AmbientCapabilities = "CAP_NET_BIND_SERVICE";
          PrivateUsers = false;
          SocketBindDeny = "any";
          SocketBindAllow = [
            "tcp:80"
            "tcp:443"
          ];
          MemoryMax = "128M";
        };
    };
  };
}
