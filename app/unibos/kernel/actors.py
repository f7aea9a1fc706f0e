"""Who is asking: the answer of the one feature that authenticates, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass

RANKS = {"viewer": 1, "member": 2, "admin": 3, "owner": 4}
# What a route may ask for: anybody, a proven node, or a person of at least a rank in their organisation.
ACCESS = ("open", "node", *RANKS)


@dataclass(frozen=True)
class Actor:
    """A person, a node, the owner's own console (unix socket), or nobody. `via` is cookie, bearer, socket or ''."""

    kind: str = "nobody"
    id: str = ""
    org_id: str = ""
    role: str = ""
    name: str = ""
    via: str = ""
    session_id: str = ""
    language: str = ""
    theme: str = ""

    def may(self, access: str) -> bool:
        """Whether this actor passes a door that asks for `access`."""
        if access == "open":
            return True
        if access == "node":
            return self.kind == "node"
        return self.kind in ("person", "console") and RANKS.get(self.role, 0) >= RANKS[access]


NOBODY = Actor()
