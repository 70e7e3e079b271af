"""The openai client as every call to a provider uses it: its time-out, its transport, and no retries of its own."""

from __future__ import annotations

import openai

from agents.llm.provider import Provider


def connection_to(provider: Provider, timeout_s: float) -> openai.AsyncOpenAI:
    """Return a client of the provider's API; nothing is connected before the first call, and the caller closes it."""
    return openai.AsyncOpenAI(
        base_url=provider.base_url,
        api_key=provider.api_key,
        timeout=timeout_s,
        max_retries=0,
        http_client=openai.DefaultAioHttpClient(),  # a third of the CPU time of the client's own
    )
