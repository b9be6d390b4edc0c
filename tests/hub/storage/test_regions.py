"""Regions on real stores: blobs of a pinned organisation lie in its store, and nothing takes them away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from hub.app import create_app
from hub.operations.backup import back_up
from hub.operations.rebuild import rebuild
from hub.operations.restore import restore
from hub.settings import Settings
from hub.storage.database import Database, SettingsError
from hub.storage.notify import Bell
from hub.storage.objects import StoreError
from hub.storage.regions import HOME, connect_stores
from skills.errors import NotFoundError
from skills.messages.base import API
from tests.hub.conftest import Hall, Hands, Robot, StubGate, ok, random_tensors, tiny_skill
from tests.hub.servers import S3Server, s3_server
from zunft.cli import app

BUCKET = "zunft-eu"
IN_EU = 10
"""Two versions; two deltas, one of which came from an organisation without a region; the optimiser's state;
and who vouches: for the merge, and of both versions for what the gate found and for their release."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def settings(settings: Settings, s3: S3Server, tmp_path: Path) -> Settings:
    """Two regions: `eu` on S3 with keys of its own, `us` in a folder."""
    return Settings.model_validate(
        {
            **settings.model_dump(),
            "regions": {
                "eu": f"s3://{BUCKET}/{tmp_path.name}?endpoint={s3.endpoint}&secure=0&create=1",
                "us": (tmp_path / "us").as_uri(),
            },
            "region_keys": {"eu": {"access_key": s3.access_key, "secret_key": s3.secret_key}},
        }
    )


@dataclass
class Pinned:
    """North is pinned to `eu` and has had a round of its skill; others looked on."""

    hall: Hall
    robots: dict[str, Robot]
    campaign_id: str
    s3: S3Server
    prefix: str

    def in_eu(self) -> set[str]:
        listed = self.s3.client().list_objects(BUCKET, prefix=self.prefix, recursive=True)
        return {str(entry.object_name).rsplit("/", 1)[1] for entry in listed}


@pytest.fixture
def pinned(settings: Settings, clock: Hands, s3: S3Server, tmp_path: Path) -> Iterator[Pinned]:
    hall = Hall(settings, StubGate(), clock)
    hall.services.storage.stores.check()
    hall.organisation("North", region="eu", visibility="guild")
    hall.organisation("West", region="us")
    robots = {place: hall.enrol(place, organisation=place) for place in ("North", "West", "guild")}
    base = tiny_skill()
    ok(hall.publish(base, hall.user("olga", "operator", "North")))
    campaign_id = hall.start(quorum=2, target=2, rounds=2)
    hall.turn()
    for number, place in enumerate(("North", "guild")):
        work = robots[place].assignment()
        assert work is not None
        data = robots[place].delta(work, random_tensors(base, number))
        ok(robots[place].push(work.round_id, data))
    hall.turn()
    yield Pinned(hall, robots, campaign_id, s3, tmp_path.name)
    hall.close()


def test_all_blobs_of_a_pinned_organisation_lie_in_its_region(pinned: Pinned) -> None:
    hall = pinned.hall
    assert hall.version("stable").version == 2
    vouchers = [
        sorted(each["kind"] for each in hall.get(f"/skills/reach/versions/{number}/attestations"))
        for number in (1, 2)
    ]
    assert vouchers == [["gate", "release"], ["gate", "merge", "release"]]
    assert len(pinned.in_eu()) == IN_EU
    assert hall.blobs() == set()
    ok(hall.publish(tiny_skill(name="elsewhere")))
    assert len(hall.blobs()) == 1
    assert len(pinned.in_eu()) == IN_EU


def test_the_file_comes_from_the_region_and_from_nowhere_else(pinned: Pinned) -> None:
    hall, version = pinned.hall, pinned.hall.version("stable")
    assert hall.skill("stable").digest == version.digest
    eu, home = hall.services.storage.stores.of("eu"), hall.services.storage.store
    data = eu.get(version.digest)
    home.put(version.digest, data)
    eu.delete(version.digest)
    hall.error(hall.client.get(f"{API}/skills/reach/versions/stable/file"), 404)
    eu.put(version.digest, data)
    assert hall.skill("stable").digest == version.digest


def test_a_merge_is_made_again_from_the_regions_store(pinned: Pinned) -> None:
    found = rebuild(pinned.hall.settings, "reach", "stable", lambda _done, _total: None)
    assert (found.same, found.deltas) == (True, 2)
    assert pinned.hall.blobs() == set()


def test_deltas_of_a_pinned_organisation_never_leave_its_region(pinned: Pinned) -> None:
    hall, west = pinned.hall, pinned.robots["West"]
    work = pinned.robots["North"].assignment()
    assert west.assignment() is None
    assert work is not None
    data = west.delta(work, random_tensors(tiny_skill(), 3))
    before = pinned.in_eu()
    assert hall.error(west.push(work.round_id, data), 409)["code"] == "wrong_region"
    assert pinned.in_eu() == before
    assert "ur5e" in hall.round(work.round_id).waiting_for  # the other two, not the west's
    assert hall.round(work.round_id).waiting_for.startswith("0 of 2")


def test_a_region_is_fixed_once_something_is_stored(pinned: Pinned) -> None:
    hall = pinned.hall
    for name, region in (("North", "us"), ("North", ""), ("guild", "eu")):
        answer = hall.client.put(
            f"{API}/organisations/{name}", json={"region": region}, headers=hall.operator
        )
        assert hall.error(answer, 409)["code"] == "region_in_use"  # of the guild it is a robot's delta
    hall.organisation("East")
    moved = {"region": "us", "visibility": "private"}
    ok(hall.client.put(f"{API}/organisations/East", json=moved, headers=hall.operator))
    assert hall.get("/organisations/East")["region"] == "us"
    answer = hall.client.put(f"{API}/organisations/East", json={"region": "mars"}, headers=hall.operator)
    assert "eu, us" in hall.error(answer, 404)["remedy"]


def test_a_hub_that_lost_a_region_does_not_start(pinned: Pinned) -> None:
    without = pinned.hall.settings.model_copy(update={"regions": {}, "region_keys": {}})
    with pytest.raises(SettingsError, match="region eu"):
        create_app(without)


def test_a_regions_store_counts_for_readiness(pinned: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreError("the region is down.")

    monkeypatch.setattr(pinned.hall.services.storage.stores.of("us"), "check", fail)
    assert pinned.hall.error(pinned.hall.client.get("/readyz"), 503)["message"] == "the region is down."


def quiet(_done: int, _total: int) -> None:
    """No progress bar."""


def moved(settings: Settings, folder: Path, s3: S3Server) -> Settings:
    """Another hub with stores of its own in regions of the same names."""
    regions = {
        "eu": f"s3://{BUCKET}/{folder.name}-new?endpoint={s3.endpoint}&secure=0&create=1",
        "us": (folder / "us").as_uri(),
    }
    return settings.model_copy(update={"data_dir": folder / "hub", "regions": regions})


def test_a_backup_leaves_a_region_out_unless_it_is_named(
    pinned: Pinned, tmp_path: Path, s3: S3Server
) -> None:
    hall = pinned.hall
    ok(hall.publish(tiny_skill(name="elsewhere")))
    _, manifest = back_up(hall.settings, tmp_path / "out.tar", hall.clock(), progress=quiet)
    assert manifest.left_out == {"eu": IN_EU}
    assert len([name for name in manifest.members if "sha256" in name]) == 1
    path, manifest = back_up(hall.settings, tmp_path / "in.tar", hall.clock(), regions=["eu"], progress=quiet)
    assert manifest.left_out == {}
    assert len([name for name in manifest.members if name.startswith("regions/eu/sha256/")]) == IN_EU
    with pytest.raises(NotFoundError, match="mars"):
        back_up(hall.settings, tmp_path / "x.tar", hall.clock(), regions=["mars"], progress=quiet)
    new = moved(hall.settings, tmp_path / "new", s3)
    assert restore(new, path, hub_key=None, progress=quiet).absent == {}
    copy(hall.settings.key_path, new.key_path)
    other = Pinned(Hall(new, StubGate(), hall.clock), {}, "", s3, "new-new")
    assert other.in_eu() == pinned.in_eu()
    assert len(other.hall.blobs()) == 1
    assert other.hall.skill("stable").digest == hall.version("stable").digest
    other.hall.close()


def test_restoring_says_what_the_regions_store_lacks(pinned: Pinned, tmp_path: Path, s3: S3Server) -> None:
    hall = pinned.hall
    path, _ = back_up(hall.settings, tmp_path / "out.tar", hall.clock(), progress=quiet)
    same = hall.settings.model_copy(update={"data_dir": tmp_path / "same"})
    assert restore(same, path, hub_key=None, progress=quiet).absent == {}
    empty = moved(hall.settings, tmp_path / "empty", s3)
    connect_stores(empty).check()
    assert restore(empty, path, hub_key=None, progress=quiet).absent == {"eu": IN_EU}
    without = hall.settings.model_copy(update={"data_dir": tmp_path / "without", "regions": {}})
    with pytest.raises(SettingsError, match="region eu"):
        restore(without, path, hub_key=None, progress=quiet)
    database = Database(without.database, Bell())
    assert database.schema()[0]
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM skills").scalar() == 0
    database.close()


def test_the_command_says_what_it_left_out(
    pinned: Pinned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = pinned.hall.settings
    keys = settings.region_keys["eu"]
    monkeypatch.setenv("ZUNFT_REGIONS", json.dumps(settings.regions))
    monkeypatch.setenv(
        "ZUNFT_REGION_KEYS",
        json.dumps(
            {"eu": {name: getattr(keys, name).get_secret_value() for name in ("access_key", "secret_key")}}
        ),
    )
    where = ["--data-dir", str(settings.data_dir)]
    out = CliRunner().invoke(app, ["hub", "backup", str(tmp_path / "out.tar"), *where])
    assert out.exit_code == 0, out.output
    assert f"Left out: {IN_EU} blobs of the region eu" in out.stderr
    named = CliRunner().invoke(
        app, ["hub", "backup", str(tmp_path / "in.tar"), "--region", "eu", *where, "--json"]
    )
    assert (json.loads(named.stdout)["blobs"], json.loads(named.stdout)["left_out"]) == (IN_EU, {})
    assert "Left out" not in named.stderr


FOLDERS = {"store_url": "file:///srv/a", "regions": {"eu": "file:///srv/b"}}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"regions": {"eu": "file:///srv/a/"}}, "one place"),
        ({"regions": {"eu": "file:///srv/b", "us": "file:///srv/b"}}, "one place"),
        ({"regions": {"EU": "file:///srv/b"}}, "pattern"),
        ({"regions": {"": "file:///srv/b"}}, "pattern"),
        ({"region_keys": {"us": {"access_key": "a", "secret_key": "b"}}}, "us"),
        ({"region_keys": {"eu": {"access_key": "a"}}}, "secret_key"),
    ],
)
def test_regions_that_make_no_sense_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        Settings.model_validate({**FOLDERS, **change})


def test_a_regions_address_that_cannot_be_used_is_named() -> None:
    settings = Settings.model_validate({**FOLDERS, "regions": {"eu": "ftp://srv/b"}})
    with pytest.raises(StoreError, match="ftp") as caught:
        connect_stores(settings)
    assert caught.value.where == "regions.eu"
    with pytest.raises(StoreError, match="'mars'"):
        connect_stores(Settings.model_validate(FOLDERS)).of("mars")
    assert connect_stores(Settings.model_validate(FOLDERS)).regions == ("eu",)
    assert HOME not in connect_stores(Settings.model_validate(FOLDERS)).regions
