"""A robot of a small hall sees which halls above vouch for what it uses, and nobody else's robots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from skills.attestations import read_attestation
from skills.hall_chain import chain_of
from skills.predicates import Hall
from skills.signing import SigningKey
from skills.skill import Skill
from tests.hub.conftest import ADMIN
from tests.hub.serving import serving
from tests.zunft.halls.sites import Site, joined, lone, upper_hall
from zunft.cli import app

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str, list[str]]]:
    """The lowest of three halls with what came down through both others, its address, the ids of those."""
    folder = tmp_path_factory.mktemp("tower")
    with ExitStack() as stack:
        upper, address = stack.enter_context(upper_hall(folder / "upper"))
        upper.release(1)
        middle = lone(folder / "middle")
        near = stack.enter_context(serving(middle.app))
        between = joined(middle, address, upper, 0)
        between.comes_down(upper.skill(1).digest)
        lower = lone(folder / "lower")
        here = stack.enter_context(serving(lower.app))
        site = joined(lower, near, middle, 0)
        site.comes_down(middle.skill("stable").digest)
        yield site, here, [each.services.halls.memberships.hall for each in (middle, upper)]
        for each in (between, site):
            each.bridge.close()
        for hall in (upper, middle, lower):
            hall.client.close()


def word_of(site: Site) -> tuple[Skill, Hall]:
    version = site.hall.version("stable")
    listed = site.hall.get(f"/skills/reach/versions/{version.version}/attestations")
    (found,) = [each["digest"] for each in listed if each["kind"] == "hall"]
    path = f"/api/v1/skills/reach/versions/{version.version}/attestations/{found}"
    said = read_attestation(site.hall.client.get(path, headers=site.hall.operator).content).predicate
    assert isinstance(said, Hall)
    return site.hall.skill("stable"), said


def test_vouching_shows_both_halls_above(tower: tuple[Site, str, list[str]]) -> None:
    site, address, halls = tower
    told = RUNNER.invoke(
        app, ["skill", "vouch", "reach@stable", "--hub", address, "--token", ADMIN, "--json"]
    )
    assert told.exit_code == 0, told.output
    found = [each for each in json.loads(told.stdout)["attestations"] if each["kind"] == "above"]
    assert [each["says"]["hall"] for each in found] == halls
    assert [each["says"]["released"] for each in found] == [True, True]
    assert site.hall.services.halls.memberships.path().above == tuple(halls)


def test_each_link_is_held_to_the_numbers(tower: tuple[Site, str, list[str]]) -> None:
    skill, word = word_of(tower[0])
    good = chain_of(skill.tensors, word)
    assert [each.complaint for each in good] == ["", ""]
    assert all(each.gate and each.gate.decision != "rejected" for each in good)
    others = {name: tensor + np.float32(1e-3) for name, tensor in skill.tensors.items()}
    assert [bool(each.complaint) for each in chain_of(others, word)] == [True]


def test_nobodys_word_is_put_into_anothers_mouth(tower: tuple[Site, str, list[str]]) -> None:
    skill, word = word_of(tower[0])
    thief = SigningKey.generate().public.text
    for change in (
        {"hub_key": thief},
        {"gate_key": thief},
        {"hall": "sha256:" + "0" * 64},
        {"manifest": "{}"},
    ):
        assert chain_of(skill.tensors, word.model_copy(update=change))[0].complaint
    cut = word.model_copy(update={"vouched": ()})
    (alone,) = chain_of(skill.tensors, cut)
    assert replace(alone, hall="") == replace(alone, hall="", gate=None, released=False)


def test_no_robot_and_no_delta_of_others_is_in_it(tower: tuple[Site, str, list[str]]) -> None:
    _, word = word_of(tower[0])
    kinds = {read_attestation(each.encode()).kind for each in word.vouched}
    assert kinds == {"gate", "release", "hall"}
    assert '"merge"' not in word.model_dump_json()
