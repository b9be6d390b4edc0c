"""A hub of before: its rows stay, and what it has is signed with its first start of now."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import command

from hub.access.principal import THE_HUB
from hub.settings import Settings
from hub.storage.database import Database, _migrations
from hub.storage.notify import Bell
from skills.messages.lists import SkillQuery
from skills.targets import channel_target, manifest_digest, skill_target
from tests.hub.conftest import Hall, Hands, StubGate, tiny_skill
from tests.hub.tuf.test_repository import targets


def test_what_an_old_hub_has_is_signed_when_it_starts(settings: Settings, clock: Hands) -> None:
    skill, now = tiny_skill(), clock().replace(tzinfo=None).isoformat(" ")
    database = Database(settings.database, Bell())
    config = _migrations()
    with database._writer.execution_options(zunft_write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001_tables")
        rows: dict[str, dict[str, Any]] = {
            "organisations": {"name": "guild", "region": "", "visibility": "guild", "created_at": now},
            "skills": {
                "name": "reach",
                "organisation": "guild",
                "visibility": "guild",
                "task": "reach",
                "summary": "",
                "updated_at": now,
            },
            "versions": {
                "skill": "reach",
                "number": 1,
                "digest": skill.digest,
                "size": skill.size,
                "signature": "x",
                "manifest": skill.manifest.model_dump_json(),
                "published_by": "hub",
                "created_at": now,
            },
            "channels": {"skill": "reach", "name": "stable", "number": 1},
        }
        metadata = sa.MetaData()
        for name, row in rows.items():
            table = sa.Table(name, metadata, autoload_with=connection)
            spared = {each.name: 0 for each in table.columns if not each.nullable and each.name not in row}
            values = {**spared, **row}
            names, places = ", ".join(values), ", ".join(f":{each}" for each in values)
            connection.execute(sa.text(f"INSERT INTO {name} ({names}) VALUES ({places})"), values)  # noqa: S608
    database.migrate()
    database.close()
    hall = Hall(settings, StubGate(), clock)
    try:
        found = targets(hall)
        said = found[skill_target("reach", 1)].custom["manifest"]
        assert said == manifest_digest(skill.manifest)
        assert found[channel_target("reach", "stable")].custom["version"] == 1
        by_words = hall.services.catalogue.skills.skills(THE_HUB, SkillQuery(text="what reaches"))
        assert [each.name for each in by_words.items] == ["reach"]
    finally:
        hall.close()
