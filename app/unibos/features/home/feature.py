"""What home declares."""

from unibos.kernel.feature import Command, Feature, Nav
from unibos.kernel.words import T

FEATURE = Feature(
    name="home",
    title=T("Home"),
    package=__name__.rpartition(".")[0],
    needs=("identity", "orgs", "jobs"),
    service="service:build",
    routes=("api:ROUTES", "pages:ROUTES"),
    nav=(Nav("home", "/", T("Home"), "h", "⌂", 0, "guest"), Nav("settings", "/settings/", T("Settings"), "s", "≡", 90, "guest"),
         Nav("about", "/about/", T("About"), "a", "?", 99, "guest")),
    health="service:health",
    status="service:status",
    commands=(Command("unibos", "modules", T("List the modules of this node."), "cli:modules"),),
)
