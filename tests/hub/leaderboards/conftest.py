from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.settings import Settings
from tests.hub.conftest import Hall, Hands, StubGate
from tests.hub.leaderboards.samples import SMALL


@pytest.fixture
def yard(settings: Settings, clock: Hands, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    """A hub whose plan has few episodes; it scores when its scorer is told to."""
    monkeypatch.setattr("hub.leaderboards.wiring.BOARD", SMALL)
    found = Hall(settings, StubGate(), clock)
    yield found
    found.close()
