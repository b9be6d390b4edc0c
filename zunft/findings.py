"""Show what a checker found, for people or scripts; exit status 1 where something failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Console

from envs.examine import Finding

__all__ = ["show_findings"]


def show_findings(findings: Sequence[Finding], console: Console, *, as_json: bool) -> None:
    """One line a finding.

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
