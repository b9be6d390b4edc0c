"""Dashboard, alerts and Prometheus' configuration: they ask only for what the hub says, and find it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.app import create_app
from hub.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
METRIC = re.compile(r"\b(?:zunft|process)_[a-z_]+")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def _read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "zunft.json").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
ALERTS = [rule["expr"] for group in _read("alerts.yml")["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def labels_by_series(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    folder = tmp_path_factory.mktemp("hub")
    app = create_app(Settings.model_validate({"data_dir": folder, "console": False}))
    found = dict(_series(app.state.metrics.registry))
    app.state.services.close()
    return found


def _series(registry: Any) -> Iterator[tuple[str, set[str]]]:
    declared = {
        name: set(getattr(collector, "_labelnames", ()))
        for collector, names in registry._collector_to_names.items()
        for name in names
    }
    for metric in registry.collect():
        labels = {label for sample in metric.samples for label in sample.labels}
        for suffix in SUFFIXES[metric.type]:
            yield metric.name + suffix, labels | declared.get(metric.name + suffix, set())


@pytest.mark.parametrize("query", [*QUERIES, *ALERTS])
def test_every_metric_and_label_that_is_asked_for_exists(
    query: str, labels_by_series: dict[str, set[str]]
) -> None:
    names = set(METRIC.findall(query))
    assert names <= set(labels_by_series)
    known = {"le", "job", "instance"}.union(*(labels_by_series[name] for name in names))
    assert names or "up{" in query
    asked = set(re.findall(r"(\w+)!?=~?\"", query))
    for group in re.findall(r"by \(([^)]*)\)", query):
        asked |= {label.strip() for label in group.split(",")}
    assert asked <= known
    assert query.count("(") == query.count(")")


def test_the_dashboard_shows_every_metric_of_ours_that_matters(labels_by_series: dict[str, set[str]]) -> None:
    shown = {name for query in QUERIES for name in METRIC.findall(query)}
    ours = {name for name in labels_by_series if re.fullmatch(r"zunft_\w+?(?<!_sum)(?<!_count)", name)}
    assert ours <= shown


def test_panels_do_not_overlap_and_use_the_provisioned_source() -> None:
    (source,) = _read("grafana/datasource.yml")["datasources"]
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {source["uid"]}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_compose_brings_each_file_to_where_it_is_looked_for() -> None:
    assert all((ROOT / config["file"]).is_file() for config in COMPOSE["configs"].values())
    mounted = {
        each["target"]: COMPOSE["configs"][each["source"]]["file"]
        for name in ("prometheus", "grafana")
        for each in COMPOSE["services"][name]["configs"]
    }
    prometheus = _read("prometheus.yml")
    assert {mounted[path] for path in prometheus["rule_files"]} == {"deploy/alerts.yml"}
    (provider,) = _read("grafana/dashboards.yml")["providers"]
    assert mounted[f"{provider['options']['path']}/zunft.json"] == "deploy/grafana/zunft.json"
    (job,) = prometheus["scrape_configs"]
    secret = Path(job["authorization"]["credentials_file"]).name
    assert secret in COMPOSE["services"]["prometheus"]["secrets"]
    assert COMPOSE["secrets"][secret]["environment"] in COMPOSE["services"]["hub"]["environment"]
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["hub"]
    assert found["port"] == Settings.model_fields["port"].default
