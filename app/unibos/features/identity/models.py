"""Tables of identity; private to it."""

import peewee

from unibos.features.identity.hub_models import HUB_MODELS
from unibos.features.identity.safety_models import SAFETY
from unibos.kernel.tables import Moment, Table


class User(Table):
    """A person. `kind` is hub, local or guest; the e-mail is kept lower-case. `credential_version` counts their passwords.

    No columns: `offline_session` and `stepped` say of a login that is going on that no hub confirmed it, and that it had a second step.
    """

    offline_session = False
    stepped = False

    id = peewee.CharField(36, primary_key=True)
    email = peewee.CharField(254, unique=True)
    name = peewee.CharField(120)
    password_hash = peewee.CharField(200)
    kind = peewee.CharField(12, default="local")
    language = peewee.CharField(8, default="")
    theme = peewee.CharField(8, default="")
    created_at = Moment()
    disabled_at = Moment(null=True)
    expires_at = Moment(null=True)  # a guest's end
    credential_version = peewee.IntegerField(default=1)


class Session(Table):
    """A login on one device. Secrets are kept as SHA-256 only; `previous_hash` finds a refresh token used twice.
    `ended_by` says why it was ended before its time, as a word of `sessions.WHY`."""

    id = peewee.CharField(36, primary_key=True)
    user_id = peewee.CharField(36, index=True)
    kind = peewee.CharField(12)
    secret_hash = peewee.CharField(64, unique=True)
    previous_hash = peewee.CharField(64, default="", index=True)
    address = peewee.CharField(64, default="")
    agent = peewee.CharField(200, default="")
    created_at = Moment()
    seen_at = Moment()
    expires_at = Moment()
    revoked_at = Moment(null=True)
    chosen_org = peewee.CharField(36, default="")  # the organisation it is meant for; empty: the person's first
    ended_by = peewee.CharField(16, default="")
    offline = peewee.BooleanField(default=False)  # no hub could confirm it when it began


class Throttle(Table):
    """Tries by key in the running window; in the database, so that a restart does not reset it. `level`: how many windows in a row were full."""

    key = peewee.CharField(200, primary_key=True)
    count = peewee.IntegerField()
    since = Moment()
    level = peewee.IntegerField(default=0)


class Factor(Table):
    """A person's TOTP secret, sealed by a key of this device. It counts once it is confirmed; `last_step` is the newest step that was used."""

    user_id = peewee.CharField(36, primary_key=True)
    sealed = peewee.CharField(200)
    last_step = peewee.BigIntegerField(default=0)
    created_at = Moment()
    confirmed_at = Moment(null=True)
    used_at = Moment(null=True)
    codes_at = Moment(null=True)


class RecoveryCode(Table):
    """A recovery code, as SHA-256 only; usable once."""

    code_hash = peewee.CharField(64, primary_key=True)
    user_id = peewee.CharField(36, index=True)
    used_at = Moment(null=True)


class LoginChallenge(Table):
    """A login whose password was right and that waits for its second step; kept as SHA-256, good for one login."""

    secret_hash = peewee.CharField(64, primary_key=True)
    user_id = peewee.CharField(36, index=True)
    tries = peewee.IntegerField(default=0)
    expires_at = Moment()
    used_at = Moment(null=True)
    offline = peewee.BooleanField(default=False)


MODELS = (User, Session, Throttle, Factor, RecoveryCode, LoginChallenge, *SAFETY, *HUB_MODELS)
