"""What identity declares, on a hub and on a node: they differ in the address of the login."""

from dataclasses import replace

from unibos.kernel.feature import Command, Every, Export, Feature, JobType, Keep
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

_BOTH = ("factor_api:ROUTES", "passkey_api:ROUTES", "password_api:ROUTES", "event_api:ROUTES", "pages:ROUTES", "factor_pages:ROUTES",
         "password_pages:ROUTES", "account_pages:ROUTES")

_KEPT = (Keep("user"), Keep("throttle"), Keep("factor"), Keep("recovery_code"), Keep("account"), Keep("passkey"), Keep("security_event"), Keep("known_device"))

HUB = Feature(
    name="identity",
    title=T("People and sessions"),
    package=__name__.rpartition(".")[0],
    needs=("export",),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "api:HUB_ROUTES", "passkey_api:HUB_ROUTES", *_BOTH, "hub_api:ROUTES", "link_api:HUB_ROUTES"),
    authenticate="door:authenticator",
    settings=(
        Setting("UNIBOS_ACCESS_SECONDS", "seconds", 86400, T("How long an access token is valid.")),
        Setting("UNIBOS_REFRESH_SECONDS", "seconds", 7 * 86400, T("How long a refresh token and an idle session are valid.")),
        Setting("UNIBOS_SESSION_SECONDS", "seconds", 60 * 86400, T("How long a session lasts at most, however much it is used.")),
    ),
    jobs=(JobType("identity.mail", "agent", "tasks:mail", T("Send a mail"), timeout=60, attempts=10),
          JobType("identity.forgot", "agent", "tasks:forgot", T("Send a mail"), timeout=60, attempts=10)),
    every=(Every("identity.tidy", 3600, "agent:tidy"), Every("identity.keys", 3600, "hub_contact:turn_keys")),
    status="bell:status",
    exports=(Export("mail", T("Mail to the people of this box about their own accounts, by the mail server that was set up."), "allow",
                    T("The owner named a mail server for it.")),),
    commands=(Command("unibos", "whoami", T("Say who this command line acts as."), "cli:whoami"),
              Command("unibos-hub", "keys", T("List and turn the keys that sign tokens."), "keys_cli:keys")),
    keeps=(*_KEPT, Keep("signing_key"), Keep("linked_account")),
)

NODE = replace(
    HUB,
    needs=("export", "link"),
    service="node_service:build",
    routes=("api:ROUTES", "api:NODE_ROUTES", "passkey_api:NODE_ROUTES", *_BOTH, "link_api:NODE_ROUTES", "hub_account_pages:ROUTES"),
    claims=("node_service:claims",),
    status=("bell:status", "node_service:status"),
    loops="hub_contact:loops",
    every=(Every("identity.tidy", 3600, "agent:tidy"),),
    settings=(*HUB.settings, Setting("UNIBOS_CONTACT_SECONDS", "seconds", 60, T("How often a node asks its hub whether its people's rights still hold."))),
    exports=(*HUB.exports, Export("login", T("E-mail and password of who logs in here with an account of the hub, to that hub.")),
             Export("people", T("Which people of the hub this node knows, without anything else of them.")),
             Export("link", T("The number and e-mail of a local account that its person links with one of the hub."))),
    keeps=(*_KEPT, Keep("hub_keys"), Keep("hub_person"), Keep("local_grant"), Keep("account_link")),
)
