"""A confirmation of membership holds for a short time, by both clocks, and for its generation alone."""

from __future__ import annotations

import pytest

from streams.transport.membership import Confirmation

YES = Confirmation(generation=3, asked_at=100.0, asked_at_wall=5_000.0)


@pytest.mark.parametrize(
    ("question", "holds"),
    [
        (YES, True),
        (Confirmation(3, 100.4, 5_000.4), True),
        (Confirmation(3, 100.5, 5_000.5), False),
        (Confirmation(4, 100.0, 5_000.0), False),
        (Confirmation(3, 100.1, 8_600.0), False),  # the machine slept: its monotonic clock stood still
        (Confirmation(3, 160.0, 5_000.1), False),  # frozen while the wall clock was set back
        (Confirmation(3, 100.1, 4_999.0), False),
    ],
)
def test_it_answers_a_question_of_its_generation_while_both_clocks_call_it_fresh(
    question: Confirmation, *, holds: bool
) -> None:
    assert YES.holds(question, 0.5) is holds
