"""`zunft campaign`: what is written on the command line is what the hub takes as an order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from envs.task import load_task
from fleet.client import OperatorClient
from hub.settings import Settings
from skills.errors import RequestError, ZunftError
from skills.messages.campaigns import CampaignRequest, CampaignView, Phase
from skills.messages.low_rank import LowRank
from skills.messages.plans import MergePlan, TrainingPlan
from skills.messages.training import Imitation, Ppo
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, tiny_skill
from zunft.cli import app
from zunft.commands import campaign
from zunft.new_skill import new_skill

RUNNER = CliRunner()


class _Within(httpx.BaseTransport):
    """Requests go straight into the hub's app."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        headers = {name: value for name, value in request.headers.items() if name != "host"}
        answer = self._hall.client.request(request.method, target, content=request.read(), headers=headers)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content)
        )


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    settings = Settings.model_validate({"data_dir": tmp_path, "admin_token": ADMIN, "console": False})
    found = Hall(settings, StubGate(), Hands())
    ok(found.publish(tiny_skill()))
    monkeypatch.setattr(
        campaign, "connect", lambda hub, token: OperatorClient.open(hub, token, _Within(found))
    )
    yield found
    found.close()


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["campaign", *arguments, "--token", ADMIN], env={"COLUMNS": "200"})


def plan_of(*arguments: str) -> MergePlan:
    result = run("start", "reach", *arguments, "--json")
    assert result.exit_code == 0, result.exception
    found: dict[str, Any] = json.loads(result.output)
    return MergePlan.model_validate(found["order"]["merge"])


def ordered(*arguments: str) -> CampaignRequest:
    """What a campaign that is stopped at once was ordered to do."""
    result = run("start", *arguments, "--json")
    assert result.exit_code == 0, result.exception
    campaign = CampaignView.model_validate_json(result.output)
    run("stop", campaign.campaign_id)
    return campaign.order


def test_without_options_a_campaign_is_merged_as_ever(hall: Hall) -> None:
    assert plan_of() == MergePlan()
    assert hall.get("/campaigns")[0]["order"]["merge"]["step"] == 1.5


def test_every_part_of_a_merge_can_be_ordered_and_is_shown(hall: Hall) -> None:
    words = "--quorum 5 --rule trimmed-mean --option trim=.2 --option byzantine=1 --clip 3 --mixing"
    found = plan_of(*words.split(), "--optimiser", "adam", "--max-staleness", "2")
    assert found == MergePlan(
        rule="trimmed-mean",
        options={"trim": 0.2, "byzantine": 1},
        clip=3,
        mixing=True,
        optimiser="adam",
        max_staleness=2,
    )
    hall.turn()
    shown = run("show", hall.get("/campaigns")[0]["campaign_id"])
    assert shown.exit_code == 0, shown.exception
    assert "clip 3, mixing, trimmed-mean (trim 0.2, byzantine 1)" in shown.output
    assert "adam, learning rate 0.01" in shown.output
    assert "staleness up to 2" in shown.output


def test_unlike_robots_can_be_asked_for_variates_and_moments_and_are_shown_so(hall: Hall) -> None:
    plan_of("--variates", "--moments", "--share", "policy")
    order = hall.get("/campaigns")[0]["order"]
    assert TrainingPlan.model_validate(order["training"]) == TrainingPlan(
        variates=True, moments=True, share="policy"
    )
    hall.turn()
    shown = run("show", hall.get("/campaigns")[0]["campaign_id"])
    assert "policy, control variates, moments" in shown.output


def test_factors_can_be_asked_for_and_are_shown_so(hall: Hall) -> None:
    plan_of("--low-rank", "1")
    order = hall.get("/campaigns")[0]["order"]
    assert TrainingPlan.model_validate(order["training"]) == TrainingPlan(low_rank=LowRank(rank=1))
    assert order["merge"]["momentum"] == 0  # whatever the task advises: momentum has no factors
    hall.turn()
    shown = run("show", hall.get("/campaigns")[0]["campaign_id"])
    assert "policy, critic, factors of rank 1" in shown.output


def test_what_is_not_said_is_as_the_task_advises_and_the_order_says_all(hall: Hall, tmp_path: Path) -> None:
    ok(hall.publish(new_skill("swing-load", seed=0)))
    advice = load_task("swing-load").file.training.order()
    order = ordered("swing-load")
    assert (order.rounds, order.training, order.merge) == (advice.rounds, advice.training, advice.merge)

    words = "--rounds 5 --no-moments --learner ppo --knob discount=.9 --rule median"
    order = ordered("swing-load", *words.split())
    plain = advice.training.model_copy(update={"moments": False, "learner": Ppo(discount=0.9)})
    merge = advice.merge.model_copy(update={"rule": "median"})
    assert (order.rounds, order.training, order.merge) == (5, plain, merge)

    order = ordered("swing-load", "--teach", "--master-iterations", "20", "--practice-after", "9")
    assert order.training.learner == Imitation(batch=4160, minibatch=1560, master_iterations=20)
    practice = TrainingPlan(iterations=1, variates=True, share="policy")
    assert order.then == (Phase(rounds=9, training=practice),)

    file = tmp_path / "order.json"
    file.write_text('{"training": {"iterations": 2}, "quorum": 3}')
    order = ordered("swing-load", "--order", str(file))
    assert order.training == advice.training.model_copy(update={"iterations": 2})
    assert (order.rounds, order.quorum, order.merge) == (60, 3, advice.merge)


@pytest.mark.usefixtures("hall")
def test_starting_says_what_was_ordered() -> None:
    said = run("start", "reach", "--rounds", "5").output
    assert "5 rounds of 3 iterations as the task advises; robots send policy, critic; merged by mean," in said


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--moments", "training: moments are made of variates: order these, too"),
        ("--variates --rule ties", "a control variate is a mean, and ties makes none"),
        ("--low-rank 1 --variates", "training: variates are gradients of whole matrices"),
        ("--low-rank 1 --rule median", "median looks at single numbers of each delta"),
        ("--low-rank 1 --optimiser adam", "adam, learning rate 0.01 keeps a number for each weight"),
        ("--rule krum", "options.byzantine: rule krum needs the option 'byzantine'"),
        ("--rule krum --option byzantine=1", "needs 5 updates or more, not 2"),
        ("--rule median --option trim=.2", "rule median has no option 'trim'"),
        ("--option trim", "is no option. Write NAME=NUMBER"),
        ("--clip 0", "merge.clip: Input should be greater than 0"),
    ],
)
def test_a_merge_that_makes_no_sense_is_refused_in_words(hall: Hall, words: str, found: str) -> None:
    result = run("start", "reach", *words.split())
    assert isinstance(result.exception, ZunftError)
    assert found in str(result.exception)
    assert hall.get("/campaigns") == []


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ('{"rounds": 0}', "rounds", "greater than or equal to 1"),
        ('{"merge": {"rule": "mean", "clip": "much"}}', "merge.clip", "number"),
        ("[1]", "order.json", "object"),
        ("{", "order.json", "no JSON"),
    ],
)
@pytest.mark.usefixtures("hall")
def test_what_is_wrong_in_an_order_file_is_named_in_a_sentence(
    text: str, where: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "order.json"
    file.write_text(text)
    refused = run("start", "reach", "--order", str(file)).exception
    assert isinstance(refused, RequestError)
    assert refused.where.endswith(where)
    assert words in refused.message
    assert "\n" not in str(refused)


def test_an_order_file_need_not_repeat_the_skill(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"rounds": 5, "merge": {"rule": "trimmed-mean", "options": {"trim": 0.2}}}')
    assert run("start", "reach", "--order", str(file)).exit_code == 0
    order = hall.get("/campaigns")[0]["order"]
    assert (order["skill"], order["rounds"], order["merge"]["rule"]) == ("reach", 5, "trimmed-mean")


def order_of(hall: Hall, *words: str) -> CampaignRequest:
    result = run("start", "reach", *words)
    assert result.exit_code == 0, result.exception
    hall.turn()
    return CampaignRequest.model_validate(hall.get("/campaigns")[0]["order"])


def test_teaching_orders_masters_and_lessons_and_where_asked_practice_after_them(hall: Hall) -> None:
    found = order_of(hall, "--teach", "--rounds", "4", "--practice-after", "2", "--learner", "ppo")
    lessons, practice = found.stretches
    assert (lessons.last, practice.first, practice.last) == (4, 5, 6)
    assert lessons.training == TrainingPlan(
        learner=Imitation(master_iterations=4 * 3), variates=True, share="policy"
    )
    assert practice.training == TrainingPlan(learner=Ppo(), variates=True, share="policy")
    shown = run("show", hall.get("/campaigns")[0]["campaign_id"])
    assert "0 of 6" in shown.output
    words = " ".join(shown.output.split())
    assert "robots learn by imitation, master iterations 12, and send policy, control variates" in words
    assert "rounds 5 to 6" in shown.output


def test_teaching_alone_orders_lessons_and_masters_as_long_as_one_says(hall: Hall) -> None:
    found = order_of(hall, "--teach", "--master-iterations", "5", "--moments")
    assert (found.rounds, found.then, found.training.master_iterations) == (16, (), 5)
    assert (found.training.variates, found.training.moments) == (True, True)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--practice-after 2", "are for campaigns that teach. Add --teach."),
        ("--master-iterations 2", "are for campaigns that teach. Add --teach."),
        ("--teach --learner ppo", "--learner: lessons are learned by imitation"),
        ("--teach --rule ties", "a control variate is a mean, and ties makes none"),
    ],
)
def test_teaching_that_makes_no_sense_is_refused_in_words(hall: Hall, words: str, found: str) -> None:
    result = run("start", "reach", *words.split())
    assert isinstance(result.exception, ZunftError)
    assert found in str(result.exception)
    assert hall.get("/campaigns") == []


@pytest.mark.usefixtures("hall")
def test_the_gates_figures_are_options_and_what_is_not_said_stays() -> None:
    words = "--margin .04 --alpha .01 --power .8 --most-episodes 960 --on-weak-arm release_others"
    order = ordered("reach", *words.split(), "--contributions")
    gate = order.gate
    assert (gate.margin, gate.alpha, gate.power, gate.most) == (0.04, 0.01, 0.8, 960)
    assert (gate.on_weak_arm, gate.arm_margin, order.contributions) == ("release_others", 0.25, True)
    assert ordered("reach").gate.on_weak_arm == "reject"


def test_robots_in_a_round_are_shown(hall: Hall) -> None:
    started = json.loads(run("start", "reach", "--json").output)["campaign_id"]
    assert "None of your robots was given this round." in run("robots", started).output
    robot = hall.enrol("welder")
    hall.turn()
    assert robot.assignment() is not None
    shown = run("robots", started)
    for words in (robot.robot_id, "welder", "working"):
        assert words in shown.output
    (told,) = json.loads(run("robots", started, "--json").output)["items"]
    assert (told["robot_id"], told["state"]) == (robot.robot_id, "working")
