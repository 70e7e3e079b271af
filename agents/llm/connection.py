"""The connection to a provider: its client, and calls with a time-out for the whole, whose errors come out as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import aiohttp
import openai

from agents.llm.answers.loose_answer import ErrorAnswered
from agents.llm.faults.faults import answered_error, fault_of, timed_out, unreadable
from agents.llm.provider import Provider
from streams.errors import ThreadsError, Unavailable

T = TypeVar("T")


def connection_to(provider: Provider, timeout_s: float) -> openai.AsyncOpenAI:
    """Return a client of the provider's API; nothing is connected before the first call, and the caller closes it."""
    return openai.AsyncOpenAI(
        base_url=provider.base_url,
        api_key=provider.api_key,
        timeout=timeout_s,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(),  # a third of the CPU time of the client's own
    )


async def awaited(call: Awaitable[T], provider: Provider, timeout_s: float, model: str | None = None) -> T:
    """Await a call and what reads its answer; bytes that trickle in for ever end at the time-out too.

    Raises:
        RecordFault, SettingsError, Unavailable: as `fault_of` says; an answer of no known form is `NoAnswer`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await call
    except TimeoutError as error:
        raise timed_out(str(provider)) from error
    except ThreadsError:
        raise
    except openai.OpenAIError as error:
        raise fault_of(error, str(provider), model) from error
    except ErrorAnswered as error:
        raise answered_error(error.error, str(provider), model) from error
    except (aiohttp.ClientError, OSError) as error:  # of the transport, which not always wraps them
        raise Unavailable(f"{provider} can't be reached ({type(error).__name__})") from error
    except Exception as error:
        # the client hands through what the server said, whatever its form: a server that does that is broken
        raise unreadable(str(provider), type(error).__name__, model) from error
