"""What registry declares, on a hub and on a node."""

from unibos.kernel.feature import Command, Every, Export, Feature, Keep, Nav
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

_SETTINGS = (
    Setting("UNIBOS_HEARTBEAT_SECONDS", "seconds", 60, T("How often a node reports to its hub.")),
    Setting("UNIBOS_SILENT_SECONDS", "seconds", 300, T("After how long without a heartbeat a node counts as offline.")),
    Setting("UNIBOS_CALLBACK_SECONDS", "seconds", 60, T("How often a hub calls its nodes back.")),
    Setting("UNIBOS_SAMPLE_SECONDS", "seconds", 10, T("How often this machine's own load is measured.")),
)
_PACKAGE = __name__.rpartition(".")[0]

AUTHORITY = Feature(
    name="registry",
    title=T("Nodes"),
    package=_PACKAGE,
    needs=("identity", "orgs", "export", "jobs"),
    service="authority:build",
    models="models:AUTHORITY",
    migrations=True,
    routes=("authority_api:ROUTES", "fleet_api:ROUTES", "pages:ROUTES", "machine:ROUTES"),
    loops="agent:authority_loops",
    every=(Every("registry.sample", 10, "agent:sample"), Every("registry.hub", 15, "agent:beat")),
    guards=("guard:guard",),
    reaches=("reach:check",),
    nav=(Nav("nodes", "/nodes/", T("Nodes"), "n", "◈", 20),),
    cards=("cards:load", "cards:nodes", "cards:alerts"),
    search="pages:find",
    counts="authority:counts",
    settings=_SETTINGS,
    exports=(Export("callback", T("A question to a node whether it can be reached; it carries nothing of anybody."), "allow",
                    T("It carries nothing of anybody.")),),
    commands=(Command("unibos-hub", "nodes", T("Look after nodes: who is there, who asks to join, trust, maintenance, revocation."), "cli:nodes"),
              Command("unibos-hub", "status", T("Say how this hub is."), "cli:status"),
              Command("unibos-manager", "nodes", T("Look after nodes: who is there, who asks to join, trust, maintenance, revocation."), "cli:nodes"),
              Command("unibos-manager", "hubs", T("List the hubs that work on this database."), "cli:hubs"),
              Command("unibos-manager", "workers", T("List who does the work."), "cli:workers"),
              Command("unibos-manager", "status", T("Say how this hub and its nodes are; the exit code is 0 while all is well."), "cli:fleet_status")),
    keeps=(Keep("node"), Keep("application"), Keep("alert"), Keep("revocation_mark")),
)

MEMBER = Feature(
    name="registry",
    title=T("This node"),
    package=_PACKAGE,
    needs=("identity", "orgs", "export", "link"),
    service="member:build",
    routes=("member_api:ROUTES", "member_pages:ROUTES", "machine:ROUTES"),
    loops="agent:member_loops",
    every=(Every("registry.sample", 10, "agent:sample"),),
    cards=("cards:load",),
    settings=(*_SETTINGS, Setting("UNIBOS_MACHINE_TYPE", "choice:auto|standard|edge|desktop", "auto",
                                  T("What kind of node this machine is; auto: edge below 0.75 GB of memory, else standard."))),
    nav=(Nav("hub", "/hub/", T("Hub"), "u", "◈", 70),),
    exports=(Export("enrol", T("This node's public key, name and equipment, when it joins a hub.")),
             Export("heartbeat", T("This node's load, version and address, once a minute."))),
    commands=(Command("unibos", "join", T("Join a hub with an enrolment token, or ask to be let in."), "cli:join"),
              Command("unibos", "status", T("Say how this node is."), "cli:status")),
)
