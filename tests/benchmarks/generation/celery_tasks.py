"""The contestant celery-redis, its task: one post written, scored and looked up among those there are, synchronously.

As the original system does it. Kept across a crash: nothing; a task that dies with its worker is lost, one that is
repeated is paid for again. Celery reads the addresses from CELERY_BROKER_URL and CELERY_RESULT_BACKEND, the openai
client its own from OPENAI_BASE_URL and OPENAI_API_KEY.
"""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import openai
from celery import Celery

from agents.embedding.embedding import text_hash
from agents.generation.asking.answers import answers_schema
from agents.generation.asking.chat_writer import BODY_TOKENS, HOOK_CANDIDATES, HOOK_TOKENS
from agents.generation.asking.prompts import body_prompt, hook_prompt, instructions
from agents.generation.asking.writer import BodyTask, HookTask, Past
from agents.generation.settings import GenerationSettings
from agents.llm.client import JsonSchema, Sampling, chat_body
from agents.scoring.quality import score_draft
from agents.scoring.settings import ScoringSettings
from schemas.records import DraftGenerated
from streams.wall_clock import utc_now
from tests.benchmarks.generation.posts import Post, PostBook, sample_posts

CALL_TIMEOUT_S = 60.0
TEXTS = "bench:texts"  # the Redis set of the hashes of all texts
_DEFAULTS = GenerationSettings.model_fields

app = Celery("bench")
app.conf.update(broker_connection_retry_on_startup=True, task_serializer="json", result_serializer="json")


def write_post(number: int) -> dict[str, Any]:
    """Write, score and look up one post; return it with when it was finished."""
    post = _posts().post(number)
    hook = _asked(post, "hooks", hook_prompt([HookTask(post.assignment(), Past())], HOOK_CANDIDATES))[0]
    body = _asked(post, "body", body_prompt([BodyTask(post.assignment(), hook)]))
    draft = _draft(post, hook, body)
    threshold = ScoringSettings.model_fields["quality_threshold"].default
    quality = score_draft(draft, banned_phrases=post.persona.banned_phrases, threshold=threshold)
    is_new = bool(app.backend.client.sadd(TEXTS, text_hash(draft.text)))
    return {"text": draft.text, "score": quality.score, "accepted": quality.passed and is_new, "at": time.time()}


write = app.task(name="bench.write")(write_post)


def texts_written() -> int:
    """Return how many different texts there are: the job's all differ."""
    return int(app.backend.client.scard(TEXTS))


def _asked(post: Post, field: str, user: str) -> Any:
    is_hook = field == "hooks"
    model = _DEFAULTS["hook_model" if is_hook else "body_model"].default
    schema = JsonSchema(field, answers_schema(field, 1, HOOK_CANDIDATES if is_hook else 1))
    tokens = HOOK_TOKENS * HOOK_CANDIDATES if is_hook else BODY_TOKENS
    sampling = Sampling(tokens, post.persona.temperature, seed=post.number)
    asked = chat_body(model=model, system=_system(post.persona.persona_id), user=user, answer=schema, sampling=sampling)
    answer = _client().chat.completions.create(**asked)
    return json.loads(answer.choices[0].message.content or "")["answers"][0][field]


def _draft(post: Post, hook: str, body: str) -> DraftGenerated:
    return DraftGenerated(
        event_id=f"draft-{post.number}",
        occurred_at=utc_now(),
        persona_id=post.persona.persona_id,
        draft_id=f"draft-{post.number}",
        request_id=f"request-{post.number}",
        persona_version="",
        hook=hook,
        body=body,
        text=f"{hook}\n\n{body}",
        language=post.language,
        model=_DEFAULTS["body_model"].default,
        prompt_tokens=0,
        completion_tokens=0,
        cost_micros=None,
        latency_ms=0,
    )


@cache
def _client() -> openai.OpenAI:
    """Return the client of this process: it is made after the fork."""
    return openai.OpenAI(timeout=CALL_TIMEOUT_S, max_retries=0)


@cache
def _posts() -> PostBook:
    return sample_posts()


@cache
def _system(persona_id: str) -> str:
    (persona,) = [each for each in _posts().personas if each.persona_id == persona_id]
    return instructions(persona, persona.languages[0], _DEFAULTS["instruction_tokens"].default).text
