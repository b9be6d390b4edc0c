"""A hub in a process of its own, on a free port: what the demo talks to, as any robot would."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from skills.errors import HubUnreachableError

__all__ = ["HubProcess", "free_port", "run_hub"]

START_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True)
class HubProcess:
    """A running hub: its address, its admin's token, its log file."""

    url: str
    admin_token: str
    pid: int
    log: Path

    def peak_memory_mb(self) -> float:
        """Largest resident memory so far, in MB, of hub and workers; 0 where the system has no /proc."""
        try:
            threads = Path(f"/proc/{self.pid}/task").glob("*/children")
            workers = [pid for thread in threads for pid in thread.read_text().split()]
            return sum(_peak_mb(pid) for pid in (str(self.pid), *workers))
        except OSError:
            return 0.0


def _peak_mb(pid: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))


@contextmanager
def run_hub(data_dir: Path, *, leaderboards: bool = False, processes: int = 1) -> Iterator[HubProcess]:
    """Start a hub in `data_dir`, on SQLite unless the environment names PostgreSQL; stop it at the end.

    Args:
        data_dir: Its folder.
        leaderboards: Whether it scores what becomes stable, beside the robots that want the cores.
        processes: So many serve it; more than one need PostgreSQL.

    Raises:
        HubUnreachableError: It did not come up; its log is named.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "hub.log"
    token = "zt_" + secrets.token_urlsafe(32)
    port = free_port()
    environment = os.environ | {
        "ZUNFT_ADMIN_TOKEN": token,
        "ZUNFT_DATA_DIR": str(data_dir),
        "ZUNFT_HOST": "127.0.0.1",
        "ZUNFT_PORT": str(port),
        "OMP_NUM_THREADS": "1",  # the robots want the cores
        "ZUNFT_LEADERBOARDS": str(leaderboards).lower(),
    }
    with log.open("wb") as log_file:
        command = [sys.executable, "-m", "zunft", "hub", "--processes", str(processes)]
        process = subprocess.Popen(command, env=environment, stdout=log_file, stderr=log_file)  # noqa: S603
    hub = HubProcess(f"http://127.0.0.1:{port}", token, process.pid, log)
    try:
        _wait_until_ready(hub, process)
        yield hub
    finally:
        _stop(process)


def _wait_until_ready(hub: HubProcess, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{hub.url}/readyz", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    last_words = hub.log.read_text(errors="replace")[-2000:]
    raise HubUnreachableError(
        "the hub did not start.", where=str(hub.log), remedy=f"Its log ends with:\n{last_words}"
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
