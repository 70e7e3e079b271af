"""Ask a small model that continues texts: the persona's examples as a text that goes on with the new post."""

from __future__ import annotations

from agents.generation.assignment import Assignment
from agents.llm.client import LanguageModelClient, Sampling
from agents.llm.provider import EMBEDDED_MODEL
from agents.llm.reply import Reply

HOOK_TOKENS = 28
BODY_TOKENS = 72
MAX_BRIEF_CHARS = 120  # a small model loses a long brief, and the context is short
_STOPS = ("\n", '"')
_FREQUENCY_PENALTY = 0.4  # measured: without it every third text turns in circles


class FewShotWriter:
    """Write through text completions.

    The prompt up to the brief is the same for all requests of a persona, so that the server keeps it in its cache; it
    closes each post with a quotation mark, at which the answer stops.
    """

    def __init__(self, client: LanguageModelClient) -> None:
        self._client = client

    async def hook(self, assignment: Assignment, seed: int) -> Reply:
        """Ask for a hook."""
        return await self._continue(assignment, opening(assignment), seed, HOOK_TOKENS)

    async def body(self, assignment: Assignment, hook: str, seed: int) -> Reply:
        """Ask for the body that follows the hook."""
        return await self._continue(assignment, f"{opening(assignment)}{hook}", seed, BODY_TOKENS)

    async def _continue(self, assignment: Assignment, prompt: str, seed: int, max_tokens: int) -> Reply:
        sampling = Sampling(max_tokens, assignment.persona.temperature, seed, frequency_penalty=_FREQUENCY_PENALTY)
        return await self._client.complete(model=EMBEDDED_MODEL, prompt=prompt, stop=_STOPS, sampling=sampling)


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
