"""How commands show what they found, to people and to scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console

if TYPE_CHECKING:
    from envs.examine import Finding

__all__ = ["show_findings"]


def show_findings(findings: Sequence[Finding], console: Console, *, as_json: bool) -> None:
    """What a checker found, one line a finding.

    Raises:
        typer.Exit: Something did not pass.
    """
    if as_json:
        console.print_json(data=[asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[green]✓[/]" if finding.passed else "[red]✗[/]"
            advice = f" {finding.remedy}" if finding.remedy else ""
            console.print(f"{mark} {finding.check}: {finding.text}{advice}", highlight=False, soft_wrap=True)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)
