"""One room for all tests in the browser; it is left as soon as the next test is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.room import Room, Visits
from tests.stack import Stack

HERE = Path(__file__).parent
ROOM: list[Room] = []


@pytest.fixture(scope="session")
def _room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    ROOM.append(Room(tmp_path_factory.mktemp("browser")))
    yield ROOM[0]
    ROOM.pop().close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None):
    """Other tests need the machine, and a browser of their own."""
    yield
    if ROOM and (nextitem is None or HERE not in nextitem.path.parents):
        ROOM[0].close()


@pytest.fixture
def room(_room: Room) -> Room:
    return _room


@pytest.fixture
def stack(_room: Room) -> Stack:
    """A UNIBOS in use."""
    return _room.stack


@pytest.fixture
def visit(_room: Room) -> Iterator[Visits]:
    """Opens pages; fails the test when one of them asked another host, broke, or was refused something."""
    visits = Visits(_room)
    yield visits
    assert list(visits.close()) == []
