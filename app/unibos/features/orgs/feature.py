"""What orgs declares."""

from unibos.kernel.feature import Command, Export, Feature, Keep
from unibos.kernel.words import T

FEATURE = Feature(
    name="orgs",
    title=T("Organisations"),
    package=__name__.rpartition(".")[0],
    needs=("identity",),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "pages:ROUTES"),
    guards=("pages:guard",),
    claims=("service:claims",),
    home="service:home",
    commands=(Command("unibos", "claim-code", T("Show the code that claims this device."), "cli:claim_code"),
              Command("unibos-hub", "claim-code", T("Show the code that claims this hub."), "cli:claim_code")),
    exports=(Export("organisation", T("The organisation's name and members.")),),
    keeps=(Keep("organisation"), Keep("member")),
    replicates={"organisation": "HUB_WINS"},
)
