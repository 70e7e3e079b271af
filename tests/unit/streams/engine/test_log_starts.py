"""Where a partition is read from, whatever became of its log since the last commit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.transport.assignment_logs import Commit, LogNow, as_metadata, commit_of, start_of, topic_id_of

IDS = st.sampled_from(["a1", "b2"])
OFFSETS = st.integers(0, 50)


@st.composite
def logs(draw: st.DrawFn) -> LogNow:
    first = draw(OFFSETS)
    return LogNow(draw(st.none() | IDS), first, first + draw(OFFSETS))


@given(st.none() | st.builds(Commit, OFFSETS, st.none() | IDS), logs())
def test_reading_begins_inside_the_log_and_a_jump_is_always_told(commit: Commit | None, log: LogNow) -> None:
    start = start_of(commit, log)
    assert log.first <= start.offset <= log.end
    if commit is not None:
        assert (start.offset != commit.offset) <= (start.told is not None)
    if log.topic_id is not None and start.log_id is not None:
        assert topic_id_of(start.log_id) == log.topic_id


@given(OFFSETS, logs())
def test_a_topic_that_was_made_again_is_read_from_its_beginning(offset: int, log: LogNow) -> None:
    start = start_of(Commit(offset, "of another topic"), LogNow("a1", log.first, log.end))
    assert (start.offset, start.log_id) == (log.first, "a1")
    assert "was made again" in (start.told or "")


def test_what_retention_took_is_told_by_its_number() -> None:
    start = start_of(Commit(3, "a1"), LogNow("a1", 10, 20))
    assert start.offset == 10
    assert "7 records (3 to 9) were deleted before they were read" in (start.told or "")


def test_a_log_that_lost_its_end_is_another_one_from_there_on_and_stays_it() -> None:
    start = start_of(Commit(100, "a1"), LogNow("a1", 0, 90))
    assert start.offset == 90
    assert start.log_id not in (None, "a1")
    assert "lost what was read up to 100" in (start.told or "")
    again = start_of(Commit(95, start.log_id), LogNow("a1", 0, 99))
    assert (again.offset, again.log_id, again.told) == (95, start.log_id, None)


def test_a_commit_of_an_earlier_version_is_taken_for_the_log_there_is_where_it_can_be() -> None:
    assert start_of(Commit(7, None), LogNow("a1", 0, 9)).offset == 7
    beyond = start_of(Commit(12, None), LogNow("a1", 0, 9))
    assert (beyond.offset, beyond.log_id) == (0, "a1")


@given(OFFSETS, st.none() | IDS)
def test_the_text_beside_a_commit_gives_the_log_back(offset: int, log_id: str | None) -> None:
    assert commit_of(offset, as_metadata(log_id)) == Commit(offset, log_id)


@given(OFFSETS, st.none() | st.text().filter(lambda text: not text.startswith("log=")))
def test_what_others_write_beside_a_commit_is_no_log(offset: int, text: str | None) -> None:
    assert commit_of(offset, text) == Commit(offset, None)
