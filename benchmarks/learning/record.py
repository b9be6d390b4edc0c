"""One row a run in a CSV file: written when the run is done, so that what broke off goes on from there."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

__all__ = ["FILE", "PLACES", "Row", "append", "read"]

FILE = Path("benchmarks/results/learning.csv")
PLACES = ("home", "changed", "elsewhere", "unseen")


class Row(BaseModel):
    """What a method came to at one seed.

    Attributes:
        experiment: Which comparison.
        method: In it.
        seed: Of workshops and training.
        robots: That trained.
        rounds: Of the campaign.
        steps: Environment steps of one robot.
        seconds: Of the whole run, on a machine that does something else as well.
        scores: Success in each workshop, by `PLACES`.
    """

    model_config = ConfigDict(frozen=True)

    experiment: str
    method: str
    seed: int
    robots: int
    rounds: int
    steps: int
    seconds: float
    scores: dict[str, tuple[float, ...]]

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is the only one of."""
        return self.experiment, self.method, self.seed


def read(path: Path) -> list[Row]:
    """All rows of a file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(line) for line in csv.DictReader(file)]


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows; the first of a file brings the head line."""
    columns = [name for name in Row.model_fields if name != "scores"]
    fresh = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, *PLACES])
        if fresh:
            writer.writeheader()
        for row in rows:
            scores = {place: " ".join(f"{score:.4f}" for score in row.scores[place]) for place in PLACES}
            writer.writerow({**row.model_dump(exclude={"scores"}), **scores})


def _row(line: dict[str, str]) -> Row:
    scores = {place: tuple(map(float, line.pop(place).split())) for place in PLACES}
    return Row.model_validate({**line, "scores": scores})
