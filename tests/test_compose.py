"""docker-compose.yml and Dockerfile against the compose specification and against the code itself."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from ray.scripts.scripts import start as ray_start

from fleet.settings import RobotSettings
from hub.settings import Settings
from hub.storage.objects import open_store
from tests.eventually import eventually
from tests.hub.servers import free_ports, postgres, s3_server
from zunft.cli import app
from zunft.nouns import commands_of

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
BIN = Path(sys.executable).parent
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rule>:[?-])?(?P<text>[^}]*)\}|\$\$")
DOCUMENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
STEPS = [
    line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1].isupper()
]
ENVIRONMENT = {
    "ZUNFT_ADMIN_TOKEN": "zt_an-admin-token-for-this-test-only",
    "POSTGRES_PASSWORD": "hush",
    "MINIO_ROOT_USER": "owner",
    "MINIO_ROOT_PASSWORD": "quiet",
    "ZUNFT_METRICS_TOKEN": "zt_a-token-for-prometheus",
    "GRAFANA_PASSWORD": "whisper",
    "RAY_AUTH_TOKEN": "a-token-for-the-clusters",
}
FLEET_TOKEN = {"ZUNFT_FLEET_TOKEN": "zt_an-operator"}
OUR_SERVICES = [name for name, service in SERVICES.items() if str(service["image"]).startswith("zunft:")]


def _interpolate(text: str, environment: Mapping[str, str] = ENVIRONMENT) -> str:
    """What Compose makes of `${NAME:?error}`, `${NAME:-default}` and `$$`."""

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        found = environment.get(match["name"])
        if not found and match["rule"] == ":?":
            raise LookupError(match["name"])
        return found or (match["text"] if match["rule"] == ":-" else "")

    return VARIABLE.sub(value, text)


def _environment_of(service: str) -> dict[str, str]:
    given = SERVICES[service].get("environment", {})
    return {name: _interpolate(str(text), ENVIRONMENT | FLEET_TOKEN) for name, text in given.items()}


def _words_of(service: str) -> list[list[str]]:
    """The commands of a service, also those inside `sh -c`."""
    command = [_interpolate(str(word)) for word in SERVICES[service]["command"]]
    if command[:2] != ["sh", "-c"]:
        return [command]
    return [shlex.split(part.strip().removeprefix("exec ")) for part in command[2].split("&&")]


def _validate(file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compose_file_follows_the_specification() -> None:
    checked = _validate(COMPOSE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_misspelt_key_would_not_pass(tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text(COMPOSE.read_text().replace("healthcheck:", "health_check:", 1))
    assert "health_check" in _validate(tmp_path / "broken.yml").stdout


@pytest.mark.parametrize("kind", ["networks", "volumes", "secrets"])
def test_what_services_refer_to_is_declared_and_used(kind: str) -> None:
    used = {str(item).partition(":")[0] for service in SERVICES.values() for item in service.get(kind, ())}
    assert used == set(DOCUMENT[kind])


def test_services_wait_for_healthy_services_that_exist() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert SERVICES[needed]["healthcheck"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize(
    "image", sorted({str(each["image"]) for name, each in SERVICES.items() if name not in OUR_SERVICES})
)
def test_every_image_is_pinned_to_a_version_and_its_digest(image: str) -> None:
    assert re.search(r":\D*\d+[.-]\d+[^@\s]*@sha256:[0-9a-f]{64}$", image)


def test_our_image_has_the_version_of_the_package() -> None:
    assert {SERVICES[name]["image"] for name in OUR_SERVICES} == {f"zunft:{version('zunft')}"}


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_our_containers_have_no_privileges(name: str) -> None:
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert not SERVICES[name].get("privileged")


def test_only_proxy_and_dashboard_are_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: [_interpolate(port) for port in ports] for name, ports in published.items()} == {
        "proxy": ["127.0.0.1:8080:8080"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_who_reaches_whom() -> None:
    inside = {name for name, network in DOCUMENT["networks"].items() if network and network.get("internal")}
    members = {
        network: {name for name, service in SERVICES.items() if network in service["networks"]}
        for network in DOCUMENT["networks"]
    }
    assert set(DOCUMENT["networks"]) - inside == {"outside"}
    assert members == {
        "outside": {"proxy", "hub", "grafana"},
        "front": {"proxy", "hub"},
        "workshop": {"proxy", "ray-head", "ray-worker", "robots"},
        "jobs": {"hub", "minio", "jobs-head", "jobs-worker"},
        "back": {"hub", "postgres", "minio"},
        "watch": {"hub", "prometheus", "grafana"},
    }


def test_no_cluster_is_without_its_token() -> None:
    on_ray = {name for name in OUR_SERVICES if any("ray" in words[0] for words in _words_of(name))} | {"hub"}
    assert on_ray == {"ray-head", "ray-worker", "robots", "jobs-head", "jobs-worker", "hub"}
    for name in on_ray:
        assert _environment_of(name)["RAY_AUTH_MODE"] == "token"
        assert _environment_of(name)["RAY_AUTH_TOKEN"] == ENVIRONMENT["RAY_AUTH_TOKEN"]


@pytest.mark.parametrize("missing", ENVIRONMENT)
def test_no_secret_has_a_default(missing: str) -> None:
    rest = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    with pytest.raises(LookupError, match=missing):
        _interpolate(COMPOSE.read_text(), rest)


def test_the_example_names_every_variable_and_fills_in_no_secret() -> None:
    lines = (ROOT / "deploy" / "example.env").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    found = list(VARIABLE.finditer(COMPOSE.read_text()))
    defaults = {
        match["name"]: match["text"] if match["rule"] == ":-" else "" for match in found if match["name"]
    }
    assert example == defaults
    assert not any(value for name, value in example.items() if re.search("TOKEN|PASSWORD|USER", name))


def _known_to_hub() -> set[str]:
    return {f"ZUNFT_{name.upper()}" for name in Settings.model_fields}


def _known_to_robots() -> set[str]:
    return {f"ZUNFT_ROBOT_{name.upper()}" for name in RobotSettings.model_fields} | set(
        _variables_of_the_command()
    )


def _variables_of_the_command(command: Any = None) -> Iterator[str]:
    command = command or typer.main.get_command(app)
    for parameter in command.params:
        names = getattr(parameter, "envvar", None) or ()
        yield from [names] if isinstance(names, str) else names
    for below in commands_of(command).values():
        yield from _variables_of_the_command(below)


@pytest.mark.parametrize("name", SERVICES)
def test_the_code_reads_every_variable_it_is_given(name: str) -> None:
    given = {variable for variable in _environment_of(name) if variable.startswith("ZUNFT_")}
    assert given <= (_known_to_hub() if name == "hub" else _known_to_robots())


def test_the_image_sets_only_what_the_hub_reads() -> None:
    set_there = set(re.findall(r"\b(ZUNFT_\w+)=", (ROOT / "Dockerfile").read_text()))
    assert set_there
    assert set_there <= _known_to_hub()


@pytest.mark.parametrize("name", OUR_SERVICES)
def test_the_commands_exist_with_these_options(name: str) -> None:
    for words in _words_of(name):
        if words[:2] == ["ray", "start"]:
            ray_start.make_context("start", words[2:])
        else:
            assert words[0] == "zunft"
            _parse(words, _environment_of(name))


def test_robots_without_a_token_do_not_start() -> None:
    with pytest.raises(Exception, match="token"):
        _parse(_words_of("robots")[-1], _environment_of("robots") | {"ZUNFT_TOKEN": ""})


def _parse(words: list[str], environment: Mapping[str, str]) -> None:
    """Let the command line read these words, as far as just before it acts."""
    command: Any = typer.main.get_command(app)
    words = words[1:]
    while words and words[0] in (below := commands_of(command)):
        command, words = below[words[0]], words[1:]
    filled = [re.sub(r"\$(\w+)", lambda match: environment[match[1]], word) for word in words]
    assert not commands_of(command), words
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        command.make_context(command.name, filled)


def test_the_hub_can_open_its_store() -> None:
    settings = Settings(**_as_fields(_environment_of("hub")))
    keys = {"access_key": settings.s3_access_key, "secret_key": settings.s3_secret_key}
    open_store(settings.store, **{name: secret.get_secret_value() for name, secret in keys.items()})


def _as_fields(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix("ZUNFT_").lower(): value
        for name, value in environment.items()
        if name.startswith("ZUNFT_")
    }


def test_the_hubs_of_the_compose_file_start_at_once_on_postgresql_and_s3(tmp_path: Path) -> None:
    ports = free_ports(SERVICES["hub"]["deploy"]["replicas"])
    assert len(ports) > 1
    with postgres(tmp_path / "postgres") as database, s3_server(tmp_path / "s3") as s3, ExitStack() as stack:
        environment = _environment_of("hub") | {
            "ZUNFT_DATABASE_URL": database,
            "ZUNFT_STORE_URL": _environment_of("hub")["ZUNFT_STORE_URL"].replace("minio:9000", s3.endpoint),
            "ZUNFT_S3_ACCESS_KEY": s3.access_key,
            "ZUNFT_S3_SECRET_KEY": s3.secret_key,
            "ZUNFT_DATA_DIR": str(tmp_path / "data"),
        }
        (words,) = _words_of("hub")
        command = [str(BIN / words[0]), *words[1:]]
        hubs = []
        for port in ports:
            own = os.environ | environment | {"ZUNFT_PORT": str(port)}
            hubs.append(stack.enter_context(subprocess.Popen(command, env=own, cwd=tmp_path)))
            stack.callback(hubs[-1].terminate)
        for port, process in zip(ports, hubs, strict=True):
            eventually(partial(_is_healthy, port), alive=partial(_runs, process))
        assert s3.client().bucket_exists("zunft")
    assert not any(_is_healthy(port) for port in ports)


def _runs(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def _is_healthy(port: int) -> bool:
    _, *words = SERVICES["hub"]["healthcheck"]["test"]
    ask = [word.replace("8080", str(port)) for word in words]
    return subprocess.run([sys.executable, *ask[1:]], check=False, stderr=subprocess.DEVNULL).returncode == 0


def test_the_image_is_pinned_unprivileged_and_watched() -> None:
    assert re.search(
        r"^ARG PYTHON=3\.11\.\d+-slim\S*@sha256:[0-9a-f]{64}$",
        (ROOT / "Dockerfile").read_text(),
        re.MULTILINE,
    )
    assert all(rest.startswith("python:${PYTHON}") for word, rest in STEPS if word == "FROM")
    last_user = [rest for word, rest in STEPS if word == "USER"][-1]
    assert last_user not in {"root", "0"}
    assert "HEALTHCHECK" in [word for word, _ in STEPS]


def test_the_image_gets_every_package_and_the_builder_nothing_else() -> None:
    copied = {
        source
        for word, rest in STEPS
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
    assert {f"{source}*" for source in copied} >= set(packages["include"])
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert "*" in ignored
    assert all((ROOT / source).exists() for source in copied), copied
