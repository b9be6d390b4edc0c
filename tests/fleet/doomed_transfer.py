"""Run as a process: one robot that dies by SIGKILL in the middle of a transfer.

    python -m tests.fleet.doomed_transfer HOME push|SKILL AFTER

It pushes the delta that its workbench owes, until AFTER parts were taken, or pulls the stable version of
SKILL, until AFTER bytes of it came.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from fleet import client as fleet_client
from fleet.client import HubClient
from fleet.membership import connect
from fleet.robot_folder import RobotFolder

SMALL = 10_000  # bytes; what is larger is brought in parts


class Deadly(httpx.HTTPTransport):
    """Counts what has to do with large files."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method == "PUT":
            self.count(1)
        if request.url.path.endswith("/file"):
            return httpx.Response(
                response.status_code, headers=response.headers, stream=_Counted(response, self)
            )
        return response

    def count(self, amount: int) -> None:
        self._left -= amount
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _Counted(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, transport: Deadly) -> None:
        self._response = response
        self._transport = transport

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._response.iter_raw():
            yield chunk
            self._transport.count(len(chunk))


def push(bench: RobotFolder, client: HubClient) -> str:
    """Bring what is owed."""
    vars(fleet_client)["ONE_REQUEST"] = SMALL
    owed = bench.pending()
    if owed is None:
        raise RuntimeError("nothing is owed")
    return client.push_delta(owed[0].round_id, owed[1]).status


def pull(bench: RobotFolder, client: HubClient, skill: str) -> str:
    """Fetch the newest version."""
    version = client.version(skill, "candidate")
    return client.fetch_skill(version, bench.skill_file(version.digest)).digest


def main() -> None:
    home, what, after = sys.argv[1:]
    bench = RobotFolder(Path(home))
    client = connect(bench, Deadly(int(after)))
    if what == "push":
        push(bench, client)
    else:
        pull(bench, client, what)


if __name__ == "__main__":
    main()
