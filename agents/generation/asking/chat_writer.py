"""Ask models that follow instructions: one structured call for a burst, or the lines of a batch for the batch API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agents.caching.response_cache import Question, ResponseCache, worth_keeping
from agents.costs.prices import PriceList, cost_micros
from agents.generation.asking.answers import (
    Answer,
    Answers,
    Thrift,
    answer_text,
    answered,
    answers_in,
    answers_schema,
)
from agents.generation.asking.calls import Call, call_id, calls_of, seed_of
from agents.generation.asking.prompts import Instructions, body_prompt, draft_prompt, hook_prompt, instructions
from agents.generation.asking.writer import BodyTask, CallGate, HookTask, ModelTiers, Step, reply_to
from agents.generation.assignment import Assignment
from agents.llm.answers.listed import schema_of_answers
from agents.llm.answers.reply import UNKNOWN_USAGE, Reply, usage_shares
from agents.llm.batches import BatchLine
from agents.llm.caller import ModelCaller
from agents.llm.client import JsonSchema, LanguageModelClient, Sampling
from agents.llm.faults.faults import ModelMissing, NoAnswer, NoMoreAnswers
from schemas.records import CostEvent, PersonaRequest
from streams.errors import RecordFault
from streams.identity import derived_id

HOOK_CANDIDATES = 3
HOOK_TOKENS = 80  # of one candidate
BODY_TOKENS = 260
MOST_UNREAD = 3  # answers that can't be read, each maybe paid for, before they count as an attempt
DRAFT_TOKENS = 340  # of one draft: hook and body
_FIELDS: tuple[tuple[Step, str], ...] = (("hook", "hook"), ("body", "body"))
_TEXTS = {field: {"type": "string"} for _, field in _FIELDS}


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked for the drafts of a burst: `prompt` writes it for those at some places, `tokens` is for each."""

    step: Step
    attempt: int
    assignments: tuple[Assignment, ...]
    prompt: Callable[[Sequence[int]], str]
    texts: int
    tokens: int
    seed: int

    @property
    def field(self) -> str:
        return "hooks" if self.step == "hook" else "body"


class ChatWriter:
    """Write through chat completions with structured output; `gate` bounds the calls under way."""

    def __init__(
        self,
        client: LanguageModelClient,
        caller: ModelCaller,
        cache: ResponseCache,
        tiers: ModelTiers,
        *,
        gate: CallGate,
        most_at_once: int,
        instruction_tokens: int,
    ) -> None:
        self.most_at_once = most_at_once
        self._client = client
        self._caller = caller
        self._cache = cache
        self._tiers = tiers
        self._gate = gate
        self._instruction_tokens = instruction_tokens
        self._unread: Counter[int] = Counter()  # by the seed of the call

    async def hooks(self, tasks: Sequence[HookTask], attempt: int, seed: int) -> Answers:
        """Ask for three hooks a task."""
        return await self._ask(
            _Question(
                step="hook",
                attempt=attempt,
                assignments=tuple(task.assignment for task in tasks),
                prompt=lambda places: hook_prompt([tasks[place] for place in places], HOOK_CANDIDATES),
                texts=HOOK_CANDIDATES,
                tokens=HOOK_TOKENS * HOOK_CANDIDATES,
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
                prompt=lambda places: body_prompt([tasks[place] for place in places]),
                texts=1,
                tokens=BODY_TOKENS,
                seed=seed,
            )
        )

    async def _ask(self, question: _Question) -> Answers:
        """Take from the cache what it has of each draft alone; ask for the others in one call."""
        first = question.assignments[0]
        system = instructions(first.persona, first.language, self._instruction_tokens)
        models = self._tiers.models_for(question.step, first)
        alone = [self._alone(question, place, models[0], system.text) for place in range(len(question.assignments))]
        cached = [await self._cache.get(each) for each in alone]
        missing = [place for place, reply in enumerate(cached) if reply is None]
        answers = [Answer(_first(reply, question.field), reply) if reply else Answer(()) for reply in cached]
        if not missing:
            return Answers(tuple(answers), None)
        model, reply = await self._call(question, missing, models, system.text)
        for place, texts in zip(missing, answers_in(reply.text, question.field, len(missing)), strict=True):
            answers[place] = Answer(texts)
        if model == models[0] and worth_keeping(reply):  # what a stand-in wrote is not kept as its answer
            await self._keep(
                [alone[place] for place in missing], [answers[at].texts for at in missing], question, reply
            )
        return Answers(tuple(answers), reply, thrift=self._thrift(models, system, len(missing)))

    async def _call(
        self, question: _Question, places: Sequence[int], models: Sequence[str], system: str
    ) -> tuple[str, Reply]:
        """Return the model that answered, and its reply: an empty one of unknown cost after answers nobody can read."""
        first, count = question.assignments[0], len(places)
        answer = JsonSchema(question.field, answers_schema(question.field, count, question.texts))
        sampling = Sampling(question.tokens * count, first.persona.temperature, question.seed)
        user = question.prompt(places)

        async def ask(model: str) -> tuple[str, Reply]:
            async with self._gate:
                chat = self._client.chat(model=model, system=system, user=user, answer=answer, sampling=sampling)
                return model, await self._read(question.seed, chat)

        try:
            found = await self._caller.call(models, ask)
        except RecordFault:
            if not self._unread[question.seed]:
                raise
            # what may have been paid for before is booked as an attempt; the next one meets the refusal again
            found = models[0], Reply("", models[0], UNKNOWN_USAGE, 0)
        except NoMoreAnswers as unread:
            found = unread.reply.model, unread.reply
        except ModelMissing as error:
            if error.model in self._tiers.all():
                raise
            raise RecordFault(
                f"persona {first.persona.persona_id!r} names a model that is not there: {error}"
            ) from error
        del self._unread[question.seed]
        return found

    async def _read(self, seed: int, chat: Awaitable[Reply]) -> Reply:
        try:
            return await reply_to(chat)
        except NoAnswer as unread:
            self._unread[seed] += 1
            if self._unread[seed] < MOST_UNREAD:
                raise
            raise NoMoreAnswers.after(unread) from unread

    async def _keep(
        self, alone: Sequence[Question], texts: Sequence[tuple[str, ...]], question: _Question, reply: Reply
    ) -> None:
        for each, said, usage in zip(alone, texts, usage_shares(reply.usage, len(alone)), strict=True):
            if said:
                await self._cache.put(each, replace(reply, text=answer_text(question.field, said), usage=usage))

    def _alone(self, question: _Question, place: int, model: str, system: str) -> Question:
        """Return what the answer for one draft depends on: its brief, style and context, its number and the attempt."""
        assignment = question.assignments[place]
        style = f" {assignment.choice.style}" if question.step == "hook" and assignment.choice else ""
        return Question(
            model=model,
            messages=({"role": "system", "content": system}, {"role": "user", "content": question.prompt([place])}),
            parameters={"max_tokens": question.tokens, "temperature": assignment.persona.temperature},
            persona_version=assignment.persona_version,
            variation=f"{question.step} {question.attempt} {assignment.number}{style}",
        )

    def _thrift(self, models: Sequence[str], system: Instructions, count: int) -> Thrift:
        dearer = self._tiers.strong
        return Thrift(
            template_tokens=system.left_out_tokens,
            burst_tokens=system.tokens * (count - 1),
            instead_of_model=dearer if models[0] == self._tiers.cheap != dearer else None,
        )


def _first(reply: Reply, field: str) -> tuple[str, ...]:
    (texts,) = answers_in(reply.text, field, 1)
    return texts


def line_of(assignments: Sequence[Assignment], model: str, instruction_tokens: int) -> BatchLine:
    """Return the question for all drafts of a request, hook and body of each; the request's id names it."""
    first = assignments[0]
    system = instructions(first.persona, first.language, instruction_tokens)
    return BatchLine(
        custom_id=first.request_id,
        model=model,
        system=system.text,
        user=draft_prompt(assignments),
        answer=JsonSchema("drafts", schema_of_answers(_TEXTS, len(assignments))),
        sampling=Sampling(
            DRAFT_TOKENS * len(assignments), first.persona.temperature, seed_of(call_id(first, "hook", 0))
        ),
    )


def calls_in(
    reply: Reply, assignments: Sequence[Assignment], occurred_at: datetime, prices: PriceList
) -> list[tuple[Assignment, Call]]:
    """Return the calls that the answer stands for: the first hook and the first body of each draft, half of it each."""
    found = []
    for (step, field), usage in zip(_FIELDS, usage_shares(reply.usage, len(_FIELDS)), strict=True):
        texts = answers_in(reply.text, field, len(assignments))
        answers = answered(replace(reply, usage=usage), texts, batch=True)
        calls = calls_of(answers, step, 0, occurred_at, prices)
        found += list(zip(assignments, calls, strict=True))
    return found


def unused_cost(reply: Reply, request: PersonaRequest, occurred_at: datetime, prices: PriceList) -> CostEvent:
    """Return the booking of an answer that came for a request which can't be written any more: it is paid for."""
    usage = reply.usage
    return CostEvent(
        event_id=derived_id(request.event_id, "unused batch line"),
        occurred_at=occurred_at,
        persona_id=request.persona_id,
        causation_id=request.event_id,
        request_id=request.event_id,
        step="hook",
        model=reply.model,
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_micros=cost_micros(usage, reply.model, prices, on=occurred_at.date(), batch=True),
    )
