"""Empty answers: what was answered, and so paid for, without saying anything is a reply too."""

from __future__ import annotations

from collections.abc import Awaitable

from agents.llm.answers.reply import Reply
from agents.llm.faults.faults import NoAnswer


async def reply_to(call: Awaitable[Reply]) -> Reply:
    """Return the reply of a call: an empty one where it was answered without a choice, to be booked and asked again.

    Raises:
        NoAnswer: what came is no answer of the API.
    """
    try:
        return await call
    except NoAnswer as answer:
        if answer.is_said:
            return answer.reply
        raise
