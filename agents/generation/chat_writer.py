"""Ask models that follow instructions: one structured call for a burst, through cache, breakers and tiers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from agents.generation.answers import Answers, Thrift, answers_in, answers_schema
from agents.generation.assignment import Assignment
from agents.generation.model_tiers import ModelTiers, Step
from agents.generation.prompts import Instructions, body_prompt, hook_prompt, instructions
from agents.generation.writer import BodyTask, HookTask
from agents.llm.caller import ModelCaller
from agents.llm.client import JsonSchema, LanguageModelClient, Sampling
from agents.llm.faults import ModelMissing
from agents.llm.reply import Reply
from agents.llm.response_cache import Question, ResponseCache, worth_keeping
from streams.errors import RecordFault

HOOK_CANDIDATES = 3
HOOK_TOKENS = 80  # of one candidate
BODY_TOKENS = 260


@dataclass(frozen=True, slots=True)
class _Question:
    """One call as it will be made: what is asked, of which model in which order, and how the answers look."""

    step: Step
    attempt: int
    assignments: tuple[Assignment, ...]
    user: str
    texts: int
    max_tokens: int
    seed: int

    @property
    def field(self) -> str:
        return "hooks" if self.step == "hook" else "body"


class ChatWriter:
    """Write through chat completions with structured output; `at_once` bounds the calls under way."""

    def __init__(
        self,
        client: LanguageModelClient,
        caller: ModelCaller,
        cache: ResponseCache,
        tiers: ModelTiers,
        *,
        at_once: asyncio.Semaphore,
        most_at_once: int,
        instruction_tokens: int,
    ) -> None:
        self.most_at_once = most_at_once
        self._client = client
        self._caller = caller
        self._cache = cache
        self._tiers = tiers
        self._at_once = at_once
        self._instruction_tokens = instruction_tokens

    async def hooks(self, tasks: Sequence[HookTask], attempt: int, seed: int) -> Answers:
        """Ask for three hooks a task."""
        return await self._ask(
            _Question(
                step="hook",
                attempt=attempt,
                assignments=tuple(task.assignment for task in tasks),
                user=hook_prompt(tasks, HOOK_CANDIDATES),
                texts=HOOK_CANDIDATES,
                max_tokens=HOOK_TOKENS * HOOK_CANDIDATES * len(tasks),
                seed=seed,
            )
        )

    async def bodies(self, tasks: Sequence[BodyTask], attempt: int, seed: int) -> Answers:
        """Ask for a body a task, or for its revision."""
        return await self._ask(
            _Question(
                step="revise" if attempt else "body",
                attempt=attempt,
                assignments=tuple(task.assignment for task in tasks),
                user=body_prompt(tasks),
                texts=1,
                max_tokens=BODY_TOKENS * len(tasks),
                seed=seed,
            )
        )

    async def _ask(self, question: _Question) -> Answers:
        first = question.assignments[0]
        system = instructions(first.persona, first.language, self._instruction_tokens)
        models = self._tiers.models_for(question.step, first)
        cached = self._cached(question, models[0], system.text)
        reply = await self._cache.get(cached)
        from_cache = reply is not None
        if reply is None:
            reply = await self._call(question, models, system.text)
            if worth_keeping(reply):
                await self._cache.put(cached, reply)
        count = len(question.assignments)
        texts = answers_in(reply.text, question.field, count)
        return Answers(reply, texts, from_cache, thrift=self._thrift(question, models, system))

    async def _call(self, question: _Question, models: Sequence[str], system: str) -> Reply:
        first, count = question.assignments[0], len(question.assignments)
        answer = JsonSchema(question.field, answers_schema(question.field, count, question.texts))
        sampling = Sampling(question.max_tokens, first.persona.temperature, question.seed)

        async def ask(model: str) -> Reply:
            async with self._at_once:
                return await self._client.chat(
                    model=model, system=system, user=question.user, answer=answer, sampling=sampling
                )

        try:
            return await self._caller.call(models, ask)
        except ModelMissing as error:
            if error.model in self._tiers.all():
                raise
            raise RecordFault(
                f"persona {first.persona.persona_id!r} names a model that is not there: {error}"
            ) from error

    def _cached(self, question: _Question, model: str, system: str) -> Question:
        """Return what the answer depends on: the same brief in the same context, for the same draft and attempt."""
        first = question.assignments[0]
        numbers = ",".join(str(each.number) for each in question.assignments)
        return Question(
            model=model,
            messages=({"role": "system", "content": system}, {"role": "user", "content": question.user}),
            parameters={"max_tokens": question.max_tokens, "temperature": first.persona.temperature},
            persona_version=first.persona_version,
            variation=f"{question.step} {question.attempt} {numbers}",
        )

    def _thrift(self, question: _Question, models: Sequence[str], system: Instructions) -> Thrift:
        dearer = self._tiers.strong
        return Thrift(
            template_tokens=system.left_out_tokens,
            burst_tokens=system.tokens * (len(question.assignments) - 1),
            instead_of_model=dearer if models[0] == self._tiers.cheap != dearer else None,
        )
