"""Tables between hubs and nodes; private to identity. On a hub: its signing keys, and accounts of nodes that were linked. On a node: the rest."""

import peewee

from unibos.kernel.tables import Json, Moment, Table


class SigningKey(Table):
    """A signing key of this hub, its seed sealed by `keys/ring`. It signs from `starts_at` until the next one's moment."""

    number = peewee.IntegerField(primary_key=True)
    kid = peewee.CharField(16, unique=True)
    public = peewee.CharField(64)
    sealed = peewee.CharField(200)
    issuer = peewee.CharField(120)
    made_at = Moment()
    starts_at = Moment()


class HubKeys(Table):
    """A hub's published keys as this node fetched them last. `node_id` is this node's id there, for which the hub's tokens must be made."""

    issuer = peewee.CharField(200, primary_key=True)
    node_id = peewee.CharField(36)
    jwks = Json()
    fetched_at = Moment()


class HubPerson(Table):
    """A person of a hub on this node; `id` is that of their row in `user` and of the account on the hub.

    `verifier` is an argon2id hash made here of the password that the hub took; `confirmed_at` when the hub last said that all this holds.
    """

    id = peewee.CharField(36, primary_key=True)
    issuer = peewee.CharField(200)
    email = peewee.CharField(254, index=True)
    version = peewee.IntegerField()
    role = peewee.CharField(12)
    factor = peewee.BooleanField(default=False)
    org = Json(default=dict)
    permissions = Json(default=dict)
    fingerprint = peewee.CharField(32, default="")
    verifier = peewee.CharField(200, default="")
    confirmed_at = Moment()
    revoked_at = Moment(null=True)


class LocalGrant(Table):
    """What the owner of this node lets a person of a hub do here while the hub's word is too old."""

    person_id = peewee.CharField(36, primary_key=True)
    role = peewee.CharField(12)
    granted_by = peewee.CharField(36)
    granted_at = Moment()


class HubLogin(Table):
    """A login at a hub whose password was right and that waits for the hub's second step; the challenge is kept as SHA-256."""

    secret_hash = peewee.CharField(64, primary_key=True)
    hub_url = peewee.CharField(300)
    verifier = peewee.CharField(200)
    expires_at = Moment()


class ClockSeen(Table):
    """The latest time that this node's clock has shown (one row), so that setting it back lengthens nothing."""

    id = peewee.IntegerField(primary_key=True)
    at = Moment()


class AccountLink(Table):
    """On a node: a local account that is the same person as a hub's. `older` says what older data goes to the hub: none, all or since."""

    local_id = peewee.CharField(36, primary_key=True)
    hub_id = peewee.CharField(36, index=True)
    issuer = peewee.CharField(200)
    older = peewee.CharField(8, default="none")
    since = Moment(null=True)
    state = peewee.CharField(12)
    linked_at = Moment()
    confirmed_at = Moment(null=True)


class LinkedAccount(Table):
    """On a hub: a node's local account that its person has linked. `choice` is merge, primary, import or separate (docs/spec/tokens.md)."""

    id = peewee.CharField(36, primary_key=True)
    org_id = peewee.CharField(36)
    user_id = peewee.CharField(36)
    node_id = peewee.CharField(36)
    local_id = peewee.CharField(36)
    email = peewee.CharField(254)
    choice = peewee.CharField(12, default="separate")
    state = peewee.CharField(12)
    linked_at = Moment()
    confirmed_at = Moment(null=True)

    class Meta:
        indexes = ((("org_id", "node_id", "local_id"), True), (("org_id", "user_id"), False))


HUB_MODELS = (SigningKey, HubKeys, HubPerson, LocalGrant, HubLogin, ClockSeen, AccountLink, LinkedAccount)
