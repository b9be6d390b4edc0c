"""MJCF of a bundle as MuJoCo gets it: includes resolved, every element looked at, no file left to open.

MuJoCo opens by name whatever it is not given, and it reads an XML file otherwise than its author might say
(encodings, entities). So it never sees the author's text: what was read and held to `envs.mjcf_elements` here
is written anew, and each mesh it names is given to it from memory. Which files a bundle may have is
`envs.bundle`, putting a robot into the scene `envs.scene`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from envs.mjcf_elements import ELEMENTS, MOST, MOST_ELEMENTS, UNITS
from skills.errors import ContractError

__all__ = ["Mjcf", "resolve"]

XML_LIMIT = 1024 * 1024
"""Bytes of one file."""
FILES_LIMIT = 16
DEPTH_LIMIT = 4
"""Files within files."""
ELEMENTS_LIMIT = 5_000
NESTING_LIMIT = 64
MESHES = {".msh", ".obj", ".stl"}
FOLDERS = ("assetdir", "meshdir", "texturedir")


@dataclass(frozen=True)
class Mjcf:
    """A document that asks for no file but those that come with it.

    Attributes:
        text: MJCF; each element is in the line in which its author has it, an included one in the include's.
        meshes: Contents by the names that the text has for them, which are their paths in the bundle.
    """

    text: str
    meshes: Mapping[str, bytes]


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str]
    place: str  # in the author's file, for people
    line: int  # of the text that MuJoCo gets
    children: list[_Element] = field(default_factory=list)


def resolve(name: str, files: Mapping[str, bytes]) -> Mjcf:
    """Read a file of a bundle with all that it includes.

    Args:
        name: Its path in the bundle.
        files: The bundle's files by path.

    Raises:
        ContractError: It is no MJCF, or has something that no bundle may have: names file, line and remedy.
    """
    document = _Resolver(files).read(name, at=None)
    counts = Counter(element.tag for element in _all(document))
    for tag, most in MOST_ELEMENTS.items():
        if counts[tag] > most:
            raise _refusal(document, f"{counts[tag]} elements <{tag}>", f"Keep it to {most}.")
    meshes = _give_meshes(document, files)
    lines: list[str] = []
    _write(document, lines)
    return Mjcf("\n".join(lines) + "\n", meshes)


class _Resolver:
    """Reads files, each once, and puts what they hold in the place of what includes them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._read: set[str] = set()
        self._count = 0

    def read(self, name: str, at: _Element | None, depth: int = 0) -> _Element:
        """The root of a file; `at` is the element that includes it."""
        if at is not None and (name in self._read or len(self._read) == FILES_LIMIT or depth > DEPTH_LIMIT):
            raise _refusal(
                at, f"{name} is included twice, or too deep", f"At most {FILES_LIMIT} files, each once."
            )
        self._read.add(name)
        root = _parsed(name, self._files[name])
        if root.tag != "mujoco" and (at is None or root.tag != "mujocoinclude"):
            raise _refusal(root, f"<{root.tag}> is no MJCF", "Begin with <mujoco>.")
        if root.tag == "mujoco":
            _check(root)
        self._look_at(root, at, depth)
        return root

    def _look_at(self, parent: _Element, at: _Element | None, depth: int) -> None:
        found: list[_Element] = []
        for element in parent.children:
            line = at.line if at else element.line
            self._count += 1
            if self._count > ELEMENTS_LIMIT:
                raise _refusal(element, "too many elements", f"Keep it to {ELEMENTS_LIMIT}.")
            element.line = line
            _check(element)
            if element.tag == "include":
                found += self.read(_inside(element, "", self._files), element, depth + 1).children
            else:
                self._look_at(element, at, depth)
                found.append(element)
        parent.children = found


def _parsed(name: str, content: bytes) -> _Element:
    """A file's elements; comments, processing instructions and text mean nothing in MJCF and are left out."""
    if len(content) > XML_LIMIT:
        raise ContractError("too large.", where=name, remedy=f"Keep MJCF files to {XML_LIMIT} bytes.")
    top = _Element("", {}, name, 0)
    above = [top]
    parser = expat.ParserCreate("utf-8")  # whatever the file says of itself

    def start(tag: str, attributes: dict[str, str]) -> None:
        line = parser.CurrentLineNumber
        element = _Element(tag, attributes, f"{name}:{line}", line)
        if len(above) > NESTING_LIMIT:
            raise _refusal(element, "elements are nested too deep", f"Keep it to {NESTING_LIMIT} levels.")
        above[-1].children.append(element)
        above.append(element)

    def doctype(*_: object) -> None:
        where = f"{name}:{parser.CurrentLineNumber}"
        raise ContractError(
            "entities are not read.", where=where, remedy="Write the values themselves, in UTF-8."
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: above.pop()
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ContractError(
            f"not XML: {error}.", where=f"{name}:{error.lineno}", remedy="Repair it at that line, in UTF-8."
        ) from error
    return top.children[0]


def _check(element: _Element) -> None:
    allowed = ELEMENTS.get(element.tag)
    if allowed is None:
        raise _refusal(
            element, f"<{element.tag}> is not taken from a bundle", "Use plain bodies, geoms, meshes."
        )
    for name, value in element.attributes.items():
        if name not in allowed:
            raise _refusal(
                element, f"{name!r} of <{element.tag}> is not taken from a bundle", "Leave it out."
            )
        if any(_endless(word) for word in value.split()):
            raise _refusal(element, f"{name}={value[:40]!r} is not finite", "Write a finite number.")
        most = MOST.get((element.tag, name))
        if most is not None and _number(value) > most:
            raise _refusal(
                element, f"{name}={value[:40]!r} is too much, or no whole number", f"Keep it to {most}."
            )


def _endless(word: str) -> bool:
    try:
        return not math.isfinite(float(word))
    except ValueError:
        return False


def _number(value: str) -> float:
    """As MuJoCo reads it, with a unit of bytes; what is no number is its to refuse."""
    found = re.fullmatch(r"\s*([0-9]{1,18})([KMGTPE]?)\s*", value, re.IGNORECASE)
    if found is None:
        return math.inf if value.strip() != "-1" else -1
    return int(found[1]) * UNITS[found[2].upper()]


def _give_meshes(document: _Element, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Name meshes by their paths in the bundle; the folders of the compiler are needed no longer."""
    folder = ""
    for element in _all(document):
        if element.tag == "compiler":
            for name in FOLDERS:
                if name in element.attributes:
                    _check_plain(element, element.attributes[name])
            folder = element.attributes.get("meshdir", element.attributes.get("assetdir", folder))
            for name in FOLDERS:
                element.attributes.pop(name, None)
    given: dict[str, bytes] = {}
    for element in _all(document):
        if element.tag == "mesh" and "file" in element.attributes:
            name = _inside(element, folder, files)
            if PurePosixPath(name).suffix.lower() not in MESHES:
                raise _refusal(element, f"{name} is no mesh", f"Meshes end in {', '.join(sorted(MESHES))}.")
            element.attributes.setdefault("name", PurePosixPath(name).stem)
            element.attributes["file"] = name
            given[name] = files[name]
    return given


def _inside(element: _Element, folder: str, files: Mapping[str, bytes]) -> str:
    """The path in the bundle of the file that an element names."""
    value = element.attributes.get("file", "")
    _check_plain(element, value)
    name = PurePosixPath(folder, value).as_posix()
    if name not in files:
        raise _refusal(element, f"the bundle has no file {name!r}", "Paths begin in the bundle's folder.")
    return name


def _check_plain(element: _Element, value: str) -> None:
    pure = PurePosixPath(value)
    if pure.is_absolute() or ".." in pure.parts or "\\" in value or ":" in value:
        raise _refusal(element, f"{value!r} lies outside of the bundle", "Copy the file into the bundle.")


def _all(element: _Element) -> Iterator[_Element]:
    yield element
    for child in element.children:
        yield from _all(child)


def _write(element: _Element, lines: list[str]) -> None:
    """One element after the other, each in its line or after it."""
    lines += [""] * (element.line - len(lines))
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in element.attributes.items())
    lines[-1] += f"<{element.tag}{attributes}>"
    for child in element.children:
        _write(child, lines)
    lines[-1] += f"</{element.tag}>"


def _refusal(element: _Element, message: str, remedy: str) -> ContractError:
    return ContractError(f"{message}.", where=element.place, remedy=remedy)
