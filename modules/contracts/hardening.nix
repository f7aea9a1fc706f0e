# The one hardening set of all our units. A unit that needs more writes the exception down where it is declared, with its reason.
# `systemd-analyze security` must give each unit that listens or parses foreign input at most 2.0.
{
  # No file but what is named, no device, no kernel knob, no new privilege.
  base = {
    NoNewPrivileges = true;
    PrivateTmp = true;
    PrivateDevices = true;
    DevicePolicy = "closed";
    PrivateUsers = true;
    ProtectSystem = "strict";
    ProtectHome = true;
    ProtectClock = true;
    ProtectHostname = true;
    ProtectKernelTunables = true;
    ProtectKernelModules = true;
    ProtectKernelLogs = true;
    ProtectControlGroups = true;
    ProtectProc = "invisible";
    ProcSubset = "pid";
    RestrictAddressFamilies = [ "AF_UNIX" ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    RemoveIPC = true;
    KeyringMode = "private";
    CapabilityBoundingSet = "";
    AmbientCapabilities = "";
    UMask = "0077";
    SystemCallArchitectures = "native";
    SystemCallFilter = [
      "@system-service"
      "~@privileged"
      "~@resources"
    ];
    # A refused call is an error to the program, not its end: Go and Redis ask for a higher limit of open files and can do without.
    SystemCallErrorNumber = "EPERM";
    IPAddressDeny = "any";
  };

  # A process that must come back whatever happens.
  restarting = {
    Restart = "always";
    RestartSec = "2s";
  };

  # Talks on this machine only.
  loopback = {
    RestrictAddressFamilies = [
      "AF_UNIX"
      "AF_INET"
      "AF_INET6"
    ];
    IPAddressAllow = "localhost";
  };

  # Talks to other machines; which ones is the firewall's and the gate's to say.
  network = {
    RestrictAddressFamilies = [
      "AF_UNIX"
      "AF_INET"
      "AF_INET6"
    ];
    IPAddressDeny = "";
  };
}
