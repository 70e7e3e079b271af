from __future__ import annotations

from agents.generation.assignment import assignments_of
from agents.generation.attempts import MAX_ATTEMPTS, Attempts, Candidate, attempt_part
from agents.generation.calls import Call, call_id, seed_of
from agents.generation.finished import FinishedRequest, FinishedRequests, decoded
from agents.llm.reply import Reply, Usage
from agents.personas.directory import AppliedPersona
from schemas.records import CostEvent
from streams.errors import RecordFault
from tests.drafting import NOW, draft, request, samples


def call(attempt: int, text: str) -> Call:
    return Call("hook", attempt, Reply(text, "m", Usage(prompt_tokens=1), 1), NOW)


async def attempts(*answers: str) -> Attempts:
    async def ask(attempt: int) -> Call:
        if answers[attempt] == "refused":
            raise RecordFault("the provider refused the prompt")
        return call(attempt, answers[attempt])

    def judge(made: Call) -> Candidate:
        text = made.reply.text
        return Candidate(text, ["bad"] if text == "bad" else [], ["meh"] * text.count("meh"))

    return await attempt_part(ask, judge)


async def test_the_first_good_answer_ends_the_attempts() -> None:
    found = await attempts("bad", "good", "better")
    assert (found.part, len(found.calls), found.fault) == ("good", 2, None)


async def test_doubtful_answers_are_kept_until_a_better_one_comes_or_the_attempts_end() -> None:
    assert (await attempts("meh meh", "bad", "meh")).part == "meh"
    assert (await attempts("meh", "good")).part == "good"


async def test_three_bad_answers_are_the_bound_and_every_call_is_paid() -> None:
    found = await attempts(*["bad"] * 9)
    assert found.part is None
    assert len(found.calls) == MAX_ATTEMPTS == 3
    assert found.fault == "no usable answer in 3 attempts (bad | bad | bad)"


async def test_a_refused_prompt_is_not_sent_again_and_earlier_calls_stay_paid() -> None:
    found = await attempts("bad", "refused", "good")
    assert found.part is None
    assert len(found.calls) == 1
    assert "the provider refused the prompt" in str(found.fault)


def test_another_attempt_has_another_id_and_seed_and_the_same_one_the_same() -> None:
    first = assignments_of(request(), AppliedPersona(samples()[0], "v"), None)[0]
    ids = {call_id(first, step, attempt) for step in ("hook", "body") for attempt in range(3)}
    assert len(ids) == 6
    assert len({seed_of(each) for each in ids}) == 6
    assert call_id(first, "hook", 0) == call_id(first, "hook", 0)
    assert all(0 <= seed_of(each) < 2**31 for each in ids)


def finished(offset: int) -> FinishedRequest:
    cost = CostEvent(
        event_id="c", occurred_at=NOW, persona_id="p", step="hook", model="m", prompt_tokens=1, completion_tokens=2
    )
    return FinishedRequest(offset, (draft("Hook.", "Body – ü 🙂."),), (cost,), ("draft 2: body: bad",))


def test_a_finished_request_comes_back_from_state_as_it_was() -> None:
    assert decoded(finished(7).encode()) == finished(7)


def test_only_the_newest_requests_are_kept_and_the_oldest_get_tombstones() -> None:
    memory = FinishedRequests(limit=2)
    state: dict[bytes, bytes | None] = {}
    for offset in range(5):
        state.update(memory.remember(f"r{offset}", finished(offset)))
    assert [key for key, value in state.items() if value is None] == [b"r0", b"r1", b"r2"]
    restored = FinishedRequests(((key, value) for key, value in state.items() if value is not None), limit=2)
    assert restored.find("r4") == finished(4)
    assert restored.find("r1") is None
    assert (b"r3", None) in restored.remember("r5", finished(5))
