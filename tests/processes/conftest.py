"""One claimed UNIBOS for all the stories that only use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
