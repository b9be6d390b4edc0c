"""Checks in the background: real examinations, broken limits, and processes that die."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.archive import pack
from envs.bundle import BUNDLES
from envs.task import load_task
from fleet.client import OperatorClient
from hub.access.principal import Principal
from hub.queue.leased_queue import Held
from hub.settings import Settings
from hub.workers.job import Checked, JobAbandonedError
from skills.messages.campaigns import CampaignPlan
from skills.messages.tasks import TaskVersionView
from tests.envs.bundles import SCENE, SMALL
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.running import running_hub
from tests.hub.tasks.samples import Found, checker_of, publish, small_archive, states, template_bundle
from zunft.new_skill import new_skill

ROOT = Principal("admin", "admin", "guild")


def checked(hall: Hall, archive: bytes) -> TaskVersionView:
    answer = TaskVersionView.model_validate_json(ok(publish(hall, archive)).content)
    hall.services.tasks.checker.work()
    return hall.services.tasks.registry.version(answer.task, answer.version, ROOT)


def test_a_good_bundle_is_listed_with_its_facts(hall: Hall, tmp_path: Path) -> None:
    version = checked(hall, pack(template_bundle(tmp_path / "Bundle", "stack-bricks")))
    assert version.state == "listed", version.findings
    assert version.facts is not None
    assert version.facts.embodiments
    assert version.facts.contract.observation_size > 0
    assert [event.kind for event in hall.services.events.log.after(0, ROOT).events][-1] == "task.listed"
    assert not list((hall.settings.data_dir / "spool").glob("checking-*"))


def test_what_a_published_task_advises_is_told_to_who_may_order(hall: Hall, tmp_path: Path) -> None:
    bundle = template_bundle(tmp_path / "Bundle", "stack-bricks")
    with (bundle / "task.toml").open("a") as file:
        file.write("\n[training.campaign]\nrounds = 60\ntraining = { variates = true }\n")
    assert checked(hall, pack(bundle)).state == "listed"
    ok(hall.publish(new_skill(str(bundle), seed=0)))
    advice = CampaignPlan.model_validate(hall.get("/skills/stack-bricks/advice"))
    assert advice == load_task(bundle).file.training.order()
    assert (advice.rounds, advice.training.variates) == (60, True)
    ok(hall.publish(tiny_skill()))  # for a task that this hub does not know
    assert hall.get("/skills/reach/advice") == CampaignPlan().model_dump(mode="json")


def test_a_bundle_that_fails_a_check_names_file_line_and_remedy(hall: Hall) -> None:
    version = checked(hall, small_archive(toml=SMALL.replace("horizon = 20", 'horizon = "x"')))
    assert version.state == "refused"
    (finding,) = version.findings
    assert finding.text.startswith("task.toml:7: horizon:")
    assert finding.remedy
    assert str(hall.settings.data_dir) not in version.model_dump_json()


def test_one_that_is_too_easy_is_refused_and_the_next_one_is_checked(hall: Hall) -> None:
    easy = checked(hall, small_archive())
    assert {each.check for each in easy.findings if not each.passed} == {"asks for skill"}
    assert checked(hall, small_archive("other")).state == "refused"
    assert [event.kind for event in hall.services.events.log.after(0, ROOT).events] == ["task.refused"] * 2


GREEDY = SCENE.replace("<worldbody>", '<size memory="60M"/><worldbody>')


@pytest.mark.parametrize(
    ("limits", "toml", "scene", "check"),
    [
        ({"check_seconds": 1.5}, SMALL.replace("horizon = 20", "horizon = 20000"), SCENE, "time"),
        ({"check_cpu_seconds": 2}, SMALL.replace("horizon = 20", "horizon = 20000"), SCENE, "time"),
        ({"check_memory": 1200 * 2**20}, SMALL, GREEDY, "memory"),
    ],
    ids=["wall clock", "processor", "memory"],
)
def test_a_greedy_bundle_is_refused_in_words_and_the_hub_goes_on(
    settings: Settings, clock: Hands, limits: dict[str, float], toml: str, scene: str, check: str
) -> None:
    hall = Hall(settings.model_copy(update=limits), StubGate(), clock)
    version = checked(hall, small_archive(toml=toml, scene=scene))
    assert version.state == "refused"
    (failed,) = [each for each in version.findings if not each.passed]
    assert failed.check == check
    assert "ZUNFT_CHECK_" in failed.text
    assert failed.remedy
    assert hall.get("/tasks")[0]["state"] == "refused"
    hall.close()


def test_the_hub_s_own_task_is_listed(hall: Hall) -> None:
    """All six are published in test_registry and examined in tests/envs; one goes the whole way here."""
    assert checked(hall, pack(BUNDLES / "hover-inspect")).state == "listed"


def test_a_check_that_was_abandoned_is_done_by_the_next_process(hall: Hall) -> None:
    class Stopped(Found):
        def run(self, *_: object) -> Checked:
            raise JobAbandonedError("the hub is going down.")

    ok(publish(hall, small_archive()))
    going_down = checker_of(hall, Stopped())
    assert not going_down.step()
    assert states(hall) == {"small/1": "checking"}
    assert checker_of(hall, Found()).step()
    assert states(hall) == {"small/1": "listed"}


def test_a_process_that_died_in_a_check_is_succeeded_once_its_lease_is_over(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Found):
        def run(self, *_: object) -> Checked:
            raise KeyboardInterrupt

    ok(publish(hall, small_archive()))
    with monkeypatch.context() as patch:
        patch.setattr(Held, "put_down", lambda _: None)
        with pytest.raises(KeyboardInterrupt):
            checker_of(hall, Killed()).work()
    other = checker_of(hall, Found())
    assert not other.step()
    hall.clock.advance(hall.settings.lease_seconds + 1)
    assert other.step()
    assert states(hall) == {"small/1": "listed"}


def test_of_two_that_check_the_first_decides(hall: Hall) -> None:
    ok(publish(hall, small_archive()))
    other = checker_of(hall, Found())

    class Slow(Found):
        def run(self, *_: object) -> Checked:
            hall.clock.advance(hall.settings.lease_seconds + 1)
            assert other.step()
            return Checked(findings=())

    assert not checker_of(hall, Slow()).step()
    assert states(hall) == {"small/1": "listed"}
    assert len(hall.services.events.log.after(0, ROOT).events) == 1


def test_a_hub_that_is_killed_in_the_middle_of_a_check_goes_on(tmp_path: Path) -> None:
    archive = pack(template_bundle(tmp_path / "Bundle", "stack-bricks"))
    fast = {"ZUNFT_LEASE_SECONDS": "1"}
    with running_hub(tmp_path / "hub", **fast) as hub:
        OperatorClient.open(hub.address, ADMIN).publish_task(archive)
        eventually(lambda: list((tmp_path / "hub" / "spool").glob("checking-*")))
        hub.kill()
    with running_hub(tmp_path / "hub", **fast) as hub:
        operator = OperatorClient.open(hub.address, ADMIN)
        eventually(lambda: operator.task_version("stack-bricks", 1).state != "checking")
        assert operator.task_version("stack-bricks", 1).state == "listed"
