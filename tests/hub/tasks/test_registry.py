"""Publishing tasks over HTTP: whose they are, what is refused before anything is kept, and what is signed."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from envs.archive import pack
from envs.bundle import BUNDLES, TOTAL_LIMIT, bundle_names, digest_folder
from hub.access.principal import Principal
from hub.access.visibility import may_see, seen_task_versions
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from hub.workers.job import Checked
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.skills import Visibility
from skills.messages.tasks import FindingView, TaskVersionView, TaskView
from skills.messages.users import Role
from skills.signing import SigningKey, task_statement
from tests.hub.conftest import Hall, Robot, ok
from tests.hub.tasks.samples import Found, checker_of, list_all, publish, small_archive, states

BAD = Checked(findings=(FindingView(check="reads", passed=False, text="task.toml:7: no", remedy="Mend."),))


def version_of(answer: httpx.Response) -> TaskVersionView:
    return TaskVersionView.model_validate_json(ok(answer).content)


def test_a_bundle_is_kept_signed_and_counted(hall: Hall) -> None:
    archive = small_archive()
    answer = publish(hall, archive)
    version = version_of(answer)
    assert answer.status_code == 201
    assert (version.task, version.version, version.state) == ("small", 1, "checking")
    assert (version.digest, version.size) == (digest_of(archive), len(archive))
    assert version.licence == "Apache-2.0"
    statement = task_statement("small", 1, version.digest)
    key = SigningKey.load_or_create(hall.settings.key_path).public
    key.verify(version.signature, statement)
    with hall.services.storage.database.read() as session:
        assert session.get_one(OrganisationRow, "guild").stored_bytes == len(archive)
    assert [each["action"] for each in hall.get("/audit")][-1] == "task.published"


def test_the_same_archive_again_changes_nothing(hall: Hall) -> None:
    first, again = publish(hall, small_archive()), publish(hall, small_archive())
    assert (first.status_code, again.status_code) == (201, 200)
    assert version_of(first) == version_of(again)
    assert version_of(publish(hall, small_archive(title="Another"))).version == 2


def test_a_name_of_the_package_takes_only_the_package_s_bundle(hall: Hall) -> None:
    refused = hall.error(publish(hall, small_archive("weld-seam")), 422)
    assert refused["code"] == "name_of_package"
    for name in bundle_names():
        version = version_of(publish(hall, pack(BUNDLES / name)))
        assert version.bundle == digest_folder(BUNDLES / name)


def test_a_name_belongs_to_who_published_it_first(hall: Hall) -> None:
    for place in ("North", "South"):
        hall.organisation(place)
    north, south = hall.user("nora", "researcher", "North"), hall.user("sam", "researcher", "South")
    ok(publish(hall, small_archive(), north, "guild"))
    taken = hall.error(publish(hall, small_archive(title="Mine"), south), 409)
    assert taken["code"] == "name_taken"  # not listed: nobody else sees it
    list_all(hall)
    assert hall.error(publish(hall, small_archive(title="Mine"), south), 403)["code"] == "not_yours"
    assert len(states(hall)) == 1


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, len(content), link
        tar.addfile(info, io.BytesIO(content))
    return gzip.compress(plain.getvalue())


BAD_ARCHIVES: dict[str, Callable[[], bytes]] = {
    "traversal": lambda: entry("../task.toml", b"x"),
    "absolute": lambda: entry("/etc/task.toml", b"x"),
    "link": lambda: entry("task.toml", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "hard link": lambda: entry("task.toml", kind=tarfile.LNKTYPE, link="scene.xml"),
    "device": lambda: entry("task.toml", kind=tarfile.CHRTYPE),
    "bomb": lambda: gzip.compress(bytes(4 * TOTAL_LIMIT)),
    "random bytes": lambda: bytes(range(256)) * 40,
    "nothing": lambda: b"",
    "cut off": lambda: small_archive()[:-20],
    "no task": lambda: entry("scene.xml", b"<mujoco/>"),
    "code": lambda: entry("task.py", b"print()"),
    "wrapped environment": lambda: small_archive(
        toml='format = "zunft.wrapped/1"\nname = "small"\ntitle = "x"\nlicence = "MIT"\n'
    ),
    "no licence": lambda: small_archive(toml='format = "zunft.task/1"\nname = "small"\ntitle = "x"\n'),
}


@pytest.mark.parametrize("what", BAD_ARCHIVES)
def test_a_bad_archive_writes_nothing(hall: Hall, what: str) -> None:
    before = hall.blobs()
    error = hall.error(publish(hall, BAD_ARCHIVES[what]()), 422)
    assert error["remedy"]
    assert str(hall.settings.data_dir) not in str(error)
    assert hall.blobs() == before
    assert states(hall) == {}


def test_a_body_over_the_limit_is_not_read(hall: Hall) -> None:
    hall.error(publish(hall, bytes(TOTAL_LIMIT + 1)), 413)
    assert states(hall) == {}


def test_quotas_hold(hall: Hall) -> None:
    hall.organisation("North", quotas={"uploads_per_hour": 1, "storage_bytes": 10_000})
    nora = hall.user("nora", "researcher", "North")
    ok(publish(hall, small_archive(), nora))
    assert hall.error(publish(hall, small_archive("other"), nora), 429)["code"] == "quota_uploads"
    hall.organisation("South", quotas={"storage_bytes": 100})
    sam = hall.user("sam", "researcher", "South")
    assert hall.error(publish(hall, small_archive("third"), sam), 413)["code"] == "quota_storage"
    assert len(hall.blobs()) == 1


def test_a_refused_task_says_why_to_its_own_and_nothing_to_others(hall: Hall) -> None:
    for place in ("North", "South"):
        hall.organisation(place)
    north, south = hall.user("nora", "researcher", "North"), hall.user("sam", "operator", "South")
    ok(publish(hall, small_archive(), north, "guild"))
    checker_of(hall, Found(BAD)).work()
    path = f"{API}/tasks/small"
    shown = version_of(hall.client.get(f"{path}/versions/1", headers=north))
    assert (shown.state, shown.findings) == ("refused", BAD.findings)
    for theirs in (path, f"{path}/versions/1", f"{path}/versions/1/file"):
        assert hall.client.get(theirs, headers=south).status_code == 404
    assert hall.client.get(f"{API}/tasks", headers=south).json()["items"] == []
    ok(publish(hall, small_archive(title="Better"), north))
    list_all(hall)
    view = TaskView.model_validate_json(ok(hall.client.get(path, headers=south)).content)
    assert (view.latest, view.versions, view.title) == (2, (2,), "Better")


def test_the_file_has_its_digest_as_etag_and_comes_in_ranges(hall: Hall) -> None:
    archive = small_archive()
    version = version_of(publish(hall, archive))
    path = f"{API}/tasks/small/versions/1/file"
    whole = ok(hall.client.get(path, headers=hall.operator))
    assert (whole.content, whole.headers["etag"]) == (archive, f'"{version.digest}"')
    part = hall.client.get(path, headers={**hall.operator, "Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, archive[5:10])
    known = hall.client.get(path, headers={**hall.operator, "If-None-Match": f'"{version.digest}"'})
    assert known.status_code == 304


def test_the_database_sees_as_the_rules_do(hall: Hall) -> None:
    viewers = [
        None,
        Principal("ada", "admin", "guild"),
        *(Principal(f"{role} of {place}", role, place) for place in ("North", "South") for role in ROLES),
    ]
    visibilities: tuple[Visibility, ...] = ("private", "organisation", "guild")
    for place in ("North", "South"):
        hall.organisation(place)
    publisher = Principal("researcher of North", "researcher", "North")
    for visibility in visibilities:
        for wanted in ("listed", "refused"):
            with hall.services.storage.spool.file() as file:
                file.write(small_archive(f"{wanted}-{visibility}"))
                hall.services.tasks.registry.publish(file, by=publisher, visibility=visibility)
            checker_of(hall, Found() if wanted == "listed" else Found(BAD)).work()
    with hall.services.storage.database.read() as session:
        for viewer in viewers:
            shown = set(session.scalars(select(TaskVersionRow.task).where(seen_task_versions(viewer))))
            for task in session.scalars(select(TaskRow)):
                may = may_see(viewer, task.organisation, task.visibility, {publisher.actor})
                is_own = viewer is not None and (viewer.role == "admin" or viewer.organisation == "North")
                expected = may and (is_own or task.name.startswith("listed"))
                assert (task.name in shown) == expected, (viewer, task.name)


ROLES: tuple[Role, ...] = ("robot", "researcher", "operator")


def test_robots_look_and_do_not_publish(hall: Hall) -> None:
    robot: Robot = hall.enrol("one")
    ok(publish(hall, small_archive(), None, "guild"))
    list_all(hall)
    assert ok(robot.request("GET", "/tasks/small")).json()["latest"] == 1
    assert robot.request("POST", "/tasks", small_archive()).status_code == 403


def test_an_upload_killed_between_blob_and_row_is_sent_again(hall: Hall) -> None:
    archive = small_archive()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blob"
        path.write_bytes(archive)
        hall.services.storage.store.put_file(digest_of(archive), path)
    assert publish(hall, archive).status_code == 201
    assert len(hall.blobs()) == 1
