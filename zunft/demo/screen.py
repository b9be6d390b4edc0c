"""What the demo looks like in a terminal while it runs: rounds, robots, speed, success, bytes."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from fleet.progress import Progress as Said
from skills.messages.campaigns import CampaignView
from zunft.demo.run import Screen

__all__ = ["LiveScreen"]

ENDED = {"published", "rejected", "failed"}


class LiveScreen(Screen):
    """A bar for the campaign and a line for each robot, drawn anew a few times a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: TaskID | None = None
        self._said: dict[str, Said] = {}
        self._speed: dict[str, _Speed] = {}
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def stage(self, title: str) -> None:
        """End the last part and begin a new one."""
        if self._task is not None:
            self._finish()
        self._said, self._speed = {}, {}
        self._task = self._bar.add_task(title, total=None, note="")

    def progress(self, progress: Said) -> None:
        """Remember what a robot said last."""
        self._said[progress.robot] = progress
        if progress.phase == "training":
            self._speed.setdefault(progress.robot, _Speed()).note(progress.steps)

    def campaign(self, campaign: CampaignView) -> None:
        """Show rounds done, the newest score and what the round waits for."""
        ended = [round_ for round_ in campaign.rounds if round_.state in ENDED]
        score = next((round_.gate.candidate.score for round_ in reversed(ended) if round_.gate), None)
        waiting = campaign.waiting_for
        note = waiting if score is None else f"success {score:.2f} at the gate; {waiting}"
        if self._task is not None:
            self._bar.update(self._task, total=campaign.order.rounds_in_all, completed=len(ended), note=note)

    def _finish(self) -> None:
        finished = self._bar.tasks[-1]
        self._bar.remove_task(finished.id)
        seconds = finished.elapsed or 0.0
        self._console.print(f"[green]✓[/] {finished.description} [dim]{seconds:.0f} s[/]")

    def _render(self) -> Group:
        table = Table(box=None, padding=(0, 2))
        for column in ("", "doing", "round", "steps", "steps/s", "success", "sent", "received"):
            table.add_column(column, justify="left" if column in {"", "doing"} else "right")
        for name, said in sorted(self._said.items()):
            speed = self._speed.get(name)
            table.add_row(
                name,
                f"{said.phase} {said.text}"[:44],
                str(said.round or ""),
                f"{said.steps:,}" if said.steps else "",
                f"{speed.per_second:,.0f}" if speed else "",
                "" if said.success is None else f"{said.success:.2f}",
                f"{said.sent / 1e6:.2f} MB" if said.sent else "",
                f"{said.received / 1e6:.2f} MB" if said.received else "",
            )
        return Group(self._bar, table)


class _Speed:
    """Steps a second of a robot, over all that it has done in this part, waiting included."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._steps = 0

    def note(self, steps: int) -> None:
        self._steps = steps

    @property
    def per_second(self) -> float:
        return self._steps / max(time.monotonic() - self._start, 1e-9)
