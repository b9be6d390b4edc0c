"""What MuJoCo gets of a bundle: all of it looked at, and no file of the machine opened."""

from __future__ import annotations

import re
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

import mujoco
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs.embodiment import ARMS, OWN_FOLDER
from envs.mjcf import resolve
from envs.mjcf_elements import ELEMENTS, MOST
from envs.scene import build_model
from envs.task import load_task
from envs.workshop import data_sheet
from skills.errors import ContractError
from tests.envs.bundles import SCENE, TETRAHEDRON, small_bundle
from tests.envs.opened import opened

MESH = '<asset><mesh file="m.obj"/></asset><worldbody><geom type="mesh" mesh="m"/></worldbody>'
ROUTES = {
    "include": '<include file="{outside}/parts.xml"/>',
    "mesh": MESH.replace("m.obj", "{outside}/m.obj"),
    "mesh folder": '<compiler meshdir="{outside}"/>' + MESH,
    "asset folder": '<compiler assetdir="{outside}"/>' + MESH,
    "back": MESH.replace("m.obj", "../outside/m.obj"),
    "texture": '<asset><texture name="t" type="2d" file="{outside}/t.png"/></asset>',
    "sky": '<asset><texture type="skybox" fileright="{outside}/t.png"/></asset>',
    "height field": '<asset><hfield name="h" size="1 1 1 1" file="{outside}/h.bin"/></asset>'
    '<worldbody><geom type="hfield" hfield="h"/></worldbody>',
    "huge height field": '<asset><hfield name="h" size="1 1 1 1" nrow="9000" ncol="9000"/></asset>'
    '<worldbody><geom type="hfield" hfield="h"/></worldbody>',
    "skin": '<asset><skin file="{outside}/s.skn"/></asset>',
    "flex": '<worldbody><body><flexcomp name="f" type="mesh" file="{outside}/m.obj"/></body></worldbody>',
    "model": '<asset><model name="o" file="{outside}/parts.xml"/></asset>'
    '<worldbody><frame><attach model="o" body="part" prefix="o"/></frame></worldbody>',
    "plug-in": '<extension><plugin plugin="mujoco.sdf.torus"/></extension>',
    "composite": '<worldbody><body><composite type="cable" count="9000 1 1"/></body></worldbody>',
    "replicate": '<worldbody><replicate count="90000"><geom size="1"/></replicate></worldbody>',
}


def written(folder: Path, scene: str, **files: str | bytes) -> Path:
    """A bundle with these files beside the usual ones; `__` in a name stands for a dot."""
    bundle = small_bundle(folder / "Bundle", scene=scene)
    for name, content in files.items():
        path = bundle / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return bundle


def with_(more: str) -> str:
    return SCENE.replace("</mujoco>", f"{more}</mujoco>")


def compiled(bundle: Path) -> mujoco.MjModel:
    task = load_task(bundle)
    return build_model(task, data_sheet(task.file, "ur5e"), drawn=True)


@pytest.mark.parametrize("place", ["scene", "included", "included as text", "tool"])
@pytest.mark.parametrize("route", ROUTES)
def test_nothing_outside_is_opened_by_any_route(
    route: str, place: str, outside: Path, tmp_path: Path
) -> None:
    more = ROUTES[route].format(outside=outside)
    inner = f"<mujoco>{more}</mujoco>"
    bundles = {
        "scene": lambda: written(tmp_path, with_(more)),
        "included": lambda: written(tmp_path, with_('<include file="more.xml"/>'), more__xml=inner),
        "included as text": lambda: written(tmp_path, with_('<include file="more.txt"/>'), more__txt=inner),
        "tool": lambda: written(tmp_path, SCENE, tool__xml=inner),
    }
    with opened(outside) as names:
        with pytest.raises(ContractError) as caught:
            compiled(bundles[place]())
        assert caught.value.where.startswith(("scene.xml:", "more.", "tool.xml:"))
        assert caught.value.remedy
    assert names == []


def test_the_watch_sees_what_mujoco_opens(outside: Path) -> None:
    with opened(outside) as names:
        text = f"<mujoco>{ROUTES['mesh'].format(outside=outside)}</mujoco>"
        assert mujoco.MjSpec.from_string(text).compile().nmesh == 1
    assert names == ["m.obj"]


def test_an_include_is_as_if_its_elements_stood_there(tmp_path: Path) -> None:
    ball = '<geom name="ball" size="0.1"/>'
    inner = f'<mujoco><worldbody>{ball}</worldbody><sensor><clock name="now"/></sensor></mujoco>'
    (tmp_path / "a").mkdir()
    apart = written(tmp_path / "a", with_('<include file="parts.txt"/>'), parts__txt=inner)
    whole = written(tmp_path, with_(inner.removeprefix("<mujoco>").removesuffix("</mujoco>")))
    one, other = compiled(apart), compiled(whole)
    assert one.ngeom == other.ngeom
    assert one.geom("ball").size[0] == 0.1
    assert one.sensor("now").id == other.sensor("now").id


@pytest.mark.parametrize("folder", ["", '<compiler meshdir="."/>', '<compiler assetdir="./"/>'])
def test_meshes_of_scene_tool_and_arm_come_from_where_they_belong(
    folder: str, outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not from where the process happens to stand, which has files of the same names."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.obj").write_bytes(TETRAHEDRON.replace(b"1", b"1.5", 1))
    arm = (ARMS / "ur5e.xml").read_text()
    shape = '<geom type="mesh" mesh="mine" mass="0" contype="0" conaffinity="0"/><site name="tool"'
    arm = arm.replace('<site name="tool"', shape).replace(
        "<worldbody>", '<asset><mesh file="mine.obj"/></asset><worldbody>'
    )
    (own / "mine.xml").write_text(arm)
    monkeypatch.setenv(OWN_FOLDER, str(own))
    monkeypatch.chdir(outside)
    large = TETRAHEDRON.replace(b"v 1", b"v 9")
    tool = f"<mujoco>{MESH}</mujoco>".replace('"m.obj"', '"n.obj"').replace('"m"', '"n"')
    bundle = written(tmp_path, with_(folder + MESH), m__obj=large, tool__xml=tool, n__obj=large)
    task = load_task(bundle)
    with opened(outside) as names:
        model = build_model(
            task, data_sheet(task.file, "ur5e").model_copy(update={"embodiment": "mine"}), drawn=True
        )
    assert names == []
    sizes = {model.mesh(number).name: int(width(model, number)) for number in range(model.nmesh)}
    assert sizes == {"m": 9, "arm/mine": 1, "arm/tool/n": 9}


def width(model: mujoco.MjModel, mesh: int) -> float:
    start, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
    vertices = model.mesh_vert[start : start + count]
    return float(max(((one - other) ** 2).sum() ** 0.5 for one in vertices for other in vertices))


def test_a_complaint_of_mujoco_names_the_author_s_line(tmp_path: Path) -> None:
    scene = SCENE.replace(
        "<worldbody>", '<!-- of\nthree\nlines -->\n<worldbody>\n<geom\n name="a"\n size="x"/>'
    )
    line = scene.splitlines().index("<geom") + 1
    with pytest.raises(ContractError, match=f"line {line}\\b"):
        compiled(written(tmp_path, scene))


SCHEMA: dict[str, set[str]] = {}
for _line in mujoco.mj_printSchema(False, False).splitlines():
    if _found := re.match(r" *\(?([a-z_0-9()]+) \([!*?R]\) *(.*)", _line):
        _tag = "body" if "body" in _found[1] and "world" in _found[1] else _found[1]
        _last = SCHEMA.setdefault(_tag, set())
        _last |= set(_found[2].split())
    else:
        _last |= set(_line.split())
NOT_PRINTED = {"include", "worldbody", "frame"}


def test_the_list_has_nothing_that_mujoco_does_not_know() -> None:
    assert set(ELEMENTS) - set(SCHEMA) == NOT_PRINTED
    assert {tag: found for tag in set(ELEMENTS) - NOT_PRINTED if (found := ELEMENTS[tag] - SCHEMA[tag])} == {}
    assert all(attribute in ELEMENTS[tag] for tag, attribute in MOST)
    assert {tag for tag in ELEMENTS if any(name.startswith("file") for name in ELEMENTS[tag])} == {
        "include",
        "mesh",
    }


@pytest.mark.parametrize("tag", sorted(set(SCHEMA) - set(ELEMENTS)))
def test_what_is_not_on_the_list_is_refused_wherever_it_stands(tag: str) -> None:
    for outer in ("mujoco", "worldbody", "asset", "default", "body", "sensor"):
        text = f"<mujoco><{outer}><{tag}/></{outer}></mujoco>"
        with pytest.raises(ContractError, match="not taken"):
            resolve("scene.xml", {"scene.xml": text.encode()})


PARTS = [f"{number}.xml" for number in range(20)]


def include(*names: str) -> bytes:
    return ("<mujoco>" + "".join(f'<include file="{name}"/>' for name in names) + "</mujoco>").encode()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"scene.xml": include("scene.xml")}, "twice"),
        ({"scene.xml": include("a.xml"), "a.xml": include("scene.xml")}, "twice"),
        ({"scene.xml": include("a.xml", "a.xml"), "a.xml": b"<mujoco/>"}, "twice"),
        ({f"{n or 'scene'}.xml": include(f"{n + 1}.xml") for n in range(9)}, "too deep"),
        ({"scene.xml": include(*PARTS)} | dict.fromkeys(PARTS, b"<mujoco/>"), "At most 16"),
        ({"scene.xml": include("no.xml")}, "no file"),
        ({"scene.xml": include("task.toml"), "task.toml": b"format = 1"}, "not XML"),
        ({"scene.xml": b'<mujoco><include file="a.xml" prefix="x"/></mujoco>'}, "prefix"),
        ({"scene.xml": b"<robot/>"}, "no MJCF"),
        ({"scene.xml": b"<mujoco>" + b"<light/>" * 5001 + b"</mujoco>"}, "too many"),
        ({"scene.xml": b"<mujoco><worldbody>" + b"<geom/>" * 501 + b"</worldbody></mujoco>"}, "501 elements"),
        ({"scene.xml": b"<mujoco>" + b"<body>" * 99 + b"</body>" * 99 + b"</mujoco>"}, "nested"),
        ({"scene.xml": b"<mujoco/>" + b" " * 2**20}, "too large"),
        ({"scene.xml": b'<mujoco><size memory="65M"/></mujoco>'}, "memory='65M' is too much"),
        ({"scene.xml": b'<mujoco><size memory="1E"/></mujoco>'}, "too much"),
        ({"scene.xml": b'<mujoco><visual><global offwidth="99999"/></visual></mujoco>'}, "too much"),
        ({"scene.xml": b'<mujoco><worldbody><geom size="1 nan 1"/></worldbody></mujoco>'}, "not finite"),
        ({"scene.xml": b'<mujoco><worldbody><geom size="1e999"/></worldbody></mujoco>'}, "not finite"),
        ({"scene.xml": b'<mujoco><asset><mesh file="a.png"/></asset></mujoco>', "a.png": b""}, "no mesh"),
        ({"scene.xml": b'<!DOCTYPE m [<!ENTITY a "aa">]><mujoco>&a;</mujoco>'}, "entities"),
        ({"scene.xml": b"\0<mujoco/>"}, "not XML"),
        ({"scene.xml": b""}, "not XML"),
    ],
)  # fmt: skip
def test_a_document_without_end_or_reason_is_refused_with_its_place(
    files: dict[str, bytes], said: str
) -> None:
    with pytest.raises(ContractError, match=re.escape(said)) as caught:
        resolve("scene.xml", files)
    assert re.match(r"\w+\.(xml|toml)", caught.value.where)
    assert caught.value.remedy


def test_mujoco_and_this_read_the_same_text() -> None:
    """Whatever encoding a file claims, and wherever else two readers differ: MuJoCo gets what was read."""
    hidden = '<extension><plugin plugin="mujoco.sdf.torus"/></extension>'
    texts = (
        f'<?xml version="1.0" encoding="cp037"?>{SCENE}',
        with_(f"<!-- {hidden} -->"),
        with_(f"<![CDATA[{hidden}]]>"),
        with_(f"<?hidden {hidden} ?>"),
        with_(f"<default class='&lt;/default>{hidden.replace('<', '&lt;')}'/>"),
    )
    for text, code in (*((each, "utf-8") for each in texts), (SCENE, "utf-16")):
        given = resolve("scene.xml", {"scene.xml": text.encode(code)})
        assert "<extension" not in given.text
        assert resolve("scene.xml", {"scene.xml": given.text.encode()}) == given


names = st.sampled_from([*SCHEMA, "include", "frame", "replicate", "composite", "xyz"])
values = st.sampled_from(
    [
        "more.txt",
        "m.obj",
        "{outside}/m.obj",
        "{outside}",
        "../outside/m.obj",
        ".",
        "1",
        "1 2 3",
        "m",
        "nan",
        "mesh",
    ]
)
attributes = st.dictionaries(
    st.sampled_from(
        ["file", "name", "mesh", "type", "size", "meshdir", "model", "plugin", "fileright", "class"]
    ),
    values,
    max_size=3,
)
Tree = tuple[str, dict[str, str], list[Any]]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.tuples(names, attributes, st.just([])),
    lambda inner: st.tuples(names, attributes, st.lists(inner, max_size=3)),
    max_leaves=8,
)
GOOD = ["asset", "mesh", "worldbody", "body", "geom", "compiler", "include"]
likely: st.SearchStrategy[Tree] = st.tuples(
    st.sampled_from(GOOD),
    attributes,
    st.lists(st.tuples(st.sampled_from(GOOD), attributes, st.just([])), max_size=3),
)


def in_xml(tree: Tree, outside: Path) -> str:
    tag, attributes, children = tree
    said = "".join(f' {name}="{value.format(outside=outside)}"' for name, value in attributes.items())
    return f"<{tag}{said}>{''.join(in_xml(child, outside) for child in children)}</{tag}>"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(st.lists(st.one_of(trees, likely), max_size=4), st.lists(st.one_of(trees, likely), max_size=4))
def test_random_documents_never_open_a_file_outside(
    outside: Path, scene: list[Tree], more: list[Tree]
) -> None:
    files = {
        "scene.xml": "<mujoco>{}</mujoco>".format("".join(in_xml(tree, outside) for tree in scene)).encode(),
        "more.txt": "<mujoco>{}</mujoco>".format("".join(in_xml(tree, outside) for tree in more)).encode(),
        "m.obj": TETRAHEDRON,
    }
    # Refused by us, or by MuJoCo.
    with chdir(outside), opened(outside) as names, suppress(ContractError, ValueError):
        given = resolve("scene.xml", files)
        with mujoco.MjVfs() as vfs:
            for name, content in given.meshes.items():
                vfs[name] = content
            mujoco.MjSpec.from_string(given.text).compile(vfs)
    assert names == []
