"""Pages that repeat what the code knows are equal to what the code says now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envs.bundle import bundle_names
from tools.make_docs import DOCS, PAGES, render

ROOT = DOCS.parent


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_current(name: str) -> None:
    assert (DOCS / name).read_text() == render(name), "run: python -m tools.make_docs"


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "deploy/README.md",
        "docs/architecture.md",
        "docs/console.md",
        "docs/costs.md",
        "docs/deploy-a-skill.md",
        "docs/embodiments.md",
        "docs/tasks.md",
        *(f"docs/tasks/{name}.md" for name in bundle_names()),
        "docs/tutorials/publish-a-task.md",
        "docs/tutorials/run-a-robot.md",
        "docs/format.md",
        "docs/large.md",
        "docs/learning.md",
        "docs/operations.md",
        "docs/publishing.md",
        "docs/security.md",
        "docs/webhooks.md",
        "docs/withdrawal.md",
        "docs/rollouts.md",
        "docs/rounds.md",
        "docs/lerobot.md",
        "docs/scale.md",
        "docs/opcua.md",
        "docs/ros2.md",
        "docs/runtime.md",
    ],
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    source = ROOT / page
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", source.read_text())
    missing = [link for link in links if not (source.parent / link).exists()]
    assert missing == []


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\]\((\d{4}-[^)]+\.md)\)", (DOCS / "adr" / "README.md").read_text()))
    assert listed == {path.name for path in Path(DOCS / "adr").glob("0*.md")}
