"""What identity asks of the registry before it speaks of people for a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from unibos.kernel.errors import NotFound
from unibos.kernel.words import T

if TYPE_CHECKING:
    from unibos.kernel.kit import Kit


def check(_kit: Kit, services: Mapping[str, Any]) -> Callable[[str, str], None]:
    """Raises NotFound for what is no node of the organisation, or one whose trust was taken away."""

    def look(node_id: str, org_id: str) -> None:
        node, _pulse, _state = services["registry"].node(node_id, org_id)
        if node.revoked_at is not None:
            raise NotFound(T("There is no node with this id."))

    return look
