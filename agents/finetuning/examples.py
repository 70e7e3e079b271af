"""Examples as the provider takes them: a conversation a line, the same questions that the platform itself asks."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agents.finetuning.choosing import Chosen, PublishedPost, Wanted
from agents.generation.asking.prompts import draft_prompt, instructions
from agents.generation.assignment import Assignment
from agents.llm.token_estimate import estimated_tokens
from agents.personas.persona import Persona

LEAST_EXAMPLES = 10
"""What the provider asks for at least (OpenAI, supervised fine-tuning, 2026)."""
INSTRUCTION_TOKENS = 1_200
_BUCKETS = 1_000


@dataclass(frozen=True, slots=True)
class Files:
    """What is written: JSON lines to train on and to validate with, and the card that tells what is in them."""

    training: str
    validation: str
    card: str


def example_of(post: PublishedPost) -> str:
    """Return a line: the persona's instructions, the brief as it was asked, and the post as the answer."""
    persona = Persona.model_validate_json(post.definition)
    assignment = Assignment(post.draft_id, 0, persona, "", post.brief, post.language)
    answer = {"answers": [{"hook": post.hook, "body": post.body}]}
    messages = [
        {"role": "system", "content": instructions(persona, post.language, INSTRUCTION_TOKENS).text},
        {"role": "user", "content": draft_prompt([assignment])},
        {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)},
    ]
    return json.dumps({"messages": messages}, ensure_ascii=False)


def is_for_validation(post: PublishedPost, share: float) -> bool:
    """Tell whether a post is kept for validation: by a hash of its draft, so that it stays there."""
    digest = hashlib.sha256(post.draft_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") % _BUCKETS < share * _BUCKETS


def files_of(chosen: Chosen, wanted: Wanted, validation: float, command: str) -> Files:
    """Return the files; the same posts make the same bytes."""
    lines: dict[bool, list[str]] = {False: [], True: []}
    for each in sorted(chosen.posts, key=lambda each: each.draft_id):
        lines[is_for_validation(each, validation)].append(example_of(each))
    training, kept = ("".join(f"{line}\n" for line in lines[part]) for part in (False, True))
    return Files(training, kept, _card(chosen, wanted, training, kept, command))


def _card(chosen: Chosen, wanted: Wanted, training: str, validation: str, command: str) -> str:
    posts = chosen.posts
    days = sorted(each.published_at.date() for each in posts)
    span = f"{days[0]} to {days[-1]}" if days else "-"
    tokens = estimated_tokens(training, "en")
    simulated = sum(each.simulated for each in posts)
    return "\n".join(
        [
            "# Fine-tuning examples",
            "",
            f"Made by `{command}`: posts of accepted drafts that did well, in OpenAI's form for chat models.",
            "",
            "| what | how much |",
            "|---|---|",
            f"| examples to train on | {training.count(chr(10)):,} (about {tokens:,} tokens) |",
            f"| examples to validate with | {validation.count(chr(10)):,} |",
            f"| published | {span} |",
            f"| views | {sum(each.views for each in posts):,} |",
            f"| of simulated posts or engagement | {simulated:,} |",
            f"| SHA-256 of the training file | `{hashlib.sha256(training.encode()).hexdigest()}` |",
            f"| SHA-256 of the validation file | `{hashlib.sha256(validation.encode()).hexdigest()}` |",
            "",
            *_counted("persona", [each.persona_id for each in posts]),
            *_counted("language", [each.language for each in posts]),
            "## Chosen",
            "",
            f"At least {wanted.least_views:,} views; of each persona the best {wanted.top:.0%} by engagement rate",
            "(drawn to the persona's own while views are few), none under its median. Texts that are nearly the same",
            "stand once. A post whose brief or text holds personal data (e-mail addresses, phone numbers, street",
            "addresses, card and identity numbers, mentions of accounts) is left out whole.",
            "",
            "| left out | posts |",
            "|---|---|",
            *(f"| {reason} | {count:,} |" for reason, count in sorted(chosen.left_out.items())),
            "",
            "All texts were written by models as personas of this platform. A model trained on them writes as they do:",
            "its posts are to be disclosed as theirs are. Personas that were erased are in no table and so not here.",
            "",
        ]
    )


def _counted(what: str, names: Sequence[str]) -> list[str]:
    rows = [f"| {name} | {count:,} |" for name, count in sorted(Counter(names).items())]
    return [f"| {what} | examples |", "|---|---|", *rows, ""]
