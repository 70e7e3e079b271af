"""The loopback server itself: its answers have the form asked for, its faults are seeded, it runs as a program."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conftest import REPOSITORY
from tests.support.openai.answers import answer_to, task_of
from tests.support.openai.faults import RATE_FAULTS, Fault, FaultRate
from tests.support.openai.loopback import LoopbackOpenAI, loopback_openai
from tests.support.openai.vectors import vector_of

PROGRAM = REPOSITORY / "tests" / "support" / "openai" / "loopback.py"


def strings(**more: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, **more}


def answer(schema: dict[str, Any], message: dict[str, Any], system: str = "Language: en.") -> Any:
    body = {
        "model": "gpt-4.1",
        "seed": 5,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": json.dumps(message)}],
    }
    return answer_to(schema, task_of(body))


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def test_an_array_is_as_long_as_asked_for_and_its_texts_differ() -> None:
    form = fields(hooks=strings())
    hooks = answer(form, {"brief": "naps", "count": 5})["hooks"]
    assert len(set(hooks)) == 5
    assert all("naps" in each for each in hooks)
    assert len(answer(fields(hooks=strings(minItems=2)), {"brief": "naps", "count": 5})["hooks"]) == 2


def test_several_briefs_are_answered_one_by_one() -> None:
    form = fields(drafts={"type": "array", "items": fields(index={"type": "integer"}, hooks=strings(), body=strings())})
    drafts = answer(form, {"briefs": ["naps", "bread", "rain"], "count": 2})["drafts"]
    assert [each["index"] for each in drafts] == [0, 1, 2]
    for brief, each in zip(["naps", "bread", "rain"], drafts, strict=True):
        assert len(each["hooks"]) == 2
        assert all(brief in hook for hook in each["hooks"])


def test_texts_are_in_the_language_asked_for() -> None:
    form = fields(hook={"type": "string"})
    assert answer(form, {"brief": "Brot"}, "Language: de (ISO 639-1).")["hook"].startswith("Ich habe")
    assert answer(form, {"brief": "хліб", "language": "uk"})["hook"].startswith("Я ")


def test_references_choices_and_numbers_are_filled() -> None:
    form = {
        **fields(
            kind={"enum": ["question", "claim"]},
            link={"anyOf": [{"type": "null"}, {"type": "string"}]},
            score={"type": "number"},
            post={"$ref": "#/$defs/post"},
        ),
        "$defs": {"post": fields(body={"type": "string"}, sure={"type": "boolean"})},
    }
    found = answer(form, {"brief": "naps"})
    assert (found["kind"], found["link"], found["score"], found["post"]["sure"]) == ("question", None, 0.5, True)
    assert "naps" in found["post"]["body"]


def test_the_rate_of_faults_is_kept_and_repeats_with_its_seed() -> None:
    def drawn(seed: int) -> list[Fault | None]:
        rate = FaultRate(0.1, RATE_FAULTS, seed)
        return [rate.draw() for _ in range(2_000)]

    faults = [each for each in drawn(7) if each is not None]
    assert drawn(7) == drawn(7) != drawn(8)
    assert 140 < len(faults) < 260
    assert set(faults) == set(RATE_FAULTS)


def test_texts_that_share_words_have_near_vectors() -> None:
    near = vector_of("how to bake bread at home") @ vector_of("how to bake bread outdoors")
    far = vector_of("how to bake bread at home") @ vector_of("quarterly tax returns")
    assert near > 0.6
    assert far < 0.4


async def ask(base_url: str, brief: str) -> str:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0, timeout=10) as client:
        reply = await client.chat.completions.create(
            model="gpt-4.1",
            messages=[
                {"role": "system", "content": "Write."},
                {"role": "user", "content": json.dumps({"brief": brief, "count": 4})},
            ],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "hooks", "schema": fields(hooks=strings())},
            },
        )
    assert reply.usage is not None
    assert reply.usage.completion_tokens > 0
    return reply.choices[0].message.content or ""


async def test_instant_answers_have_the_form_and_are_the_same_for_requests_alike() -> None:
    async with loopback_openai(LoopbackOpenAI(instant=True)) as server:
        first, second = await ask(server.base_url, "naps"), await ask(server.base_url, "bread")
    assert first == second
    assert len(json.loads(first)["hooks"]) == 4


@pytest.mark.parametrize("flags", [[], ["--instant"]])
def test_it_runs_as_a_program_that_prints_its_address(flags: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), "--port", "0", *flags], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().strip()
            assert "naps" in asyncio.run(ask(base_url, "naps"))
        finally:
            process.terminate()
            process.wait(timeout=10)
