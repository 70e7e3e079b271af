from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.personas.posting import PostingPlan
from agents.publishing.asking.wall_time import TimeNotUnderstood, moment_of


@pytest.mark.parametrize(
    ("text", "zone", "at", "said"),
    [
        ("2026-12-01 09:00", "Europe/Berlin", "2026-12-01T08:00", None),
        ("2026-12-01T09:00:30", "UTC", "2026-12-01T09:00:30", None),
        ("2026-12-01T09:00-05:00", "Europe/Berlin", "2026-12-01T14:00", None),
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T01:30", "does not exist in Europe/Berlin.*03:30 is taken"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T00:30", r"twice in Europe/Berlin.*2026-10-25 02:30\+01:00"),
        ("2026-10-25 02:30+01:00", "Europe/Berlin", "2026-10-25T01:30", None),
        ("2026-10-04 02:10", "Australia/Lord_Howe", "2026-10-03T15:40", "02:40 is taken"),
        ("2011-12-30 08:00", "Pacific/Apia", "2011-12-30T18:00", "2011-12-31 08:00 is taken"),
    ],
)
def test_a_time_is_what_the_clock_of_the_zone_shows_and_what_is_odd_is_said(
    text: str, zone: str, at: str, said: str | None
) -> None:
    moment = moment_of(text, zone)
    assert moment.at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    if said is None:
        assert moment.note is None
    else:
        assert moment.note is not None
        assert re.search(said, moment.note)


@pytest.mark.parametrize("text", ["tomorrow", "2026-12-01", "09:00", "", "2026-13-01 09:00", "20261201"])
def test_what_is_no_date_with_a_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(TimeNotUnderstood, match="2026-12-01 09:00"):
        moment_of(text, "Europe/Berlin")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda each: each.replace(second=0, microsecond=0)),  # noqa: DTZ001
    st.sampled_from(("Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago")),
)
def test_a_written_time_is_the_instant_of_a_slot_at_that_time(written: datetime, zone: str) -> None:
    at = moment_of(f"{written:%Y-%m-%d %H:%M}", zone).at
    slot = PostingPlan(timezone=zone, slots=(f"{written:%H:%M}",))
    before = datetime.fromtimestamp(at.timestamp() - 1, UTC)
    assert slot.next_slot(before) == at
