"""The tutorial docs/tutorials/run-a-robot.md, typed into a shell line by line: real hub, robot and cell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.eventually import eventually
from tests.zunft.wheels import build_wheel
from zunft.hub_process import free_port

TUTORIAL = Path("docs/tutorials/run-a-robot.md")
ROLLOUT = re.compile(r"o-[0-9a-f]{12}")


@dataclass(frozen=True)
class Step:
    """A command and what it prints, `...` for what differs; or a file, with what is in it."""

    typed: str = ""
    printed: tuple[str, ...] = ()
    file: str = ""
    content: str = ""


def steps_of(page: str) -> Iterator[Step]:
    """What the page says, in its order."""
    block = re.compile(r"(?:Save it as `([^`]+)`:\n\n)?```(console|toml)\n(.*?)```", re.DOTALL)
    for file, kind, content in block.findall(page):
        if kind == "toml":
            yield Step(file=file, content=content)
            continue
        for each in content.split("$ ")[1:] if content.startswith("$ ") else ():
            typed, *printed = each.splitlines()
            yield Step(typed, tuple(printed))


@dataclass
class Shell:
    """A bash in which somebody types; all that is printed in it, by whatever still runs, too."""

    process: subprocess.Popen[str]
    printed: list[str] = field(default_factory=list)
    commands: int = 0

    def type(self, line: str) -> None:
        """Type a line and wait until it is done, unless it goes on by itself."""
        self.commands += 1
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\necho done-{self.commands}: $?\n")
        self.process.stdin.flush()
        said = self.wait_for(f"done-{self.commands}: ", 0)
        assert said.endswith(" 0"), f"{line}\n" + "\n".join(self.printed)

    def wait_for(self, printed: str, since: int) -> str:
        """The line that has this in it; `...` is anything."""
        wanted = re.compile(".*".join(re.escape(part.strip()) for part in printed.split("...")))

        def look() -> str | None:
            return next((each for each in self.printed[since:] if wanted.search(each)), None)

        return eventually(look, lambda: f"{printed!r} in\n" + "\n".join(self.printed))


@contextmanager
def shell(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Everything that was started in it is ended with it."""
    process = subprocess.Popen(
        ["/bin/bash"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    found = Shell(process)
    assert process.stdout is not None
    lines = process.stdout

    def read() -> None:
        for line in iter(lines.readline, ""):
            found.printed.append(line.rstrip())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()


def surroundings(wheels: Path, hub: int) -> dict[str, str]:
    """A bare environment: this Python, and a package index that is a folder."""
    plain = {
        name: text for name, text in os.environ.items() if not name.startswith(("ZUNFT", "PYTHON", "VIRTUAL"))
    }
    return plain | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",  # what it needs is brought by `bring_what_it_needs`
        "PIP_NO_COMPILE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
        "ZUNFT_PORT": str(hub),
        "ZUNFT_HUB": f"http://127.0.0.1:{hub}",
        "ZUNFT_LEADERBOARDS": "false",
        "ZUNFT_ROBOT_REHEARSAL_EPISODES": "4",
    }


def bring_what_it_needs(environment: Path) -> None:
    """Other people's packages are those of the tests; ours are the wheel's."""
    (packages,) = environment.glob("lib/python*/site-packages")
    theirs = [each for each in sys.path if each.endswith("site-packages")]
    (packages / "theirs.pth").write_text("\n".join(theirs))


def test_the_tutorial_as_it_is_typed(tmp_path: Path) -> None:
    wheels, work = tmp_path / "wheels", tmp_path / "work"
    work.mkdir()
    built = build_wheel(wheels, "--no-build-isolation")
    assert built.returncode == 0, built.stderr
    hub, cell, rollout = free_port(), free_port(), ""
    steps = list(steps_of(TUTORIAL.read_text()))
    assert len([each for each in steps if each.typed]) >= 20

    def here(text: str) -> str:
        return ROLLOUT.sub(rollout, text.replace("8080", str(hub)).replace("7000", str(cell)))

    with shell(work, surroundings(wheels, hub)) as bash:
        for step in steps:
            if step.file:
                (work / step.file).write_text(step.content)
                continue
            since = len(bash.printed)
            bash.type(here(step.typed))
            if step.typed.startswith("pip install"):
                bring_what_it_needs(work / ".venv")
            if step.typed.startswith("zunft rollout start"):
                rollout = ROLLOUT.findall(bash.wait_for("roll-out o-", since))[0]
            for line in step.printed:
                bash.wait_for(here(line), since)
