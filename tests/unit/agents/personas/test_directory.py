from __future__ import annotations

import pytest

from agents.personas.directory import PersonaDirectory
from agents.personas.persona_topic import persona_applied
from schemas.records import PersonaApplied
from streams.errors import RecordFault
from tests.support.drafting import NOW, listed, sample_directory, samples
from tests.support.listed_tail import ListedTail


async def test_a_persona_applied_meanwhile_is_found_and_a_changed_one_replaces_the_old() -> None:
    log = listed([])
    directory = PersonaDirectory(log)
    await directory.refresh()
    with pytest.raises(RecordFault, match=r"'ledger-lou' is unknown; apply it with `threads-agent personas apply`"):
        directory.require("ledger-lou")
    first = samples()[1]
    log.append(first.persona_id, persona_applied(first, NOW))
    await directory.refresh()
    assert directory.require("ledger-lou").version == first.version()
    changed = first.model_copy(update={"voice": "loud"})
    log.append(changed.persona_id, persona_applied(changed, NOW))
    await directory.refresh()
    assert directory.require("ledger-lou").version == changed.version()


async def test_a_broken_definition_on_the_topic_leaves_the_version_before_in_force() -> None:
    log = listed(samples())
    log.append(
        "ledger-lou",
        PersonaApplied(event_id="e", occurred_at=NOW, persona_id="ledger-lou", version="broken", definition="{"),
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


async def test_a_removed_persona_is_unknown_until_it_is_applied_again() -> None:
    lou = next(each for each in samples() if each.persona_id == "ledger-lou")
    log = listed([lou])
    log.append("ledger-lou", None)
    gone = PersonaDirectory(log)
    await gone.refresh()
    assert gone.known() == []
    with pytest.raises(RecordFault, match="'ledger-lou' is unknown"):
        gone.require("ledger-lou")
    log.append("ledger-lou", persona_applied(lou, NOW))
    back = PersonaDirectory(log)
    await back.refresh()
    assert back.require("ledger-lou").version == lou.version()


async def test_a_tombstone_of_a_persona_that_nobody_knows_changes_nothing() -> None:
    directory = PersonaDirectory(ListedTail([("never-there", None)]))
    await directory.refresh()
    assert directory.known() == []
