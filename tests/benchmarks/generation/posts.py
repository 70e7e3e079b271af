"""The job: numbered posts of the sample personas; whoever knows the number knows the brief and the model's answers."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.generation.assignment import Assignment
from agents.personas.persona import Persona
from agents.personas.persona_file import SAMPLES, read_personas
from agents.scoring.words import sentences_of

HOOKS = 3  # as many as the platform asks for
BODY_SENTENCES = 3
NUMBER = re.compile(rb"item-(\d+)")


@dataclass(frozen=True, slots=True)
class Post:
    """What is asked for, and what the model says: hooks and a body that need no second attempt."""

    number: int
    persona: Persona
    brief: str
    hooks: tuple[str, ...]
    body: str

    @property
    def language(self) -> str:
        """Return the language of the persona, which the post is in."""
        return self.persona.languages[0]

    def assignment(self) -> Assignment:
        """Return it as the writer's prompts want it."""
        return Assignment(f"request-{self.number}", 0, self.persona, "", self.brief, self.language)


class PostBook:
    """All posts by number, from 0. Personas take turns; bodies are put together from sentences of their examples."""

    def __init__(self, personas: Sequence[Persona]) -> None:
        self.personas = tuple(personas)
        self._sentences = {each.persona_id: _sentences(each) for each in personas}

    def post(self, number: int) -> Post:
        """Return a post; the same for the same number."""
        persona = self.personas[number % len(self.personas)]
        drawn = random.Random(number)
        theme = drawn.choice(persona.examples_in(persona.languages[0])).brief
        said = drawn.sample(self._sentences[persona.persona_id], BODY_SENTENCES)
        topics = drawn.sample(persona.topics, HOOKS)
        return Post(
            number=number,
            persona=persona,
            brief=f"{theme}, item-{number}",
            hooks=tuple(f"{theme[0].upper()}{theme[1:]}, {number}: {topic}." for topic in topics),
            body=" ".join(said),
        )


def sample_posts() -> PostBook:
    """Return the posts of the sample personas."""
    return PostBook(read_personas(SAMPLES))


def _sentences(persona: Persona) -> list[str]:
    examples = persona.examples_in(persona.languages[0])
    return list(dict.fromkeys(sentence for each in examples for sentence in sentences_of(f"{each.hook}\n{each.body}")))
