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
    needs=("identity", "orgs", "export"),
    service="authority:build",
    models="models:AUTHORITY",
    migrations=True,
    routes=("authority_api:ROUTES", "pages:ROUTES", "machine:ROUTES"),
    loops="agent:callback_loops",
    reaches=("reach:check",),
    every=(Every("registry.sample", 10, "agent:sample"),),
    nav=(Nav("nodes", "/nodes/", T("Nodes"), "n", "◈", 20),),
    cards=("cards:load", "cards:nodes"),
    search="pages:find",
    settings=_SETTINGS,
    exports=(Export("callback", T("A question to a node whether it can be reached; it carries nothing of anybody."), "allow",
                    T("It carries nothing of anybody.")),),
    commands=(Command("unibos-hub", "nodes", T("List nodes and make enrolment tokens."), "cli:nodes"),
              Command("unibos-hub", "status", T("Say how this hub is."), "cli:status")),
    keeps=(Keep("node"),),
)

MEMBER = Feature(
    name="registry",
    title=T("This node"),
    package=_PACKAGE,
    needs=("identity", "orgs", "export", "link"),
    service="member:build",
    routes=("member_api:ROUTES", "machine:ROUTES"),
    loops="agent:member_loops",
    every=(Every("registry.sample", 10, "agent:sample"),),
    cards=("cards:load",),
    settings=_SETTINGS,
    exports=(Export("enrol", T("This node's public key, name and equipment, when it joins a hub.")),
             Export("heartbeat", T("This node's load, version and address, once a minute."))),
    commands=(Command("unibos", "join", T("Join a hub with an enrolment token."), "cli:join"),
              Command("unibos", "status", T("Say how this node is."), "cli:status")),
)
