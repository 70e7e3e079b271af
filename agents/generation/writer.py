"""The writer: how a model is asked for a hook and for a body; one way of asking for each kind of model."""

from __future__ import annotations

from typing import Protocol

from agents.generation.assignment import Assignment
from agents.generation.chat_writer import ChatWriter
from agents.generation.few_shot_writer import FewShotWriter
from agents.llm.client import LanguageModelClient
from agents.llm.reply import Reply
from streams.settings import Settings


class Writer(Protocol):
    """Ask a model for one part of a draft. Faults come as `fault_of` says; the text of the reply is raw."""

    async def hook(self, assignment: Assignment, seed: int) -> Reply:
        """Ask for a hook."""
        ...

    async def body(self, assignment: Assignment, hook: str, seed: int) -> Reply:
        """Ask for the body that follows the hook."""
        ...


def writer_for(client: LanguageModelClient, settings: Settings) -> Writer:
    """Return the writer that suits the provider: examples to continue for the embedded model, else instructions."""
    if client.provider.embedded:
        return FewShotWriter(client)
    return ChatWriter(client, hook_model=settings.hook_model, body_model=settings.body_model)
