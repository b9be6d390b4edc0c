"""Who repeats a score says so under a key; the board shows who confirms, and who found something else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hub.leaderboards.confirmations import PAUSE, agrees
from hub.storage.blobs import blobs_of
from skills.attestations import attest
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.leaderboards import BOARD, BoardEntry, BoardPlan
from skills.messages.skills import ScoreView
from skills.predicates import Figures, Score
from skills.signing import SigningKey
from tests.hub.conftest import Hall, Headers, ok, tiny_skill
from tests.hub.leaderboards.samples import enter_score

KEY = SigningKey.generate()
SKILL = tiny_skill(name="good", task="weld-seam")
PATH = f"{API}/skills/good/versions/1/attestations"


def figures(successes: int, episodes: int = 2) -> Figures:
    return Figures(score=successes / episodes, low=0.0, high=1.0, episodes=episodes)


def score(hall: Hall, user: str, successes: int = 1, **changes: Any) -> Score:
    """As `enter_score` has it with one success of two on each arm."""
    said = Score(
        by=f"user:{user}",
        task="weld-seam",
        task_digest=hall.get("/tasks/weld-seam/leaderboard")["task_digest"],
        plan=BOARD,
        score=figures(1 + successes, 4),
        by_embodiment={"ur5e": figures(1), "panda": figures(successes)},
        made_with="a test",
        code="0",
    )
    return said.model_copy(update=changes)


def hand_in(hall: Hall, said: Score, by: Headers, key: SigningKey = KEY, subject: str = "") -> httpx.Response:
    envelope = attest(key, "good@1", subject or SKILL.digest, said).decode()
    return hall.client.post(PATH, json={"envelope": envelope}, headers=by)


@pytest.fixture
def scored(hall: Hall) -> Hall:
    ok(hall.publish(SKILL))
    hall.release(name="good")
    enter_score(hall, SKILL, 0.5)
    hall.organisation("North")
    hall.organisation("South")
    return hall


def entry(hall: Hall) -> BoardEntry:
    return BoardEntry.model_validate(hall.get("/tasks/weld-seam/leaderboard")["entries"][0])


def test_the_board_says_who_confirms_a_score_and_who_found_another(scored: Hall) -> None:
    ada, bo = scored.user("ada", "researcher", "North"), scored.user("bo", "researcher", "South")
    first = hand_in(scored, score(scored, "ada"), ada)
    assert first.status_code == 201
    assert hand_in(scored, score(scored, "ada"), ada).status_code == 200
    assert entry(scored).confirmed_in_words() == "confirmed by North"
    ok(hand_in(scored, score(scored, "bo", 2), bo, SigningKey.generate()))
    found = entry(scored)
    assert found.confirmed_in_words() == "confirmed by North; South measured 0.750"
    assert {each.organisation: each.agrees for each in found.confirmations} == {"North": True, "South": False}
    listed = {each["digest"]: each for each in scored.get("/skills/good/versions/1/attestations")}
    mine = listed[first.json()["digest"]]
    assert (mine["kind"], mine["signer"]) == ("score", KEY.public.text)
    assert digest_of(ok(scored.client.get(f"{PATH}/{mine['digest']}")).content) == mine["digest"]


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "measured by somebody else": ({"by": "user:bo"}, "hands it in"),
    "at another task": ({"task_digest": digest_of(b"other")}, "another task"),
    "with figures that do not add up": ({"score": figures(4, 4)}, "fit together"),
    "with part of a success": (
        {"by_embodiment": {"ur5e": figures(1), "panda": figures(1).model_copy(update={"score": 0.3})}},
        "fit together",
    ),
    "on no arm": ({"by_embodiment": {}}, "fit together"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_no_score_of_this_version_by_this_user_is_not_taken(scored: Hall, lie: str) -> None:
    ada, before = scored.user("ada", "researcher", "North"), scored.blobs()
    changes, reason = LIES[lie]
    error = scored.error(hand_in(scored, score(scored, "ada", **changes), ada), 422)
    assert reason in error["message"]
    assert scored.blobs() == before
    assert entry(scored).confirmations == ()


def test_neither_another_version_nor_a_forged_signature_is_taken(scored: Hall) -> None:
    ada, said = scored.user("ada", "researcher", "North"), score(scored, "ada")
    assert (
        "no score of v1" in scored.error(hand_in(scored, said, ada, subject=digest_of(b"x")), 422)["message"]
    )
    forged = attest(KEY, "good@1", SKILL.digest, said).decode()
    forged = forged.replace(KEY.public.text, SigningKey.generate().public.text)
    answer = scored.client.post(PATH, json={"envelope": forged}, headers=ada)
    assert "does not fit" in scored.error(answer, 422)["message"]


def test_a_user_says_one_thing_of_a_version_and_may_think_again_after_an_hour(scored: Hall) -> None:
    ada = scored.user("ada", "researcher", "North")
    first = ok(hand_in(scored, score(scored, "ada", 2), ada)).json()["digest"]
    scored.error(hand_in(scored, score(scored, "ada"), ada), 429)
    scored.clock.advance(PAUSE.total_seconds())
    second = ok(hand_in(scored, score(scored, "ada"), ada)).json()["digest"]
    assert [each.agrees for each in entry(scored).confirmations] == [True]
    with scored.services.storage.database.read() as session:
        named = {digest for _, digest in blobs_of(session)}
    assert (first in named, second in named) == (False, True)
    scored.tidy()
    assert first.removeprefix("sha256:") not in " ".join(scored.blobs())


def test_confirmations_count_as_uploads_of_the_organisation(scored: Hall) -> None:
    scored.organisation("West", quotas={"uploads_per_hour": 1})
    for name, status in (("ada", 201), ("al", 429)):
        user = scored.user(name, "researcher", "West")
        assert hand_in(scored, score(scored, name), user).status_code == status


def test_the_same_jobs_give_the_same_counts_and_others_what_chance_allows() -> None:
    hub = {"ur5e": ScoreView(score=0.5, low=0, high=1, episodes=64)}
    for successes, same, others in ((32, True, True), (33, False, True), (52, False, False)):
        theirs = {"ur5e": figures(successes, 64)}
        assert agrees(hub, theirs, same_jobs=True) == same
        assert agrees(hub, theirs, same_jobs=False) == others
    assert not agrees(hub, {"panda": figures(32, 64)}, same_jobs=False)
    assert BoardPlan(seed=1) != BOARD
