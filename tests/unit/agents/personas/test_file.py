from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.personas.persona_file import SAMPLES, PersonaFileError, read_personas

NORA: dict[str, Any] = read_personas(SAMPLES[:1])[0].model_dump(mode="json")
ALIASES = "\n".join(
    ["a: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"b{level}: &a{level + 1} [{', '.join([f'*a{level}'] * 9)}]" for level in range(9)]
    + ["personas: *a9"]
)


def written(folder: Path, text: str | bytes, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def dumped(*entries: dict[str, Any]) -> str:
    written_out = json.loads(json.dumps({"personas": entries}))  # the dumper makes aliases of what is shared
    return yaml.safe_dump(written_out, allow_unicode=True)


def problems_of(*paths: Path) -> list[str]:
    with pytest.raises(PersonaFileError) as caught:
        read_personas(paths)
    return str(caught.value).splitlines()[1:]


def test_one_bad_field_among_150_personas_refuses_the_file_in_one_line(tmp_path: Path) -> None:
    entries = [{**NORA, "persona_id": f"persona-{number}"} for number in range(150)]
    entries[77] = {**entries[77], "temperature": 9}
    assert problems_of(written(tmp_path, dumped(*entries))) == [
        "  mine.yaml: persona 'persona-77', temperature: Input should be less than or equal to 2, got 9"
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"voice": 7}, "voice: Input should be a valid string, got 7"),
        ({"topics": "sleep"}, "topics: Input should be a valid tuple, got 'sleep'"),
        ({"topics": []}, "topics: Tuple should have at least 1 item after validation, not 0, got []"),
        ({"examples": [{"brief": "a nap", "hook": "I nap."}]}, "examples.0.body: is missing; add it"),
        ({"topcis": ["sleep"]}, "topcis: is no field here; did you mean topics?"),
        ({"budget": {"dayly_dollars": 1}}, "budget.dayly_dollars: is no field here; remove it or correct its name"),
        ({"budget": {"daily_dollars": "-1"}}, "budget.daily_dollars: Input should be greater than or equal to 0, got"),
        ({"budget": 5}, "budget: Input should be a valid dictionary or instance of PersonaBudget, got 5"),
        ({"posting": {"timezone": "Europe/Kiyv"}}, "posting.timezone: is no time zone of the IANA database; did you"),
        ({"posting": {"slots": ["08:00", "25:00"]}}, "posting.slots.1: String should match pattern"),
        ({"models": {"hooks": ""}}, "models.hooks: String should have at least 1 character, got ''"),
        ({"emoji_policy": "many"}, "emoji_policy: Input should be 'none', 'sparing' or 'free', got 'many'"),
        ({"languages": ["en", "en"]}, "languages names 'en' twice; name each once"),
    ],
)
def test_a_bad_field_is_named_with_its_file_and_persona(tmp_path: Path, change: dict[str, object], line: str) -> None:
    (problem,) = problems_of(written(tmp_path, dumped({**NORA, **change})))
    assert problem.startswith(f"  mine.yaml: persona 'night-shift-nora', {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("personas: [", "mine.yaml: is not YAML as expected ("),
        (b"personas: \xff", "mine.yaml: is not UTF-8 at byte 10; save it as UTF-8"),
        ("personas: []".encode("utf-16"), "mine.yaml: is not UTF-8 at byte 0; save it as UTF-8"),
        ("personas: \0", "mine.yaml: is not YAML as expected ("),
        ("people: []", "mine.yaml: expected a mapping with a list `personas`"),
        ("- persona_id: x", "mine.yaml: expected a mapping with a list `personas`"),
        ("", "mine.yaml: expected a mapping with a list `personas`"),
        ("a: 1\n---\nb: 2", "mine.yaml: is not YAML as expected (expected a single document"),
        (ALIASES, "mine.yaml: is not YAML as expected (line 1: anchors (&) and aliases (*) are refused"),
        ("personas: !!python/object/apply:os.getcwd []", "mine.yaml: is not YAML as expected (line 1: tags (!) are re"),
        ("[" * 100_000, "mine.yaml: is not YAML as expected (line 1: nested over 20 levels"),
        ("? [1]\n: 2", "mine.yaml: is not YAML as expected (while constructing a mapping"),
        (b"# " + b"x" * 2**21, "mine.yaml: has 2097154 bytes of at most 2097152; split it"),
    ],
)
def test_a_file_that_can_not_be_read_is_named_with_the_reason(tmp_path: Path, text: str | bytes, line: str) -> None:
    (problem,) = problems_of(written(tmp_path, text))
    assert problem.startswith(f"  {line}")


def test_a_key_that_stands_twice_is_a_problem_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, f"{dumped(NORA)}  voice: loud\n  posting: {{timezone: UTC, timezone: Europe/Paris}}\n")
    lines = problems_of(path)
    assert len(lines) == 3
    assert all("stands twice in one mapping; keep one" in line for line in lines)
    assert [line for line in lines if "'voice'" in line and "line " in line]
    assert [line for line in lines if "'timezone'" in line]


def test_what_stands_next_to_the_list_is_a_problem(tmp_path: Path) -> None:
    (line,) = problems_of(written(tmp_path, f"budget: 5\n{dumped(NORA)}"))
    assert line == "  mine.yaml: 'budget' stands next to `personas` and means nothing there; remove it"


def test_times_and_short_words_are_text_without_quotes(tmp_path: Path) -> None:
    text = dumped({**NORA, "posting": "HERE", "topics": "TOPICS"})
    text = text.replace("HERE", "{slots: [06:40, 12:30]}").replace("TOPICS", "[no, on, 2026-11-22]")
    (persona,) = read_personas([written(tmp_path, b"\xef\xbb\xbf" + text.encode())])
    assert persona.posting.slots == ("06:40", "12:30")
    assert persona.topics == ("no", "on", "2026-11-22")


def test_every_problem_of_every_file_is_listed_at_once(tmp_path: Path) -> None:
    lines = "\n".join(
        problems_of(
            written(tmp_path, "personas:\n  - {persona_id: 'Not An Id', colour: red}\n", "a.yaml"),
            written(tmp_path, "personas: [\n", "b.yaml"),
            written(tmp_path, "personas: [7]\n", "c.yaml"),
            tmp_path / "missing.yaml",
        )
    )
    for part in (
        "a.yaml: persona 'Not An Id', persona_id: ",
        "colour: is no field here",
        "voice: is missing; add it",
        "b.yaml: is not YAML",
        "c.yaml: persona number 1, as a whole: Input should be",
        "missing.yaml: can't be read",
    ):
        assert part in lines


def test_the_same_persona_in_two_files_is_a_problem(tmp_path: Path) -> None:
    copy = written(tmp_path, SAMPLES[0].read_bytes(), "copy.yaml")
    assert problems_of(*SAMPLES, copy) == [
        "  copy.yaml: persona 'night-shift-nora' is also in night-shift-nora.yaml; keep one"
    ]
