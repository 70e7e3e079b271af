"""The writer: how a model is asked for hooks, bodies and revisions, by which model, and the gate of every call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol

from agents.generation.asking.answers import Answers
from agents.generation.assignment import Assignment
from agents.llm.answers.reply import Reply
from agents.llm.faults.faults import NoAnswer

Step = Literal["hook", "body", "revise"]


@dataclass(frozen=True, slots=True)
class ModelTiers:
    """The models of the platform: `strong` for hooks, `cheap` for bodies and revisions, `fallback` after both."""

    strong: str
    cheap: str
    fallback: str | None = None

    def models_for(self, step: Step, assignment: Assignment) -> tuple[str, ...]:
        """Return the models to try in order: the persona's own for the step, the step's tier, then the others.

        A downgraded assignment has neither the persona's own nor the strong model.
        """
        if assignment.downgraded:
            return _distinct(self.cheap, self.fallback)
        models = assignment.persona.models
        own = {"hook": models.hooks, "body": models.body, "revise": models.revise or models.body}[step]
        tier = (self.strong, self.cheap) if step == "hook" else (self.cheap, self.strong)
        return _distinct(own, *tier, self.fallback)

    def all(self) -> tuple[str, ...]:
        """Return every model of the platform, once each."""
        return _distinct(self.strong, self.cheap, self.fallback)


def _distinct(*models: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(model for model in models if model))


@dataclass(frozen=True, slots=True)
class Past:
    """What a persona knows of its past: texts posted lately, newest first, and those that worked, best first."""

    lately: tuple[str, ...] = ()
    worked: tuple[str, ...] = ()


class PastPosts(Protocol):
    """Knows the past of personas."""

    async def refresh(self) -> None:
        """Catch up; `Unavailable` when that can't be done."""
        ...

    async def of(self, persona_id: str) -> Past:
        """Return what is known of a persona's past; nothing of a new one's."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


@dataclass(frozen=True, slots=True)
class HookTask:
    """Ask for hooks: candidates for the first line. `attempt` counts from 0."""

    assignment: Assignment
    past: Past


@dataclass(frozen=True, slots=True)
class BodyTask:
    """Ask for the body that follows a hook; a revision names the body before it and what was wrong with that."""

    assignment: Assignment
    hook: str
    before: str = ""
    problems: tuple[str, ...] = ()


class Writer(Protocol):
    """Ask a model for one part of the drafts of a burst, in one call.

    `most_at_once` is the greatest burst. Faults come as `fault_of` says. Another `attempt` must be able to bring
    another answer; `seed` makes a repetition of the same attempt alike where the provider heeds it.
    """

    most_at_once: int

    async def hooks(self, tasks: Sequence[HookTask], attempt: int, seed: int) -> Answers:
        """Ask for hook candidates for each task."""
        ...

    async def bodies(self, tasks: Sequence[BodyTask], attempt: int, seed: int) -> Answers:
        """Ask for a body for each task; at an attempt over 0, for a revision of the one before."""
        ...


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


class CallsHeld(Exception):
    """The gate is shut. No fault: what wanted to call goes on when it opens, behind its finished calls."""


class CallGate:
    """Let `at_once` calls be under way; entering, and pauses between attempts, raise `CallsHeld` while it is shut."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._free = asyncio.Semaphore(at_once)
        self._shut = asyncio.Event()

    @property
    def is_shut(self) -> bool:
        """Tell whether no call may begin."""
        return self._shut.is_set()

    def shut(self) -> None:
        """Let no call begin; those under way go on."""
        self._shut.set()

    def open(self) -> None:
        """Let calls begin."""
        self._shut.clear()

    async def pause(self, delay_s: float) -> None:
        """Wait before another attempt; a gate that shuts ends the wait with `CallsHeld`."""
        try:
            async with asyncio.timeout(delay_s):
                await self._shut.wait()
        except TimeoutError:
            return
        raise CallsHeld

    async def __aenter__(self) -> None:
        await self._free.acquire()
        if self.is_shut:
            self._free.release()
            raise CallsHeld

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.release()
