"""What a fleet does, on a terminal: one row a robot where it can be redrawn, else one line an event."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from fleet.progress import Progress

__all__ = ["FleetDisplay", "describe"]

REDRAWS = 4  # per second


class FleetDisplay:
    """A context manager; call it with each progress."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._robots: dict[str, Progress] = {}
        self._live = Live(console=console, refresh_per_second=REDRAWS) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        self._robots[progress.robot] = progress
        if self._live:
            self._live.update(_table(self._robots))
        else:
            self._console.print(describe(progress), highlight=False, markup=False, soft_wrap=True)


def describe(progress: Progress) -> str:
    """One line."""
    parts = [f"{progress.robot}: {progress.phase}"]
    if progress.round:
        parts.append(f"round {progress.round}")
    if progress.iteration:
        parts.append(f"iteration {progress.iteration}")
    if progress.success is not None:
        parts.append(f"success {progress.success:.2f}")
    if progress.text:
        parts.append(progress.text)
    return ", ".join(parts)


def _table(robots: dict[str, Progress]) -> Table:
    table = Table("robot", "does", "round", "iteration", "steps", "success", "sent", "received", "says")
    for name, progress in sorted(robots.items()):
        table.add_row(
            name,
            progress.phase,
            str(progress.round or "-"),
            str(progress.iteration or "-"),
            f"{progress.steps:,}",
            "-" if progress.success is None else f"{progress.success:.2f}",
            f"{progress.sent / 1e3:,.0f} kB",
            f"{progress.received / 1e3:,.0f} kB",
            progress.text,
        )
    return table
