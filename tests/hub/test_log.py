from __future__ import annotations

import io
import logging
import subprocess
import sys

from hub.log import LONGEST, LineBudget

SAYS_A_LINE = """
import sys

import structlog

from hub.log import configure_logging


class Pipe:
    def write(self, text):
        print(repr(text))

    def flush(self):
        pass


sys.stderr = Pipe()
configure_logging("INFO")
structlog.get_logger("zunft").info("said")
"""


def test_a_line_and_its_end_are_written_in_one_piece() -> None:
    """Several processes write to one pipe, and one of them may be killed at any moment."""
    command = [sys.executable, "-c", SAYS_A_LINE]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    (written,) = done.stdout.splitlines()
    assert written.endswith(r"}\n'")


def test_what_strangers_make_libraries_say_stays_small() -> None:
    now = [0.0]
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(LineBudget(rate=1, burst=50, timer=lambda: now[0]))
    loud, quiet = logging.getLogger("tests.loud"), logging.getLogger("tests.quiet")
    for each in (loud, quiet):
        each.propagate = False
        each.addHandler(handler)
    for number in range(5000):
        loud.error("%s of a stranger: %s", number, "x" * 10_000)
    quiet.error("something else")
    lines = written.getvalue().splitlines()
    assert len(lines) == 51
    assert lines[-1] == "something else"
    assert max(map(len, lines)) < LONGEST + 10
    now[0] += 3.0
    for _ in range(10):
        loud.error("again")
    assert written.getvalue().splitlines()[51:] == ["again"] * 3
