"""Signatures: what is signed cannot be changed, moved or used for something else."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from skills.errors import SignatureError
from skills.signing import SigningKey, VerifyKey, delta_statement, skill_statement
from tests.skills.samples import other_spelling

KEY = SigningKey.generate()


@pytest.mark.parametrize("text", ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", "ed25519:%%%"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(SignatureError):
        VerifyKey(text).verify(KEY.sign(b"x"), b"x")


def test_statements_of_different_kinds_are_never_equal() -> None:
    digest = "sha256:" + "0" * 64
    assert skill_statement(digest) != delta_statement(digest)
    with pytest.raises(SignatureError):
        KEY.public.verify(KEY.sign(skill_statement(digest)), delta_statement(digest))


def test_a_key_file_is_private_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "robot" / "key.pem"
    first = SigningKey.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load_or_create(path).public == first.public


def test_a_damaged_key_file_is_an_error_and_not_a_new_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("nonsense")
    with pytest.raises(SignatureError, match="no private key"):
        SigningKey.load_or_create(path)
    assert path.read_text() == "nonsense"


def test_the_private_key_is_not_in_its_representation() -> None:
    assert KEY.to_pem().decode().splitlines()[1] not in repr(KEY) + str(KEY)


P = 2**255 - 19
EIGHTH = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)  # of order 8


def spelled(y: int, sign: int = 0) -> str:
    return "ed25519:" + base64.b64encode((y + (sign << 255)).to_bytes(32, "little")).decode()


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", [0, 1, P - 1, EIGHTH, P - EIGHTH, P, P + 1, 2**255 - 1])
def test_a_key_under_which_one_signature_fits_everything_is_refused(y: int, sign: int) -> None:
    key = VerifyKey(spelled(y, sign))
    forged = base64.b64encode((1).to_bytes(32, "little") + bytes(32)).decode()
    with pytest.raises(SignatureError, match="not a public key"):
        key.canonical()
    for number in range(16):  # some of them would fit
        with pytest.raises(SignatureError, match="not a public key"):
            key.verify(forged, b"statement %d" % number)


def test_a_key_has_one_canonical_spelling() -> None:
    text = KEY.public.text
    assert VerifyKey(text).canonical() == KEY.public
    assert VerifyKey(other_spelling(text)).canonical() == KEY.public
