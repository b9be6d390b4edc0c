"""Atheris on the readers of skill and delta files: guided by which lines an input reaches.

`python -m tests.skills.fuzz_files SECONDS FOLDER`, as `make fuzz` runs it. FOLDER collects the inputs that
reached something new; a crash or a hang is written beside them and ends the run with a status above 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["skills"]):
    from tests.skills.hostile import READERS, hostile_files, outcome, real_files

SLOWEST = 20  # seconds for one input
MEMORY = 2048  # MB of the whole process, the fuzzer's own included
LONGEST = 20_000  # bytes of one input
FINE = {"bad_artefact", "bad_encoding", "wrong_shape", "not_finite", "read"}


def read_all(data: bytes) -> None:
    """Every reader; anything but a refusal or a reading is a finding."""
    for what, read in READERS.items():
        found = outcome(read, data)
        if found not in FINE:
            raise RuntimeError(f"{what}: {found}")


def main() -> None:
    """Fuzz for some seconds."""
    seconds, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (real_files() | hostile_files()).items():
        if len(data) <= LONGEST:
            (folder / name.replace(" ", "-")).write_bytes(data)
    options = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}"]
    findings = f"-artifact_prefix={folder}/"
    atheris.Setup([sys.argv[0], *options, f"-max_len={LONGEST}", findings, str(folder)], read_all)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
