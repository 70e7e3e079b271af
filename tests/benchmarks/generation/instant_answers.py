"""Answers of the instant model: bytes that are rendered once for each post, whatever else the request says."""

from __future__ import annotations

import json
import re

from tests.benchmarks.generation.posts import NUMBER, PostBook

_MODEL = re.compile(rb'"model":\s*"([^"\\]+)"')
_FIELD = re.compile(rb'"json_schema":\s*\{\s*"name":\s*"(hooks|body)"')
_USAGE = {
    "prompt_tokens": 600,
    "completion_tokens": 60,
    "total_tokens": 660,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


class InstantAnswers:
    """Answer chat requests of the platform's two forms; which posts are meant is read from the briefs' numbers."""

    def __init__(self, posts: PostBook) -> None:
        self._posts = posts
        self._entries: dict[tuple[bytes, bytes], str] = {}

    def answer(self, raw: bytes) -> bytes:
        """Return the body of the answer to a request's body.

        Raises:
            ValueError: the request names no model, no form of the platform's, or no post.
        """
        model, field, numbers = _MODEL.search(raw), _FIELD.search(raw), NUMBER.findall(raw)
        if model is None or field is None or not numbers:
            raise ValueError(f"expected a chat request for hooks or body of numbered briefs, got {raw[:200]!r}")
        entries = ",".join(self._entry(field[1], number) for number in numbers)
        completion = {
            "id": "chatcmpl-instant",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": model[1].decode(),
            "choices": [{"index": 0, "message": _message(f'{{"answers":[{entries}]}}'), "finish_reason": "stop"}],
            "usage": _USAGE,
        }
        return json.dumps(completion).encode()

    def _entry(self, field: bytes, number: bytes) -> str:
        known = self._entries.get((field, number))
        if known is None:
            post = self._posts.post(int(number))
            said: object = list(post.hooks) if field == b"hooks" else post.body
            known = self._entries[field, number] = json.dumps({field.decode(): said}, ensure_ascii=False)
        return known


def _message(content: str) -> dict[str, object]:
    return {"role": "assistant", "content": content, "refusal": None}
