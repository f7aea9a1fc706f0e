"""What jobs declares."""

from unibos.kernel.feature import Command, Every, Feature, JobType, Keep, Nav
from unibos.kernel.words import T

FEATURE = Feature(
    name="jobs",
    title=T("Jobs and workers"),
    package=__name__.rpartition(".")[0],
    needs=("identity",),
    service="service:build",
    models="models:MODELS",
    migrations=True,
    routes=("api:ROUTES", "pages:ROUTES"),
    loops="agent:loops",
    jobs=(JobType("core.health_check", "default", "tasks:health_check", T("Check that workers answer"), timeout=60),
          JobType("core.cleanup", "default", "tasks:cleanup", T("Tidy up"), timeout=600)),
    every=(Every("jobs.cleanup", 3600, "agent:cleanup"),),
    nav=(Nav("jobs", "/jobs/", T("Jobs"), "j", "⚙", 60),),
    cards=("cards:card",),
    health="service:health",
    commands=(Command("unibos", "jobs", T("List, cancel and repeat jobs."), "cli:jobs"),),
    keeps=(Keep("job"),),
)
