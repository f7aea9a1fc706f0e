"""What the web shell itself declares: its files, the live socket, search and the appearance switch."""

from unibos.kernel.feature import Feature
from unibos.kernel.words import T

FEATURE = Feature(name="panel", title=T("Control panel"), package=__name__.rpartition(".")[0], service="live:build",
                  routes=("pages:ROUTES",))
