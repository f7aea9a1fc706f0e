"""Tables of jobs; private to it (the jobs themselves belong to the kernel)."""

import peewee

from unibos.kernel.tables import Json, Moment, Table


class Worker(Table):
    """A worker process that has said it is there."""

    name = peewee.CharField(120, primary_key=True)
    queue = peewee.CharField(64)
    pid = peewee.IntegerField()
    version = peewee.CharField(32)
    capabilities = Json(default=dict)
    started_at = Moment()
    seen_at = Moment()
    job_id = peewee.CharField(36, default="")


MODELS = (Worker,)
