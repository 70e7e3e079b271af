"""A metered model: a chat server on loopback that bills the tokens of what it is really sent and says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from agents.llm.token_estimate import estimated_prompt_tokens, estimated_tokens


def answer_to(body: dict[str, Any]) -> str:
    """Return the answers to all briefs of a question, in the form of its schema."""
    briefs = json.loads(body["messages"][-1]["content"])["briefs"]
    entry = body["response_format"]["json_schema"]["schema"]["properties"]["answers"]["items"]
    return json.dumps({"answers": [_entry(brief["brief"], entry["properties"]) for brief in briefs]})


def _entry(brief: str, fields: dict[str, Any]) -> dict[str, object]:
    hook = f"I was wrong about {brief} for two years."
    body = f"I tried {brief} on a Monday, with a pencil and a clock. It took 14 minutes, and half of them were doubt."
    hooks = [hook, f"Nobody told me the truth about {brief}.", f"What does {brief} cost you in a week?"]
    texts: dict[str, object] = {"hooks": hooks, "hook": hook, "body": body}
    return {name: texts[name] for name in fields}


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an answer, with its usage (estimated tokens)."""
    content = answer_to(body)
    prompt, said = estimated_prompt_tokens(body["messages"]), estimated_tokens(content)
    return {
        "id": "chatcmpl-metered",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said},
    }


async def _chat(request: web.Request) -> web.Response:
    return web.json_response(completion(await request.json()))


@asynccontextmanager
async def metered_model() -> AsyncIterator[str]:
    """Serve on a free loopback port; give the base URL, which ends in /v1."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", _chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()
