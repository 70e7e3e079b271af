"""A call to a provider with a time-out for the whole of it, whose errors come out as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import openai

from agents.llm.faults import fault_of, timed_out
from agents.llm.provider import Provider
from streams.errors import Unavailable

T = TypeVar("T")


async def guarded(call: Awaitable[T], provider: Provider, timeout_s: float, model: str | None = None) -> T:
    """Await a call and what reads its answer; bytes that trickle in for ever end at the time-out too.

    Raises:
        RecordFault, SettingsError, Unavailable: as `fault_of` says; an answer of no known form is `Unavailable`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except TimeoutError as error:
        raise timed_out(str(provider)) from error
    except openai.OpenAIError as error:
        raise fault_of(error, str(provider), model) from error
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        # the client hands through what the server said, whatever its form: a server that does that is broken
        kind = type(error).__name__
        raise Unavailable(f"{provider} answered what is no answer of its API ({kind})") from error
