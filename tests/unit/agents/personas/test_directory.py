from __future__ import annotations

import pytest

from agents.personas.directory import PersonaDirectory, PersonaNews, PersonaRemoved
from agents.personas.persona_log import standing_after
from agents.personas.persona_topic import persona_applied
from schemas.records import PersonaApplied
from streams.errors import RecordFault
from tests.support.drafting import NOW, ListedPersonas, sample_directory, samples


async def test_a_persona_applied_meanwhile_is_found_and_a_changed_one_replaces_the_old() -> None:
    log = ListedPersonas()
    directory = PersonaDirectory(log)
    await directory.refresh()
    with pytest.raises(RecordFault, match=r"'ledger-lou' is unknown; apply it with `threads-agent personas apply`"):
        directory.require("ledger-lou")
    first = samples()[1]
    log.pending = ListedPersonas([first]).pending
    await directory.refresh()
    assert directory.require("ledger-lou").version == first.version()
    changed = first.model_copy(update={"voice": "loud"})
    log.pending = ListedPersonas([changed]).pending
    await directory.refresh()
    assert directory.require("ledger-lou").version == changed.version()


async def test_a_broken_definition_on_the_topic_leaves_the_version_before_in_force() -> None:
    log = ListedPersonas(samples())
    log.pending.append(
        PersonaApplied(event_id="e", occurred_at=NOW, persona_id="ledger-lou", version="broken", definition="{")
    )
    directory = PersonaDirectory(log)
    await directory.refresh()
    assert directory.require("ledger-lou").version == samples()[1].version()


async def test_known_personas_come_sorted_by_id() -> None:
    directory = sample_directory()
    await directory.refresh()
    ids = [each.persona.persona_id for each in directory.known()]
    assert ids == sorted(ids)
    assert len(ids) == len(samples())


class NewsOf:
    """A persona log that has these news once."""

    def __init__(self, *news: PersonaNews) -> None:
        self._news = list(news)

    async def news(self) -> list[PersonaNews]:
        news, self._news = self._news, []
        return news

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_removed_persona_is_unknown_until_it_is_applied_again() -> None:
    lou = next(each for each in samples() if each.persona_id == "ledger-lou")
    applied, removed = persona_applied(lou, NOW), PersonaRemoved("ledger-lou")
    gone = PersonaDirectory(NewsOf(applied, removed))
    await gone.refresh()
    assert gone.known() == []
    with pytest.raises(RecordFault, match="'ledger-lou' is unknown"):
        gone.require("ledger-lou")
    back = PersonaDirectory(NewsOf(applied, removed, applied))
    await back.refresh()
    assert back.require("ledger-lou").version == lou.version()


async def test_a_tombstone_of_a_persona_that_nobody_knows_changes_nothing() -> None:
    directory = PersonaDirectory(NewsOf(PersonaRemoved("never-there")))
    await directory.refresh()
    assert directory.known() == []


def test_what_stands_after_the_news_is_what_was_applied_last_and_not_removed() -> None:
    nora, lou = (persona_applied(each, NOW) for each in samples()[:2])
    news: list[PersonaNews] = [nora, PersonaRemoved("night-shift-nora"), PersonaRemoved("x"), lou]
    assert standing_after(news, {"x", "y"}) == {"y", "ledger-lou"}
