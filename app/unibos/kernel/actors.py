"""Who is asking: the answer of the one feature that authenticates, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass

# A guest sees what is their own and nothing else of the organisation: somebody invited for a time, or a person whose rights on this node have run out.
RANKS = {"guest": 1, "viewer": 2, "member": 3, "admin": 4, "owner": 5}
# What a route may ask for: anybody, a proven node, or a person of at least a rank in their organisation.
ACCESS = ("open", "node", *RANKS)


@dataclass(frozen=True)
class Actor:
    """A person, a node, the owner's own console (unix socket), or nobody. `via` is cookie, bearer, socket or ''.

    `offline`: a session that no hub could confirm when it began.
    """

    kind: str = "nobody"
    id: str = ""
    org_id: str = ""
    role: str = ""
    name: str = ""
    via: str = ""
    session_id: str = ""
    language: str = ""
    theme: str = ""
    offline: bool = False

    @property
    def own_only(self) -> bool:
        """Whether this actor is shown only what belongs to them."""
        return self.kind == "person" and RANKS.get(self.role, 0) <= RANKS["guest"]

    def may(self, access: str) -> bool:
        """Whether this actor passes a door that asks for `access`."""
        if access == "open":
            return True
        if access == "node":
            return self.kind == "node"
        return self.kind in ("person", "console") and RANKS.get(self.role, 0) >= RANKS[access]


NOBODY = Actor()
