"""What orgs declares: a hub takes new people by its registration, a node by its admins and their invitations."""

from dataclasses import replace

from unibos.kernel.feature import Command, Every, Export, Feature, Keep, Nav
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

NODE = Feature(
    name="orgs",
    title=T("Organisations"),
    package=__name__.rpartition(".")[0],
    needs=("identity",),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "people_api:ROUTES", "people_api:NODE_ROUTES", "pages:ROUTES", "people_pages:ROUTES", "own_pages:ROUTES"),
    every=(Every("orgs.tidy", 60, "organisations:tidy"),),
    nav=(Nav("people", "/people/", T("People"), "p", "◍", 70), Nav("organisation", "/organisation/", T("Organisation"), "r", "▦", 75)),
    search="people_pages:find",
    access=("limits:access",),
    settings=(Setting("UNIBOS_REGISTRATION", "choice:closed|invitation|open", "closed",
                      T("Who makes an organisation on a hub: only who runs it, people with an account, or everybody.")),),
    guards=("pages:guard",),
    claims=("service:claims",),
    home="service:home",
    commands=(Command("unibos", "claim-code", T("Show the code that claims this device."), "cli:claim_code"),
              Command("unibos-hub", "claim-code", T("Show the code that claims this hub."), "cli:claim_code"),
              Command("unibos", "users", T("List, invite and remove people; roles; guests."), "people_cli:users"),
              Command("unibos-hub", "users", T("List, invite and remove people; roles; guests."), "people_cli:users"),
              Command("unibos-hub", "orgs", T("List, make and change organisations; hand one over."), "people_cli:orgs")),
    exports=(Export("organisation", T("The organisation's name and members.")),),
    keeps=(Keep("organisation"), Keep("member"), Keep("invitation")),
    replicates={"organisation": "HUB_WINS"},
)

HUB = replace(NODE, routes=("api:ROUTES", "api:HUB_ROUTES", "people_api:ROUTES", "people_api:HUB_ROUTES", "pages:ROUTES", "people_pages:ROUTES",
                            "own_pages:ROUTES", "own_pages:HUB_ROUTES"))
