"""Ask a small model that continues texts: the persona's examples as a text that goes on with the new post."""

from __future__ import annotations

from collections.abc import Sequence

from agents.generation.asking.answers import MAX_CHARS, Answers, answered
from agents.generation.asking.writer import BodyTask, CallGate, HookTask, reply_to
from agents.generation.assignment import Assignment
from agents.llm.client import LanguageModelClient, Sampling
from agents.llm.provider import EMBEDDED_MODEL

HOOK_TOKENS = 28
BODY_TOKENS = 72
MAX_BRIEF_CHARS = 120  # a small model loses a long brief, and the context is short
_STOPS = ("\n", '"')
_FREQUENCY_PENALTY = 0.4  # measured: without it every third text turns in circles


class FewShotWriter:
    """Write through text completions, one draft a call; `gate` bounds the calls under way.

    The prompt up to the brief is the same for all requests of a persona, so that the server keeps it in its cache; it
    closes each post with a quotation mark, at which the answer stops. The model can't be told what was wrong: a
    revision is another attempt.
    """

    most_at_once = 1

    def __init__(self, client: LanguageModelClient, *, gate: CallGate, model: str = EMBEDDED_MODEL) -> None:
        self._client = client
        self._model = model
        self._gate = gate

    async def hooks(self, tasks: Sequence[HookTask], attempt: int, seed: int) -> Answers:
        """Ask for one hook."""
        del attempt
        (task,) = tasks
        return await self._continue(task.assignment, opening(task.assignment), seed, HOOK_TOKENS)

    async def bodies(self, tasks: Sequence[BodyTask], attempt: int, seed: int) -> Answers:
        """Ask for the body that follows the hook."""
        del attempt
        (task,) = tasks
        return await self._continue(task.assignment, f"{opening(task.assignment)}{task.hook}", seed, BODY_TOKENS)

    async def _continue(self, assignment: Assignment, prompt: str, seed: int, max_tokens: int) -> Answers:
        sampling = Sampling(max_tokens, assignment.persona.temperature, seed, frequency_penalty=_FREQUENCY_PENALTY)
        async with self._gate:
            reply = await reply_to(
                self._client.complete(model=self._model, prompt=prompt, stop=_STOPS, sampling=sampling)
            )
        text = reply.text[:MAX_CHARS].strip()
        return answered(reply, [(text,) if text else ()])


def opening(assignment: Assignment) -> str:
    """Return the examples and the beginning of the new post, up to where its hook starts."""
    persona = assignment.persona
    head = f"{persona.name} writes short posts for {persona.audience}. Every post tells one concrete thing.\n\n"
    examples = "".join(
        f'A post about {each.brief}:\n"{each.hook} {each.body}"\n\n'
        for each in persona.examples_in(assignment.language)
    )
    brief = assignment.brief[:MAX_BRIEF_CHARS].rstrip(" .:\"'").replace('"', "'")
    return f'{head}{examples}A post about {brief}:\n"'
