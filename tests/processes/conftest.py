"""One claimed UNIBOS for all the stories that only use it, and real machines for those that need a whole system."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.machines import Machines, why_not
from tests.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory) -> Iterator[Stack]:
    """Hub and node, both claimed by Ada. A node that reports each second, silent after three, called back each second."""
    with Stack(tmp_path_factory.mktemp("unibos"), UNIBOS_HEARTBEAT_SECONDS="1", UNIBOS_SILENT_SECONDS="3", UNIBOS_CALLBACK_SECONDS="1",
               UNIBOS_UPLOAD_MB="1") as running:
        running.claim("node")
        running.claim("hub")
        yield running
        assert running.process.poll() is None, "it ended by itself:\n" + "\n".join(running.lines[-60:])


def _machines() -> Iterator[Machines]:
    reason = why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    made = Machines()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def machines() -> Iterator[Machines]:
    """Makes machines of rendered hosts; all are gone after the test."""
    yield from _machines()


@pytest.fixture(scope="module")
def module_machines() -> Iterator[Machines]:
    """The same for a whole module, whose tests leave them as they found them."""
    yield from _machines()
