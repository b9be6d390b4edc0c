from __future__ import annotations

from hub.withdrawals.lineage import Link, chain_to, touched_by

#  v1 - v2 - v3* - v4 - v5u - v6        * has the robot's delta, u was uploaded
#         \- v7*  \- v8                 and b1u of another skill was made from v4
LINKS = [
    Link("1", "a", 1, (), None),
    Link("2", "a", 2, ("1",), "r1"),
    Link("3", "a", 3, ("2",), "r2"),
    Link("4", "a", 4, ("3",), "r3"),
    Link("5", "a", 5, ("other", "4"), None),
    Link("6", "a", 6, ("5",), "r4"),
    Link("7", "a", 7, ("2",), "r5"),
    Link("8", "a", 8, ("3",), "r6"),
    Link("b1", "b", 1, ("4",), None),
    Link("b2", "b", 2, ("b1",), "r7"),
]
BY_DIGEST = {link.digest: link for link in LINKS}
TOUCHED = frozenset({"3", "4", "5", "6", "7", "8", "b1", "b2"})


def test_a_version_is_touched_by_its_round_or_through_any_parent() -> None:
    assert touched_by(LINKS, {"r2", "r5"}) == TOUCHED
    assert touched_by(LINKS, {"r6"}) == {"8"}
    assert touched_by(LINKS, {"nothing"}) == frozenset()


def test_the_chain_leads_from_the_last_untouched_version_to_the_stable_one() -> None:
    chain, anchor = chain_to(BY_DIGEST["6"], BY_DIGEST, TOUCHED)
    assert [link.digest for link in chain] == ["3", "4", "5", "6"]
    assert anchor == BY_DIGEST["2"]


def test_an_untouched_stable_version_has_no_chain() -> None:
    assert chain_to(BY_DIGEST["2"], BY_DIGEST, TOUCHED) == ([], BY_DIGEST["2"])


def test_a_chain_that_comes_out_of_another_skill_has_no_anchor() -> None:
    chain, anchor = chain_to(BY_DIGEST["b2"], BY_DIGEST, TOUCHED)
    assert [link.digest for link in chain] == ["b1", "b2"]
    assert anchor is None
