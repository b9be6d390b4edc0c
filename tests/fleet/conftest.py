"""A hub that can lie, for every test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.lying_hub import LyingHub, serve


@pytest.fixture
def hub() -> Iterator[LyingHub]:
    with serve(LyingHub()) as running:
        yield running
