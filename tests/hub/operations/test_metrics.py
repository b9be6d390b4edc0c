"""Metrics: what a scrape says after work, who may read it, and that the docs name every one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from hub.settings import Settings
from skills.messages.base import API
from tests.hub.conftest import ADMIN, Collecting, Hall, Hands, StubGate, ok, random_tensors

SCRAPER = "zt_only-for-the-scraper"
DOCS = Path(__file__).resolve().parents[3] / "docs"
DELTAS = "/api/v1/rounds/{round_id}/deltas"
Labels = tuple[tuple[str, str], ...]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return Settings.model_validate({**settings.model_dump(), "metrics_token": SCRAPER})


def scrape(hall: Hall, token: str = SCRAPER) -> httpx.Response:
    return hall.client.get("/metrics", headers={"Authorization": f"Bearer {token}"})


def read(hall: Hall) -> dict[tuple[str, Labels], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(ok(scrape(hall)).text)
        for sample in family.samples
    }


def names_of(registry: CollectorRegistry) -> Iterator[tuple[str, str]]:
    for metric in registry.collect():
        yield metric.name + ("_total" if metric.type == "counter" else ""), metric.documentation


def test_a_scrape_says_what_happened(collecting: Collecting, clock: Hands) -> None:
    hall, work, (one, two) = collecting.hall, collecting.work, collecting.robots
    clock.advance(7)
    delta = one.delta(work, random_tensors(collecting.base, 1))
    for status in (201, 200):
        assert one.push(work.round_id, delta).status_code == status
    bad = hall.error(two.push(work.round_id, two.delta(work, random_tensors(collecting.base, 2))[:-1]), 422)
    assert one.push(work.round_id, bytes(300_000)).status_code == 413
    before = read(hall)
    assert before["zunft_oldest_round_seconds", (("state", "open"),)] == 7
    assert before["zunft_rounds", (("state", "open"),)] == 1
    ok(two.push(work.round_id, two.delta(work, random_tensors(collecting.base, 2))))
    hall.turn()
    found = read(hall)
    assert found["zunft_deltas_admitted_total", ()] == 2
    assert found["zunft_deltas_repeated_total", ()] == 1
    refused = {
        labels: value for (name, labels), value in found.items() if name == "zunft_deltas_refused_total"
    }
    assert refused == {(("code", "too_large"),): 1, (("code", bad["code"]),): 1}
    assert found["zunft_http_requests_total", _labels(method="POST", route=DELTAS, status="201")] == 2
    assert found["zunft_http_refusals_total", _labels(route=DELTAS, code="too_large")] == 1
    assert found["zunft_http_received_bytes_total", (("route", DELTAS),)] >= 3 * len(delta)
    assert found["zunft_http_answer_seconds_count", _labels(method="POST", route=DELTAS)] == 5
    assert found["zunft_merge_seconds_count", (("rule", "mean"),)] == 1
    assert found["zunft_gate_seconds_count", ()] == len(hall.gate.asked)
    assert found["zunft_rounds", (("state", "published"),)] == 1
    assert found["zunft_campaigns", (("state", "running"),)] == 1
    assert found["zunft_robots", ()] == found["zunft_robots_seen_lately", ()] == 2
    assert found["zunft_events_total", ()] == hall.services.events.log.last()
    assert found["zunft_http_open_requests", ()] == 1
    clock.advance(1000)
    assert read(hall)["zunft_robots_seen_lately", ()] == 0


def _labels(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def test_no_name_that_somebody_chose_is_a_label(collecting: Collecting) -> None:
    hall, work, (one, _) = collecting.hall, collecting.work, collecting.robots
    ok(one.push(work.round_id, one.delta(work, random_tensors(collecting.base, 1))))
    for path in ("/api/v1/secret-path", f"{API}/skills/secret-name", f"{API}/rounds/{work.round_id}"):
        hall.client.get(path, headers=hall.operator)
    hall.client.request("BREW", "/healthz")
    labels = {value for _, pairs in read(hall) for _, value in pairs}
    assert {"other", "/api/v1/skills/{name}", "/api/v1/rounds/{round_id}"} <= labels
    text = " ".join(labels)
    hidden = ("secret", "BREW", "reach", "guild", SCRAPER, work.round_id, work.campaign_id, one.robot_id)
    assert [word for word in hidden if word in text] == []


def test_only_admins_and_the_scraper_may_read(collecting: Collecting) -> None:
    hall = collecting.hall
    assert hall.error(hall.client.get("/metrics"), 401)["code"] == "unauthorized"
    hall.error(scrape(hall, "zt_somebody"), 401)
    tokens = {
        role: ok(hall.post("/users", {"name": role, "role": role})).json()["token"]
        for role in ("researcher", "operator")
    }
    hall.error(scrape(hall, tokens["researcher"]), 403)
    hall.error(scrape(hall, tokens["operator"]), 403)
    ok(scrape(hall, ADMIN))
    robot = collecting.robots[0]
    hall.error(hall.client.get("/metrics", headers=robot.headers("GET", "/metrics", b"")), 403)


def test_the_scrapers_token_opens_nothing_else(hall: Hall) -> None:
    answer = hall.client.get(f"{API}/campaigns", headers={"Authorization": f"Bearer {SCRAPER}"})
    assert hall.error(answer, 401)["code"] == "unauthorized"


def test_without_a_scrapers_token_an_empty_one_opens_nothing(settings: Settings, clock: Hands) -> None:
    closed = Hall(Settings.model_validate({**settings.model_dump(), "metrics_token": ""}), StubGate(), clock)
    for token in ("", SCRAPER):
        closed.error(scrape(closed, token), 401)
    closed.close()


def test_metrics_can_be_switched_off(settings: Settings, clock: Hands) -> None:
    silent = Hall(settings.model_copy(update={"metrics": False}), StubGate(), clock)
    silent.error(scrape(silent), 404)
    silent.close()


def test_a_database_that_does_not_answer_leaves_the_other_metrics(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(hall)["zunft_database_up", ()] == 1

    def refuse() -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(hall.services.storage.database, "read", refuse)
    found = read(hall)
    assert found["zunft_database_up", ()] == 0
    assert found["zunft_engine_up", ()] == 0
    assert not any(name == "zunft_rounds" for name, _ in found)
    assert found["zunft_http_requests_total", _labels(method="GET", route="/metrics", status="200")] == 1


def test_two_hubs_share_no_number(settings: Settings, clock: Hands, tmp_path: Path) -> None:
    first, second = (
        Hall(settings.model_copy(update={"data_dir": tmp_path / name}), StubGate(), clock) for name in "ab"
    )
    first.client.get("/healthz")
    label = _labels(method="GET", route="/healthz", status="200")
    assert read(first)["zunft_http_requests_total", label] == 1
    assert ("zunft_http_requests_total", label) not in read(second)
    first.close()
    second.close()


def test_the_docs_list_every_metric_in_its_own_words(hall: Hall) -> None:
    page = (DOCS / "operations.md").read_text()
    listed = dict(re.findall(r"^\| `((?:zunft|process)_\w+)` \| [^|]* \| ([^|]+) \|$", page, re.MULTILINE))
    expected = {name: text.rstrip(".") for name, text in names_of(hall.app.state.metrics.registry)}
    assert {name: text.rstrip(".") for name, text in listed.items()} == expected
