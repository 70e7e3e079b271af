from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from agents.personas.directory import PersonaDirectory
from agents.personas.persona import Persona
from agents.personas.persona_file import SAMPLES, PersonaFileError, read_personas
from schemas.records import PersonaApplied
from streams.errors import RecordFault
from tests.drafting import NOW, ListedPersonas, sample_directory, samples


def test_the_samples_are_at_least_four_personas_in_at_least_two_languages() -> None:
    assert len(samples()) >= 4
    assert len({language for persona in samples() for language in persona.languages}) >= 3


def test_a_version_follows_from_the_content_alone() -> None:
    first = samples()[0]
    again = Persona.model_validate_json(first.definition())
    assert again.version() == first.version()
    assert first.model_copy(update={"voice": "loud"}).version() != first.version()
    assert json.loads(first.definition())["persona_id"] == first.persona_id


def test_one_bad_field_among_150_personas_refuses_the_file_and_is_named(tmp_path: Path) -> None:
    entry = yaml.safe_load(SAMPLES.read_text(encoding="utf-8"))["personas"][0]
    entries = [{**entry, "persona_id": f"persona-{number}"} for number in range(150)]
    entries[77] = {**entries[77], "temperature": 9}
    path = tmp_path / "many.yaml"
    path.write_text(yaml.safe_dump({"personas": entries}), encoding="utf-8")
    with pytest.raises(PersonaFileError, match=r"many\.yaml: persona 'persona-77', temperature: .*got 9") as caught:
        read_personas([path])
    assert "correct 1 problem" in str(caught.value)


def test_every_problem_of_every_file_is_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("personas:\n  - {persona_id: 'Not An Id', colour: red}\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("personas: [\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_bytes(b"personas: \xff\n")
    (tmp_path / "d.yaml").write_text("people: []\n", encoding="utf-8")
    with pytest.raises(PersonaFileError) as caught:
        read_personas([tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml", "d.yaml", "missing.yaml")])
    text = str(caught.value)
    for part in (
        "persona_id: ",
        "colour: ",
        "voice: ",
        "b.yaml: is not YAML",
        "c.yaml: is not UTF-8",
        "d.yaml: expected",
    ):
        assert part in text
    assert "missing.yaml: can't be read" in text


def test_the_same_persona_in_two_files_is_a_problem(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text(SAMPLES.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(PersonaFileError, match=r"persona 'ledger-lou' is also in samples\.yaml"):
        read_personas([SAMPLES, copy])


def test_an_example_in_a_language_that_the_persona_lacks_is_refused() -> None:
    first = samples()[0].model_dump()
    first["examples"] = [{**first["examples"][0], "language": "fr"}]
    with pytest.raises(ValueError, match="examples are in fr"):
        Persona.model_validate(first)


def test_examples_are_those_of_the_language_asked_for() -> None:
    carla = next(each for each in samples() if each.persona_id == "cocina-carla")
    assert {each.language for each in carla.examples_in("en")} == {"en"}
    assert all(each.language is None for each in carla.examples_in("es"))
    assert carla.examples_in("uk") == carla.examples


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
