"""A robot tunes the version in use for its home, between rounds and once for each version.

How is `fleet.personal`'s; what comes of it lies on disk, so that no version is tuned twice.
"""

from __future__ import annotations

from fleet.personal import Tuning, personalise
from fleet.place import Iteration, Place, RobotError
from fleet.progress import Voice
from fleet.robot_folder import Personal, RobotFolder
from skills.errors import ZunftError
from skills.manifest import Digest
from skills.skill import Skill

__all__ = ["HomeTuning", "in_words"]


class HomeTuning:
    """One robot's own layer over whichever version of a skill it uses."""

    def __init__(
        self, skill: str, workbench: RobotFolder, place: Place, voice: Voice, tuning: Tuning
    ) -> None:
        self._skill = skill
        self._bench = workbench
        self._place = place
        self._voice = voice
        self._tuning = tuning
        self._failed: set[Digest] = set()

    def look(self) -> bool:
        """Tune the version in use where that was not done yet; whether there was something to do.

        Raises:
            RobotError: The robot failed; it is tuned later.
            StoppedError: The robot is to end; nothing was kept.
        """
        guild = self._untuned()
        if guild is None:
            return False
        try:
            record, skill = personalise(self._place, guild, self._tuning, self._tell)
        except RobotError:
            raise
        except ZunftError as error:
            self._failed.add(guild.digest)
            self._voice.say("failed", f"tuning at home: {error} The guild's skill stays.")
            return True
        self._bench.keep_personal(self._skill, record, skill)
        self._voice.say("tuned", in_words(record), success=record.score)
        return True

    def _untuned(self) -> Skill | None:
        in_use = self._bench.memory(self._skill).in_use
        if in_use is None or in_use.digest in self._failed:
            return None
        done = self._bench.personal(self._skill)
        if done is not None and done.guild == in_use.digest:
            return None
        return self._bench.skill(in_use.digest)

    def _tell(self, iteration: Iteration) -> None:
        self._voice.steps += iteration.steps
        self._voice.say("training", "at home", success=iteration.success_rate)


def in_words(record: Personal) -> str:
    """What came of it, in a sentence."""
    guild = f"version {record.version} {record.guild_score:.2f} at home"
    if not record.share:
        return f"{guild}, nothing tuned does better there: the guild's skill stays."
    return f"{guild}, with {record.share:.0%} of what was tuned {record.score:.2f}."
