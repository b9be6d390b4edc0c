"""Where the `zunft` command starts: first sees that nobody's own folder hides one of our packages."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

__all__ = ["main"]

PACKAGES = ("skills", "envs", "fleet", "hub")


def main() -> None:
    """Run the command."""
    check_packages()
    # Only now: importing it imports the packages that were just checked.
    from zunft.cli import main as run  # noqa: PLC0415

    run()


def check_packages() -> None:
    """Exit where somebody's own `envs` or `skills` folder would be imported instead of ours."""
    here = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = find_spec(name)
        found = Path(str(spec.origin if spec else None)).resolve().parent
        if found != here / name:
            sys.exit(
                f"error {found} hides Zunft's package {name!r}. Rename that folder, or run from another one."
            )


if __name__ == "__main__":
    main()
