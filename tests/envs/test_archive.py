"""Archives from anybody: packed bit for bit the same, unpacked whole or not at all, never outside."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs.archive import pack, unpack
from envs.bundle import BUNDLES, TOTAL_LIMIT, bundle_names, digest_folder
from skills.errors import ArtefactError, ContractError
from tests.envs.bundles import SMALL, copied, small_bundle
from tests.envs.opened import opened
from tests.envs.test_mjcf import MESH, ROUTES, compiled, with_

PLACES = ["scene.xml", "tool.xml", "more.txt", "more.xml", "m.obj", "../more.xml"]
PIECES = [
    *ROUTES.values(),
    '<include file="more.txt"/>',
    '<include file="more.xml"/>',
    '<include file="m.obj"/>',
    MESH,
    '<worldbody><geom size="0.1"/></worldbody>',
]
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@pytest.mark.parametrize("name", bundle_names())
def test_a_bundle_comes_out_as_it_went_in(name: str, tmp_path: Path) -> None:
    archive = pack(BUNDLES / name)
    assert pack(copied(name, tmp_path)) == archive
    unpack(archive, tmp_path / "out")
    assert digest_folder(tmp_path / "out") == digest_folder(BUNDLES / name)


def test_what_is_no_bundle_is_not_packed(tmp_path: Path) -> None:
    bundle = small_bundle(tmp_path / "Bundle")
    (bundle / "run.sh").write_text("echo never")
    with pytest.raises(ContractError, match=r"\.sh"):
        pack(bundle)


def archive_of(*entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return gzip.compress(plain.getvalue(), mtime=0)


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (archive_of(("../out.toml", b"x")), "no name"),
        (archive_of(("/etc/passwd.txt", b"x")), "no name"),
        (archive_of(("a/../../b.txt", b"x")), "no name"),
        (archive_of(("a\\..\\b.txt", b"x")), "no name"),
        (archive_of((".hidden.toml", b"x")), "no name"),
        (archive_of(("run.py", b"x")), "no name"),
        (archive_of(("c:task.toml", b"x")), "no name"),
        (archive_of(("task.toml", b"x"), ("task.toml", b"y")), "twice"),
        (archive_of(("task.toml", b"x"), ("TASK.toml", b"y")), "twice"),
        (archive_of(("task", b"x"), ("task/a.toml", b"y")), "file and folder"),
        (archive_of(special("task.toml", tarfile.SYMTYPE, "/etc/passwd")), "plain file"),
        (archive_of(special("task.toml", tarfile.LNKTYPE, "/etc/passwd")), "plain file"),
        (archive_of(special("task.toml", tarfile.FIFOTYPE)), "plain file"),
        (archive_of(special("folder", tarfile.DIRTYPE)), "plain file"),
        (archive_of(*[(f"f{number}.txt", b"") for number in range(300)]), "too much"),
        (gzip.compress(bytes(TOTAL_LIMIT * 4), mtime=0), "inflates"),
        (archive_of(), "empty"),
        (b"", "cut off"),
        (b"PK\3\4 a zip file", "not gzip"),
        (gzip.compress(b"no tar at all" * 100, mtime=0), "not a tar"),
        (archive_of(("task.toml", b"x"))[:-9], "cut off"),
        (archive_of(("task.toml", b"x")) + b"more", "more follows"),
        (bytes(TOTAL_LIMIT + 1), "bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "archive",
)
def test_a_bad_archive_is_refused_and_leaves_nothing(archive: bytes, said: str, tmp_path: Path) -> None:
    place = tmp_path / "inner"
    place.mkdir()
    with pytest.raises(ArtefactError, match=said) as caught:
        unpack(archive, place / "out")
    assert caught.value.remedy
    assert list(place.iterdir()) == []
    assert list(tmp_path.iterdir()) == [place]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="already"):
        unpack(pack(BUNDLES / "weld-seam"), tmp_path)


def never_escapes(archive: bytes, folder: Path, change: Callable[[Path], None] = lambda _: None) -> None:
    place = Path(folder) / "inner"
    place.mkdir(exist_ok=True)
    target = place / "out"
    try:
        unpack(archive, target)
    except ArtefactError:
        assert list(place.iterdir()) == []
    else:
        assert list(place.iterdir()) == [target]
        change(target)
    finally:
        for path in sorted(place.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        place.rmdir()
    assert list(Path(folder).iterdir()) == []


@quick
@given(st.binary(max_size=2000))
def test_random_bytes_never_escape(tmp_path: Path, content: bytes) -> None:
    never_escapes(content, tmp_path)
    never_escapes(gzip.compress(content), tmp_path)


@quick
@given(st.dictionaries(st.sampled_from(PLACES), st.lists(st.sampled_from(PIECES), max_size=3), max_size=4))
def test_no_archive_makes_anybody_open_a_file_outside(
    outside: Path, tmp_path: Path, parts: dict[str, list[str]]
) -> None:
    """Packed by a stranger, unpacked and loaded: refused or taken, and nothing of the machine is opened."""
    texts = {"scene.xml": "", **{name: "".join(each).format(outside=outside) for name, each in parts.items()}}
    entries = {
        name: with_(text) if name == "scene.xml" else f"<mujoco>{text}</mujoco>"
        for name, text in texts.items()
    }
    archive = archive_of(("task.toml", SMALL.encode()), *((n, text.encode()) for n, text in entries.items()))
    target = tmp_path / "Bundle"
    with opened(outside) as names, suppress(ArtefactError, ContractError):
        unpack(archive, target)
        compiled(target)
    assert names == []
    shutil.rmtree(target, ignore_errors=True)


PLAIN = gzip.decompress(pack(BUNDLES / "weld-seam"))


@quick
@given(st.lists(st.tuples(st.integers(0, 1600), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_in_headers_never_escape(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    changed = bytearray(PLAIN)
    for place, value in flips:
        changed[place % len(changed)] = value
    never_escapes(gzip.compress(bytes(changed), compresslevel=1), tmp_path)
