"""The request book: what is kept of requests brings another worker exactly to where the last one was."""

from __future__ import annotations

from datetime import timedelta

from agents.costs.prices import read_prices
from agents.generation.admission import assignments_of
from agents.generation.asking.answers import answered
from agents.generation.asking.calls import CallMemory, call_id, calls_of
from agents.generation.drafting.draft_work import DraftOutcome
from agents.generation.kept.entries import FINISHED, FinishedRequest, ParkedRequest
from agents.generation.kept.request_book import BatchBook, FinishedRequests, RequestBook, RequestWork
from agents.llm.answers.reply import Reply, Usage
from agents.personas.directory import AppliedPersona
from schemas.records import CostEvent
from streams.engine.stage import Change
from tests.support.drafting import NOW, draft, request, samples

APPLIED = AppliedPersona(samples()[0], samples()[0].version())
OUTCOME = DraftOutcome(draft("Hook.", "Body – ü 🙂."), ())


class Kept:
    """The state as it is after changes."""

    def __init__(self) -> None:
        self.state: dict[bytes, bytes] = {}

    def take(self, changes: list[Change]) -> None:
        for key, value in changes:
            if value is None:
                del self.state[key]  # a tombstone of what was never kept would be one too many
            else:
                self.state[key] = value

    def book(self) -> tuple[RequestBook, CallMemory]:
        memory = CallMemory(lambda: NOW, read_prices())
        return RequestBook(self.state.items(), memory), memory

    def batches(self, book: RequestBook) -> BatchBook:
        return BatchBook(self.state.items(), book, lambda changes: self.take(list(changes)))


def work(*offsets: int, drafts: int = 1) -> RequestWork:
    return RequestWork(offsets[0] if offsets else 7, APPLIED, drafts, NOW, list(offsets))


def came_to(book: RequestBook, request_id: str) -> None:
    found = book.work(request_id)
    assert found is not None
    found.outcomes[0] = OUTCOME


def with_a_call(memory: CallMemory) -> str:
    (assignment,) = assignments_of(request("r"), APPLIED, None)
    answers = answered(Reply("", "gpt-4.1", Usage(10, 0, 5), 3), [("A hook.",)])
    (call,) = calls_of(answers, "hook", 0, NOW, read_prices())
    memory.remember(assignment, call_id(assignment, "hook", 0), call)
    return call_id(assignment, "hook", 0)


def test_the_oldest_open_offset_is_told_until_its_request_is_finished() -> None:
    book, _ = Kept().book()
    book.begin("a", work(3))
    book.begin("b", work(4))
    book.join("a", 5)
    assert book.unfinished() == 3
    came_to(book, "b")
    book.finish("b")
    assert book.unfinished() == 3
    came_to(book, "a")
    finished, _ = book.finish("a")
    assert finished.drafts == (OUTCOME.draft,)
    assert book.unfinished() is None


def test_finished_calls_of_a_request_outlive_the_worker_with_the_persona_it_began_with() -> None:
    kept = Kept()
    book, memory = kept.book()
    book.begin("r", work(3))
    identity = with_a_call(memory)
    kept.take(book.calls_to_keep("r"))
    restored, again = kept.book()
    assert again.of("r") == memory.of("r")
    assert set(again.of("r")) == {identity}
    assert restored.begun_with("r") == APPLIED
    restored.begin("r", work(3))
    came_to(restored, "r")
    kept.take(restored.finish("r")[1])
    assert [key[:1] for key in kept.state] == [b"f"]
    assert again.of("r") == {}


def test_a_request_that_finishes_before_its_calls_were_kept_leaves_no_tombstone() -> None:
    book, memory = Kept().book()
    book.begin("r", work(3))
    with_a_call(memory)
    came_to(book, "r")
    _, changes = book.finish("r")
    assert [value is None for _, value in changes] == [False]
    assert book.calls_to_keep("r") == []


def test_a_parked_request_outlives_the_worker_and_waits_for_no_offset() -> None:
    kept = Kept()
    book, _ = kept.book()
    parked = ParkedRequest(request("r"), 9, NOW + timedelta(hours=3), "the budget of the day is used up")
    kept.take(book.park(parked))
    assert book.unfinished() is None
    restored, _ = kept.book()
    assert restored.due(NOW) == []
    assert restored.due(NOW + timedelta(hours=3)) == [parked]
    assert restored.is_parked("r")
    restored.begin("r", work())
    assert restored.due(NOW + timedelta(hours=3)) == []
    assert restored.unfinished() is None
    came_to(restored, "r")
    kept.take(restored.finish("r")[1])
    assert {key[:1] for key in kept.state} == {b"f", b"p"}
    kept.take(restored.flushed())  # takes what came of it along
    assert {key[:1] for key in kept.state} == {b"f", b"p"}
    assert kept.book()[0].ended == ("r",)
    kept.take(restored.flushed())  # that is durable now
    assert [key[:1] for key in kept.state] == [b"f"]
    assert not restored.has_ended


def test_a_parked_request_that_can_not_be_written_any_more_is_finished_with_its_fault() -> None:
    kept = Kept()
    book, _ = kept.book()
    parked = ParkedRequest(request("r"), 9, NOW, "over")
    kept.take(book.park(parked))
    kept.take(book.give_up(parked, "persona 'x' is unknown"))
    restored, _ = kept.book()
    found = restored.finished("r")
    assert found is not None
    assert found.faults == ("persona 'x' is unknown",)
    assert restored.due(NOW) == []


def test_a_request_whose_batch_has_answered_waits_for_no_other_batch() -> None:
    kept = Kept()
    book, memory = kept.book()
    parked = ParkedRequest(request("r"), 9, NOW + timedelta(hours=3), "waits for a batch", for_batch=True)
    kept.take(book.park(parked))
    assert kept.batches(book).without_job() == [parked]
    with_a_call(memory)
    book.begin("r", work())
    kept.take(book.calls_to_keep("r"))
    restored, _ = kept.book()
    assert kept.batches(restored).without_job() == []
    assert restored.due(NOW) == [parked]


def finished(offset: int) -> FinishedRequest:
    cost = CostEvent(
        event_id="c", occurred_at=NOW, persona_id="p", step="hook", model="m", prompt_tokens=1, completion_tokens=2
    )
    return FinishedRequest(offset, (draft("Hook.", "Body – ü 🙂."),), (cost,), ("draft 2: body: bad",))


def test_a_finished_request_comes_back_from_state_as_it_was() -> None:
    key, value = FINISHED.kept("r", finished(7))
    assert value is not None
    assert FINISHED.restored([(key, value)]) == {"r": finished(7)}


def test_only_the_newest_requests_are_kept_and_the_oldest_get_tombstones() -> None:
    memory = FinishedRequests(limit=2)
    state: dict[bytes, bytes | None] = {}
    for offset in range(5):
        state.update(memory.remember(f"r{offset}", finished(offset)))
    assert [key for key, value in state.items() if value is None] == [b"fr0", b"fr1", b"fr2"]
    restored = FinishedRequests(((key, value) for key, value in state.items() if value is not None), limit=2)
    assert restored.find("r4") == finished(4)
    assert restored.find("r1") is None
    assert (b"fr3", None) in restored.remember("r5", finished(5))
