"""Tables of what keeps accounts safe: passkeys, one-time secrets, events, known devices; private to identity."""

import peewee

from unibos.kernel.tables import Json, Moment, Table


class Account(Table):
    """What is kept about a person's account besides who they are. `verified_email` counts while it is the person's e-mail."""

    user_id = peewee.CharField(36, primary_key=True)
    verified_email = peewee.CharField(254, default="")
    verified_at = Moment(null=True)
    mail_events = peewee.BooleanField(default=True)
    codes_at = Moment(null=True)


class Passkey(Table):
    """A WebAuthn credential (level 2, section 4), good under one host name. `public_key` is its COSE key in Base64."""

    id = peewee.CharField(36, primary_key=True)
    user_id = peewee.CharField(36, index=True)
    rp_id = peewee.CharField(255)
    credential_hash = peewee.CharField(64, unique=True)
    credential_id = peewee.CharField(1400)
    public_key = peewee.TextField()
    sign_count = peewee.BigIntegerField(default=0)
    transports = Json(default=list)
    backup_eligible = peewee.BooleanField(default=False)
    backed_up = peewee.BooleanField(default=False)
    name = peewee.CharField(60)
    created_at = Moment()
    used_at = Moment(null=True)


class Spent(Table):
    """A WebAuthn challenge that was answered once, by its hash, until it would have ended anyway."""

    nonce_hash = peewee.CharField(64, primary_key=True)
    expires_at = Moment(index=True)


class OneTime(Table):
    """A secret that is good once, as SHA-256: `purpose` is verify (an e-mail) or reset (a password)."""

    secret_hash = peewee.CharField(64, primary_key=True)
    user_id = peewee.CharField(36, index=True)
    purpose = peewee.CharField(12)
    email = peewee.CharField(254, default="")
    made_by = peewee.CharField(36, default="")
    expires_at = Moment()


class SecurityEvent(Table):
    """Something that happened to a person's account; `text` is the sentence for them."""

    id = peewee.BigAutoField()
    user_id = peewee.CharField(36)
    at = Moment()
    kind = peewee.CharField(40)
    text = Json()
    address = peewee.CharField(64, default="")
    seen_at = Moment(null=True)

    class Meta:
        indexes = ((("user_id", "id"), False),)


class KnownDevice(Table):
    """A browser in which a person has logged in, known by a random cookie that is kept as a hash bound to the person."""

    id = peewee.CharField(64, primary_key=True)
    user_id = peewee.CharField(36, index=True)
    agent = peewee.CharField(200, default="")
    address = peewee.CharField(64, default="")
    created_at = Moment()
    seen_at = Moment()


SAFETY = (Account, Passkey, Spent, OneTime, SecurityEvent, KnownDevice)
