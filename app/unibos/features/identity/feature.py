"""What identity declares, on a hub and on a node: they differ in the address of the login."""

from dataclasses import replace

from unibos.kernel.feature import Command, Feature, Keep
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

HUB = Feature(
    name="identity",
    title=T("People and sessions"),
    package=__name__.rpartition(".")[0],
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "api:HUB_ROUTES", "factor_api:ROUTES", "pages:ROUTES", "factor_pages:ROUTES"),
    authenticate="door:authenticator",
    settings=(
        Setting("UNIBOS_ACCESS_SECONDS", "seconds", 86400, T("How long an access token is valid.")),
        Setting("UNIBOS_REFRESH_SECONDS", "seconds", 7 * 86400, T("How long a refresh token and an idle session are valid.")),
    ),
    commands=(Command("unibos", "whoami", T("Say who this command line acts as."), "cli:whoami"),),
    keeps=(Keep("user"), Keep("throttle"), Keep("factor"), Keep("recovery_code")),
)

NODE = replace(HUB, routes=("api:ROUTES", "api:NODE_ROUTES", "factor_api:ROUTES", "pages:ROUTES", "factor_pages:ROUTES"))
