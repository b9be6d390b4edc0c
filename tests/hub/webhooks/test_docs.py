"""docs/webhooks.md: its receiver runs as it stands there, and its table says what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

from hub.webhooks.envelope import cloud_event, new_secret, signed_headers
from hub.webhooks.sending import Sender
from skills.messages.events import Event
from skills.messages.webhooks import NoticeKind
from tests.eventually import eventually
from tests.hub.conftest import Hands
from tests.hub.servers import free_ports
from tests.hub.webhooks.test_sending import LOOPBACK

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
PROGRAM = PAGE.split("<!-- receiver: a test runs this -->\n```python\n")[1].split("```")[0]


def test_the_table_has_every_kind() -> None:
    assert set(re.findall(r"^\| `zunft\.([a-z.]+)`", PAGE, re.MULTILINE)) == set(get_args(NoticeKind))


def test_the_receiver_takes_what_is_genuine_and_new() -> None:
    secret, (port,) = new_secret(), free_ports(1)
    environment = {**os.environ, "ZUNFT_SECRET": secret}
    command = [sys.executable, "-c", PROGRAM, str(port)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        try:
            told = [
                send(port, secret, "m-1", age=0),
                send(port, secret, "m-1", age=0),
                send(port, new_secret(), "m-2", age=0),
                send(port, secret, "m-3", age=900),
                send(port, secret, "m-4", age=0),
            ]
        finally:
            receiver.terminate()
        lines = receiver.stdout.read().splitlines() if receiver.stdout else []
    assert told == [204, 204, 401, 204, 204]
    assert lines == ['zunft.robot.lost r-1 {"robot_id": "r-1"}'] * 2


def send(port: int, secret: str, message_id: str, *, age: int) -> int | None:
    event = Event(id=1, kind="robot.lost", at=Hands()(), data={"robot_id": "r-1"})
    body = cloud_event(event, "urn:zunft:hub:test")
    headers = signed_headers(secret, message_id, int(time.time()) - age, body)
    sender = Sender(LOOPBACK, plain_http=True)
    return eventually(lambda: sender.send(f"http://127.0.0.1:{port}/", headers, body).status)
