"""What identity declares, on a hub and on a node: they differ in the address of the login."""

from dataclasses import replace

from unibos.kernel.feature import Command, Every, Export, Feature, Keep
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

HUB = Feature(
    name="identity",
    title=T("People and sessions"),
    package=__name__.rpartition(".")[0],
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "api:HUB_ROUTES", "factor_api:ROUTES", "pages:ROUTES", "factor_pages:ROUTES", "hub_api:ROUTES", "link_api:HUB_ROUTES"),
    every=(Every("identity.keys", 3600, "hub_contact:turn_keys"),),
    authenticate="door:authenticator",
    settings=(
        Setting("UNIBOS_ACCESS_SECONDS", "seconds", 86400, T("How long an access token is valid.")),
        Setting("UNIBOS_REFRESH_SECONDS", "seconds", 7 * 86400, T("How long a refresh token and an idle session are valid.")),
    ),
    commands=(Command("unibos", "whoami", T("Say who this command line acts as."), "cli:whoami"),
              Command("unibos-hub", "keys", T("List and turn the keys that sign tokens."), "keys_cli:keys")),
    keeps=(Keep("user"), Keep("throttle"), Keep("factor"), Keep("recovery_code"), Keep("signing_key"), Keep("linked_account")),
)

NODE = replace(
    HUB,
    needs=("link",),
    service="node_service:build",
    routes=("api:ROUTES", "api:NODE_ROUTES", "factor_api:ROUTES", "pages:ROUTES", "factor_pages:ROUTES", "link_api:NODE_ROUTES", "account_pages:ROUTES"),
    claims=("node_service:claims",),
    status="node_service:status",
    loops="hub_contact:loops",
    every=(),
    settings=(*HUB.settings, Setting("UNIBOS_CONTACT_SECONDS", "seconds", 60, T("How often a node asks its hub whether its people's rights still hold."))),
    exports=(Export("login", T("E-mail and password of who logs in here with an account of the hub, to that hub.")),
             Export("people", T("Which people of the hub this node knows, without anything else of them.")),
             Export("link", T("The number and e-mail of a local account that its person links with one of the hub."))),
    keeps=(Keep("user"), Keep("throttle"), Keep("factor"), Keep("recovery_code"), Keep("hub_keys"), Keep("hub_person"), Keep("local_grant"),
           Keep("account_link")),
)
