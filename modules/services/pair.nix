# The hub pair: PostgreSQL under Patroni on both hubs, etcd on both and on the witness, HAProxy in front. The engines decide who is
# primary; this file only says what they are to be told. Timers and modes are those that lost no acknowledged row in fault runs.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.unibos;
  pair = cfg.pair;
  hardening = import ../contracts/hardening.nix;
  address = types.strMatching "[0-9a-fA-F.:]+";
  path = types.strMatching "/[^@]*";

  name = config.networking.hostName;
  quorum = pair.hubs // {
    ${pair.witness.name} = pair.witness.address;
  };
  everyone = quorum // pair.regionals;
  own = everyone.${name} or "127.0.0.1";
  url = host: port: "https://${if lib.hasInfix ":" host then "[${host}]" else host}:${toString port}";
  # The files are root's; a service gets copies of what it is named.
  credential = service: file: "/run/credentials/${service}.service/${file}";
  keys = [
    "ca.pem:${pair.tls.ca}"
    "certificate.pem:${pair.tls.certificate}"
    "key.pem:${pair.tls.key}"
  ];
  runsEtcd = quorum ? ${name};
  runsPatroni = pair.role != "witness";

  servers = port: lib.concatStrings (
    lib.mapAttrsToList (n: host: "  server ${n} ${host}:${toString port} check port 8008 check-ssl verify required ca-file /run/credentials/unibos-router.service/ca.pem crt /run/credentials/unibos-router.service/client.pem\n") pair.hubs
  );
  check = target: ''
      option httpchk
      http-check send meth OPTIONS uri /${target}
      http-check expect status 200
      default-server inter 1s fastinter 300ms downinter 500ms fall 3 rise 1 on-marked-down shutdown-sessions
  '';
  haproxy = lib.concatStrings [
    ''
      global
        maxconn 2000
        log stderr format raw local0 notice
      defaults
        mode tcp
        log global
        timeout connect 2s
        timeout check 1s
        timeout client 30m
        timeout server 30m
        retries 3
        option redispatch 1
        option tcplog
      listen database-write
        bind 127.0.0.1:5000
    ''
    (check "primary")
    (servers 5432)
    ''
      listen database-read
        bind 127.0.0.1:5001
        balance leastconn
    ''
    (check "read-only")
    (servers 5432)
    (lib.optionalString (pair.role == "witness") (
      ''
        listen hub
          bind :443
      ''
      + check "primary"
      + servers 443
    ))
  ];
in
{
  options.unibos.pair = {
    enable = lib.mkEnableOption "the hub pair";
    role = mkOption {
      type = types.enum [
        "hub"
        "regional"
        "witness"
      ];
      default = "hub";
      description = "What this machine is in the pair.";
    };
    hubs = mkOption {
      type = types.attrsOf address;
      default = { };
      example = {
        rocksteady = "192.0.2.11";
        bebop = "192.0.2.12";
      };
      description = "Host name and address of both hubs.";
    };
    primary = mkOption {
      type = types.str;
      default = lib.head (builtins.attrNames pair.hubs);
      defaultText = "the first of both names";
      description = "The hub that is the queue's master when the pair is new; afterwards Sentinel decides.";
    };
    witness = {
      name = mkOption {
        type = types.str;
        default = "witness";
        description = "Host name of the witness.";
      };
      address = mkOption {
        type = address;
        description = "Address of the witness.";
      };
    };
    regionals = mkOption {
      type = types.attrsOf address;
      default = { };
      description = "Host name and address of the regional hubs: read replicas that never become primary.";
    };
    workers = mkOption {
      type = types.attrsOf address;
      default = { };
      description = "Host name and address of the machines that only work: they reach the database and the queue.";
    };
    tls = {
      ca = mkOption {
        type = path;
        default = "/var/lib/unibos-pair/ca.pem";
        description = "Path, at run time, of the pair's CA.";
      };
      certificate = mkOption {
        type = path;
        default = "/var/lib/unibos-pair/certificate.pem";
        description = "Path, at run time, of this machine's certificate, for its name and address.";
      };
      key = mkOption {
        type = path;
        default = "/var/lib/unibos-pair/key.pem";
        description = "Path, at run time, of the certificate's key.";
      };
      both = mkOption {
        type = path;
        default = "/var/lib/unibos-pair/both.pem";
        description = "Path, at run time, of certificate and key in one file, as HAProxy reads them.";
      };
    };
    passwords = mkOption {
      type = types.attrsOf path;
      default = lib.genAttrs [ "superuser" "replication" "rewind" "queue" ] (n: "/var/lib/unibos-pair/${n}-password");
      description = "Paths, at run time, of the files with the passwords of the database's and the queue's own accounts.";
    };
  };

  config = lib.mkIf pair.enable (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = builtins.length (builtins.attrNames pair.hubs) == 2;
            message = "unibos.pair.hubs names ${toString (builtins.length (builtins.attrNames pair.hubs))} hubs; a pair has two, and the witness is the third voice.";
          }
          {
            assertion = !(pair.hubs ? ${pair.witness.name});
            message = "unibos.pair.witness is one of the hubs: with two voices the loss of either stops both. Name a third machine.";
          }
          {
            assertion = pair.hubs ? ${pair.primary};
            message = "unibos.pair.primary is `${pair.primary}', which is none of both hubs.";
          }
          {
            assertion = everyone ? ${name};
            message = "networking.hostName is `${name}', which unibos.pair does not know.";
          }
        ];
        unibos.peers = builtins.attrValues (removeAttrs everyone [ name ] // pair.workers);
      }

      (lib.mkIf runsEtcd {
        services.etcd = {
          enable = true;
          inherit name;
          listenClientUrls = [ (url own 2379) (url "127.0.0.1" 2379) ];
          advertiseClientUrls = [ (url own 2379) ];
          listenPeerUrls = [ (url own 2380) ];
          initialAdvertisePeerUrls = [ (url own 2380) ];
          initialCluster = lib.mapAttrsToList (n: host: "${n}=${url host 2380}") quorum;
          initialClusterState = "new";
          initialClusterToken = "unibos";
          certFile = credential "etcd" "certificate.pem";
          keyFile = credential "etcd" "key.pem";
          trustedCaFile = credential "etcd" "ca.pem";
          clientCertAuth = true;
          peerCertFile = credential "etcd" "certificate.pem";
          peerKeyFile = credential "etcd" "key.pem";
          peerTrustedCaFile = credential "etcd" "ca.pem";
          peerClientCertAuth = true;
          openFirewall = false;
          extraConf = {
            AUTO_COMPACTION_RETENTION = "1";
            QUOTA_BACKEND_BYTES = "268435456";
          };
        };
        # Two of three members must never restart together: an operator, or the rolling update, does it one by one.
        systemd.services.etcd = {
          restartIfChanged = false;
          startLimitIntervalSec = 0;
          serviceConfig = {
            LoadCredential = keys;
            # It binds an address that the network may only just be getting.
            RestartSec = lib.mkForce "2s";
          };
        };
        unibos.served = [
          {
            port = 2379;
            to = "peers";
            why = "quorum, clients";
          }
          {
            port = 2380;
            to = "peers";
            why = "quorum, members";
          }
        ];
      })

      (lib.mkIf runsPatroni {
        services.patroni = {
          enable = true;
          scope = "unibos";
          inherit name;
          nodeIp = own;
          otherNodesIps = builtins.attrValues (removeAttrs (pair.hubs // pair.regionals) [ name ]);
          postgresqlPackage = pkgs.postgresql_17;
          # Patroni fences a database whose keeper has died; systemd leaves the device to it.
          softwareWatchdog = pair.role == "hub";
          environmentFiles = {
            PATRONI_SUPERUSER_PASSWORD = credential "patroni" "superuser";
            PATRONI_REPLICATION_PASSWORD = credential "patroni" "replication";
            PATRONI_REWIND_PASSWORD = credential "patroni" "rewind";
          };
          settings = {
            etcd3 = {
              hosts = map (host: "${host}:2379") (builtins.attrValues quorum);
              protocol = "https";
              cacert = credential "patroni" "ca.pem";
              cert = credential "patroni" "certificate.pem";
              key = credential "patroni" "key.pem";
            };
            restapi = {
              # On this machine too; the firewall lets the peers in.
              listen = lib.mkForce "0.0.0.0:8008";
              certfile = credential "patroni" "certificate.pem";
              keyfile = credential "patroni" "key.pem";
              cafile = credential "patroni" "ca.pem";
              # The REST API can switch the cluster: a certificate of the pair is required for that.
              verify_client = "optional";
            };
            ctl = {
              cacert = pair.tls.ca;
              certfile = pair.tls.certificate;
              keyfile = pair.tls.key;
            };
            bootstrap = {
              dcs = {
                ttl = 20;
                loop_wait = 5;
                retry_timeout = 5;
                maximum_lag_on_failover = 1048576;
                # No acknowledged write is lost; when the standby is away, writes go on alone.
                synchronous_mode = true;
                synchronous_mode_strict = false;
                failsafe_mode = true;
              };
              initdb = [
                { encoding = "UTF8"; }
                "data-checksums"
              ];
            };
            postgresql = {
              use_pg_rewind = true;
              use_slots = true;
              authentication = {
                superuser.username = "postgres";
                replication.username = "replicator";
                rewind.username = "rewinder";
              };
              parameters = {
                unix_socket_directories = "/run/patroni";
                wal_sender_timeout = "5s";
                wal_log_hints = "on";
                ssl = "on";
                ssl_cert_file = credential "patroni" "certificate.pem";
                ssl_key_file = credential "patroni" "key.pem";
                ssl_ca_file = credential "patroni" "ca.pem";
                password_encryption = "scram-sha-256";
              };
              pg_hba = [
                "local all all peer"
                "hostssl all all 127.0.0.1/32 scram-sha-256"
              ]
              ++ lib.concatMap (host: [
                "hostssl replication replicator ${host}/${if lib.hasInfix ":" host then "128" else "32"} scram-sha-256"
                "hostssl all all ${host}/${if lib.hasInfix ":" host then "128" else "32"} scram-sha-256"
              ]) (builtins.attrValues (pair.hubs // pair.regionals))
              ++ map (host: "hostssl all all ${host}/${if lib.hasInfix ":" host then "128" else "32"} scram-sha-256") (
                builtins.attrValues pair.workers
              );
            };
            watchdog = {
              safety_margin = 5;
            }
            // lib.optionalAttrs (pair.role != "hub") { mode = "off"; };
            tags = lib.optionalAttrs (pair.role == "regional") {
              nofailover = true;
              nosync = true;
            };
          };
        };
        systemd.services.patroni = {
          wants = [ "etcd.service" ];
          after = [ "etcd.service" ];
          startLimitIntervalSec = 0;
          serviceConfig = {
            Restart = lib.mkForce "always";
            RestartSec = "2s";
            RuntimeDirectory = "patroni";
            LoadCredential =
              keys
              ++ map (account: "${account}:${pair.passwords.${account}}") [
                "superuser"
                "replication"
                "rewind"
              ];
          };
        };
        # The database's address has a password: it comes as a file, and it points at the router below.
        unibos.hub.secrets.unibos_database_url = lib.mkDefault "/var/lib/unibos-pair/database-url";
        unibos.hub.secrets.unibos_redis_url = lib.mkDefault "/var/lib/unibos-pair/queue-url";
        unibos.hub.migrate = lib.mkIf (pair.role != "hub" || cfg.settings.hub_role != "primary") false;
        unibos.settings.ha_peer = lib.mkIf (pair.role == "hub") (lib.head (builtins.attrNames (removeAttrs pair.hubs [ name ])));
        unibos.served = [
          {
            port = 5432;
            to = "peers";
            why = "database";
          }
          {
            port = 8008;
            to = "peers";
            why = "Patroni health and control";
          }
        ];
      })

      {
        users.users.unibos-router = {
          isSystemUser = true;
          group = "unibos-router";
          description = "UNIBOS router";
        };
        users.groups.unibos-router = { };
        environment.etc."unibos/haproxy.cfg".text = haproxy;
        systemd.services.unibos-router = {
          description = "UNIBOS router to the primary";
          wantedBy = [ "multi-user.target" ];
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          startLimitIntervalSec = 0;
          restartTriggers = [ haproxy ];
          serviceConfig =
            hardening.base
            // hardening.restarting
            // hardening.network
            // {
              Type = "notify";
              ExecStart = "${pkgs.haproxy}/bin/haproxy -Ws -f /etc/unibos/haproxy.cfg";
              KillMode = "mixed";
              User = "unibos-router";
              Group = "unibos-router";
              LoadCredential = [
                "client.pem:${pair.tls.both}"
                "ca.pem:${pair.tls.ca}"
              ];
              MemoryMax = "128M";
            }
            // lib.optionalAttrs (pair.role == "witness") {
              # The hub's public port. A user namespace would make the capability worthless.
              CapabilityBoundingSet = "CAP_NET_BIND_SERVICE";
              AmbientCapabilities = "CAP_NET_BIND_SERVICE";
              PrivateUsers = false;
            };
        };
      }
    ]
  );
}
