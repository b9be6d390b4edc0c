"""One row a run in a CSV file: written when the run is done, so that what broke off goes on from there."""

from __future__ import annotations

import csv
from pathlib import Path

from pydantic import BaseModel, ConfigDict

__all__ = ["FILE", "Row", "append", "read"]

FILE = Path("benchmarks/results/others.csv")


class Row(BaseModel):
    """What a case came to at one seed.

    Attributes:
        experiment: Which.
        case: In it.
        seed: Of everything random.
        seconds: Processor time of the whole run in this process.
        figures: What was measured, by name.
    """

    model_config = ConfigDict(frozen=True)

    experiment: str
    case: str
    seed: int
    seconds: float
    figures: dict[str, float]

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is the only one of."""
        return self.experiment, self.case, self.seed


def read(path: Path) -> list[Row]:
    """All rows of a file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(line) for line in csv.DictReader(file)]


def append(path: Path, row: Row) -> None:
    """Add a row; the first of a file brings the head line."""
    fresh = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Row.model_fields))
        if fresh:
            writer.writeheader()
        figures = "; ".join(f"{name}={figure:.6g}" for name, figure in row.figures.items())
        writer.writerow({**row.model_dump(), "figures": figures})


def _row(line: dict[str, str]) -> Row:
    pairs = (pair.split("=") for pair in line["figures"].split("; "))
    return Row.model_validate({**line, "figures": {name: float(figure) for name, figure in pairs}})
