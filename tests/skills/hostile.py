"""Files made to cost their reader time or memory, and how they are made from real ones.

`python -m tests.skills.hostile` reads each of them with little memory and little time, and prints as JSON
what became of it.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import zstandard

from skills.container import pack
from skills.delta import Delta, DeltaHeader, EncodedDelta, subtract
from skills.errors import ZunftError
from skills.skill import Skill
from tests.skills.samples import small_skill

SHAPES = small_skill().manifest.network.shapes()
CODECS = ("raw", "fp16", "int8", "raw+zstd", "int8+zstd")
MEMORY = 384 * 2**20  # bytes of address space beyond what the process has before
SECONDS = 60  # of processor time for all files together
PLACE = '{"dtype": "F32", "shape": [%s], "data_offsets": [0, 0]}'
HEADER = DeltaHeader(base=small_skill().digest, round_id="r1", robot_id="ada", codec="raw", samples=100)
READERS: dict[str, Callable[[bytes], object]] = {
    "skill": Skill.from_bytes,
    "delta": lambda data: EncodedDelta.from_bytes(data, SHAPES),
    "decoded delta": lambda data: Delta.from_bytes(data, SHAPES),
}


def real_files() -> dict[str, bytes]:
    """A skill, and a delta by each codec."""
    tensors = subtract(small_skill(1).tensors, small_skill().tensors)
    deltas = {name: Delta(HEADER.model_copy(update={"codec": name}), tensors).to_bytes() for name in CODECS}
    return {"skill": small_skill().to_bytes(), **deltas}


def with_header(header: str, body: bytes = b"") -> bytes:
    """A file with any header."""
    data = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(data)) + data + body


def document(**tensors: str) -> str:
    """The header of a delta with these tensors, as JSON."""
    meta = f'"__metadata__": {json.dumps({"zunft": HEADER.model_dump_json()})}'
    return "{" + ", ".join([meta, *(f'"{name}": {place}' for name, place in tensors.items())]) + "}"


def hostile_files() -> dict[str, bytes]:
    """Files by what is bad about them."""
    deep = "[" * 400_000
    digits = "9" * 4000
    nested = "[" * 900 + "1" + "]" * 900
    places = f'{{"dtype": "F32", "shape": [0], "data_offsets": {nested}}}'
    frames = zstandard.ZstdCompressor(level=19)
    window = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    wide = zstandard.ZstdCompressor(compression_params=window).compressobj()
    return {
        "a bomb of a gigabyte": _bomb(2**30),
        "a bomb of many frames": frames.compress(bytes(2**20)) * 2000,
        "a window of a gigabyte": wide.compress(real_files()["raw"]) + wide.flush(),
        "deep": with_header(deep),
        "deep and closed": with_header(f'{{"a": {deep}{"]" * 400_000}}}'),
        "a deep document": with_header(json.dumps({"__metadata__": {"zunft": deep}})),
        "half a million lists": with_header('{"a": [' + "[]," * 330_000 + "[]]}"),
        "a shape beyond memory": with_header(document(log_std=PLACE % "1099511627776, 1099511627776")),
        "a shape of nothing times all": with_header(document(log_std=PLACE % f"0, {10**30}")),
        "a shape of huge numbers": with_header(document(log_std=PLACE % ",".join([digits] * 240))),
        "a shape of many axes": with_header(document(log_std=PLACE % ",".join(["2"] * 300_000))),
        "places within places": with_header(document(a=places, b=places)),
        "a length beyond the file": struct.pack("<Q", 2**63) + b"{}",
        "a long type": with_header(document(a=(PLACE % "0").replace("F32", "x" * 900_000))),
        "a long name": with_header(document(**{"n" * 900_000: PLACE % "0"})),
        "a name that is no text": with_header(document(**{"\\ud800": PLACE % "0"})),
        "a long field": pack(json.dumps({**HEADER.model_dump(), "x" * 900_000: 1}), {}),
        "a long metric": pack(json.dumps({**HEADER.model_dump(), "metrics": {"x" * 900_000: 1}}), {}),
        "a vast network": pack(_vast_manifest(), {}),
    }


def outcome(read: Callable[[bytes], object], data: bytes) -> str:
    """The refusal's code, `read`, or what went wrong."""
    try:
        read(data)
    except ZunftError as error:
        text = str(error)
        sayable = text.encode("utf-8", "replace").decode() == text and len(text) < 3000
        return error.code if sayable else f"{error.code}, but not to be said: {text[:100]!r}"
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return f"{type(error).__name__}: {error}"[:300]
    return "read"


def _bomb(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join([packer.compress(bytes(2**24)) for _ in range(size // 2**24)]) + packer.flush()


def _vast_manifest() -> str:
    manifest: dict[str, Any] = small_skill().manifest.model_dump()
    manifest["network"] |= {"hidden": [65_536] * 32}
    return json.dumps(manifest)


def main() -> None:
    """Read all of them under limits."""
    files = hostile_files()
    with open("/proc/self/statm") as pages:  # noqa: PTH123 - a file of the kernel
        held = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    found = {}
    for name, data in files.items():
        started = time.process_time()
        outcomes = {reader: outcome(read, data) for reader, read in READERS.items()}
        found[name] = {"outcomes": outcomes, "seconds": time.process_time() - started}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
