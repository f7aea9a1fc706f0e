"""What link declares."""

from unibos.kernel.feature import Feature, Keep
from unibos.kernel.settings import Setting
from unibos.kernel.words import T

FEATURE = Feature(
    name="link",
    title=T("Hubs of this node"),
    package=__name__.rpartition(".")[0],
    needs=("export",),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    settings=(
        Setting("UNIBOS_HUBS", "list", "", T("Addresses of hubs to join, the first is the one written to.")),
        Setting("UNIBOS_OFFLINE_MODE", "choice:auto|true|forced", "auto", T("forced: never call a hub; auto: call when one answers.")),
    ),
    status="service:status",
    keeps=(Keep("hub"), Keep("wish")),
)
