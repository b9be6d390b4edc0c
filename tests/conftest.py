"""Real servers, started once for all tests of a process that want them; and less garbage to look for."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.hub.servers import BUCKET, S3Server, postgres, s3_server

settings.register_profile("zunft", deadline=None)  # machines are busy
settings.load_profile("zunft")


def pytest_collection_finish() -> None:
    """What all tests import stays for good: no collection of garbage need look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server") as server:
        server.client().make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("database")) as url:
        yield url
