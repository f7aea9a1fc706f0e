"""`unibos-manager`: the hub's API for those who look after many machines."""

from __future__ import annotations

from unibos.features.registry.cli import nodes, status

__all__ = ["nodes", "status"]
