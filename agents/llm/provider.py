"""Which server writes, and the connection to it: a time-out for the whole of a call, whose errors come out as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
import openai

from agents.llm.answers.loose_answer import ErrorAnswered
from agents.llm.faults.faults import answered_error, fault_of, timed_out, unreadable
from agents.llm.settings import CallSettings
from streams.endpoints import resolve
from streams.errors import SettingsError, ThreadsError, Unavailable
from streams.settings import Settings

OPENAI_URL = "https://api.openai.com/v1"
EMBEDDED_MODEL = "SmolLM2-135M-Instruct.Q4_1"  # as its server reports it: the name of the file
EMBEDDED_LANGUAGES = ("en",)
EMBEDDED_CONCURRENCY = 2  # requests that its server works on at a time; more would only wait there and time out
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Provider:
    """A server with the OpenAI API.

    `languages` are those its models write sensibly; None means any. `concurrency` is how many calls it takes at a time.
    `embedded` is the small model of the embedded stack, which continues examples well and follows instructions poorly.
    """

    base_url: str
    api_key: str = field(repr=False)
    concurrency: int
    embedded: bool = False
    languages: tuple[str, ...] | None = None

    @property
    def is_openai(self) -> bool:
        """Tell whether it is OpenAI itself, with all of its endpoints."""
        return self.base_url.rstrip("/") == OPENAI_URL

    def __str__(self) -> str:
        """Name the server without its key."""
        return f"the embedded model at {self.base_url}" if self.embedded else f"the model provider at {self.base_url}"


def provider_of(settings: Settings) -> Provider:
    """Return the provider: the configured one, else the embedded model.

    Raises:
        SettingsError: nothing is configured and the embedded stack runs no model.
    """
    if settings.openai_api_key or settings.openai_base_url:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else "none"
        return Provider(settings.openai_base_url or OPENAI_URL, key, settings.of(CallSettings).llm_concurrency)
    base_url = resolve(settings).llm
    if base_url is None:
        raise SettingsError(
            "No language model is configured: start the embedded one with `threads-agent up`, "
            "or set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server"
        )
    concurrency = min(settings.of(CallSettings).llm_concurrency, EMBEDDED_CONCURRENCY)
    return Provider(base_url, "none", concurrency, embedded=True, languages=EMBEDDED_LANGUAGES)


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
