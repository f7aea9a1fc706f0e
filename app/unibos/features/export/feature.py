"""What export declares."""

from unibos.kernel.feature import Command, Feature, Keep
from unibos.kernel.words import T

FEATURE = Feature(
    name="export",
    title=T("Export control"),
    package=__name__.rpartition(".")[0],
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES",),
    commands=(Command("unibos", "export", T("Show and change what may leave this device."), "cli:export"),),
    keeps=(Keep("export_rule"), Keep("export_log")),
)
