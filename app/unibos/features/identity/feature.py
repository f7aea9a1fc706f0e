"""What identity declares, on a hub and on a node: they differ in the address of the login."""

from dataclasses import replace

from unibos.kernel.feature import Command, Every, Export, Feature, JobType, Keep
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

_BOTH = ("factor_api:ROUTES", "passkey_api:ROUTES", "password_api:ROUTES", "event_api:ROUTES", "pages:ROUTES", "factor_pages:ROUTES",
         "password_pages:ROUTES", "account_pages:ROUTES")

HUB = Feature(
    name="identity",
    title=T("People and sessions"),
    package=__name__.rpartition(".")[0],
    needs=("export",),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "api:HUB_ROUTES", "passkey_api:HUB_ROUTES", *_BOTH),
    authenticate="door:authenticator",
    settings=(
        Setting("UNIBOS_ACCESS_SECONDS", "seconds", 86400, T("How long an access token is valid.")),
        Setting("UNIBOS_REFRESH_SECONDS", "seconds", 7 * 86400, T("How long a refresh token and an idle session are valid.")),
        Setting("UNIBOS_SESSION_SECONDS", "seconds", 60 * 86400, T("How long a session lasts at most, however much it is used.")),
    ),
    jobs=(JobType("identity.mail", "agent", "tasks:mail", T("Send a mail"), timeout=60, attempts=10),
          JobType("identity.forgot", "agent", "tasks:forgot", T("Send a mail"), timeout=60, attempts=10)),
    every=(Every("identity.tidy", 3600, "agent:tidy"),),
    status="bell:status",
    exports=(Export("mail", T("Mail to the people of this box about their own accounts, by the mail server that was set up."), "allow",
                    T("The owner named a mail server for it.")),),
    commands=(Command("unibos", "whoami", T("Say who this command line acts as."), "cli:whoami"),),
    keeps=(Keep("user"), Keep("throttle"), Keep("factor"), Keep("recovery_code"), Keep("account"), Keep("passkey"),
           Keep("security_event"), Keep("known_device")),
)

NODE = replace(HUB, routes=("api:ROUTES", "api:NODE_ROUTES", "passkey_api:NODE_ROUTES", *_BOTH))
