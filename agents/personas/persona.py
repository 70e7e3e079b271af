"""The persona: who writes, for whom, how, when and in which languages; its version follows from its content."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from agents.personas.later import LATER, as_before
from agents.personas.posting import PostingPlan

MICROS_PER_DOLLAR = 1_000_000
MAX_DOLLARS = 1_000_000  # keeps sums of micro-dollars far inside 64 bits
VERSION_LENGTH = 16
MAX_HOOK_LENGTH = 160


def _without_nul(text: str) -> str:
    if "\x00" in text:  # which a topic would take, and PostgreSQL would not
        raise ValueError("holds a NUL character; leave it out")
    return text


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_without_nul)
]
Phrase = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), AfterValidator(_without_nul)
]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
ModelName = Phrase
DEFAULT_TENANT = "default"
Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64), LATER]
PersonaId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
EmojiPolicy = Literal["none", "sparing", "free"]


def _canonical(dollars: Decimal) -> str:
    """Return the shortest plain notation: 0.50 and 0.5 are one budget, and one version of the persona."""
    return format((dollars + 0).normalize(), "f")  # adding 0 makes -0 plain


Dollars = Annotated[
    Decimal,
    Field(ge=0, le=MAX_DOLLARS, decimal_places=6, allow_inf_nan=False),
    PlainSerializer(_canonical, return_type=str, when_used="json-unless-none"),
]


class PersonaBudget(BaseModel):
    """Limits in dollars, to the micro-dollar; None is no limit, 0 allows only what is free."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    daily_dollars: Dollars | None = None
    hourly_dollars: Dollars | None = None

    @field_validator("daily_dollars", "hourly_dollars", mode="before")
    @classmethod
    def _no_truth_value(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError("write a number of dollars, such as 0.50, or leave the field out for no limit")  # noqa: TRY004
        return value

    @field_validator("hourly_dollars")
    @classmethod
    def _within_the_day(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        daily = info.data.get("daily_dollars")
        if value is not None and daily is not None and value > daily:
            raise ValueError(f"is above daily_dollars ({daily}) and would never be reached; lower it or leave it out")
        return value

    @property
    def daily_micros(self) -> int | None:
        """Return the limit of a UTC day in micro-dollars."""
        return _micros(self.daily_dollars)

    @property
    def hourly_micros(self) -> int | None:
        """Return the limit of a clock hour in micro-dollars."""
        return _micros(self.hourly_dollars)


def _micros(dollars: Decimal | None) -> int | None:
    return None if dollars is None else int(dollars * MICROS_PER_DOLLAR)


class StepModels(BaseModel):
    """The models of the steps of generation; None leaves a step to the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hooks: ModelName | None = None
    body: ModelName | None = None
    revise: ModelName | None = None


class Example(BaseModel):
    """A post as this persona would write it; models imitate it. `language` None means the persona's first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brief: Text
    hook: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_HOOK_LENGTH),
        AfterValidator(_without_nul),
    ]
    body: Text
    language: Language | None = None


class Persona(BaseModel):
    """A persona as data. Unknown fields are refused, so that a typo never goes unnoticed.

    `disclosure` and `calls_to_action` are in the persona's first language.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    persona_id: PersonaId
    tenant: Tenant = DEFAULT_TENANT
    name: Phrase
    voice: Text
    audience: Text
    topics: tuple[Phrase, ...] = Field(min_length=1)
    languages: tuple[Language, ...] = Field(min_length=1)
    hook_styles: tuple[Phrase, ...] = Field(min_length=1)
    banned_phrases: tuple[Phrase, ...] = ()
    emoji_policy: EmojiPolicy = "sparing"
    disclosure: Phrase | None = None
    calls_to_action: tuple[Phrase, ...] = ()
    models: StepModels = StepModels()
    budget: PersonaBudget = PersonaBudget()
    posting: PostingPlan = PostingPlan()
    temperature: float = Field(0.7, ge=0, le=2)
    examples: tuple[Example, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Persona:
        problems = [
            f"{name} names {item!r} twice; name each once"
            for name in ("languages", "topics", "hook_styles", "banned_phrases", "calls_to_action")
            for item in _repeated(getattr(self, name))
        ]
        strangers = sorted({each.language for each in self.examples if each.language} - set(self.languages))
        if strangers:
            problems.append(f"examples are in {', '.join(strangers)}, which is not among languages: add it there")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def definition(self) -> str:
        """Return the persona as canonical JSON: sorted keys, no blanks, defaults written out.

        But for fields that came later (`LATER`): personas that leave them alone keep the versions that they had.
        """
        return json.dumps(as_before(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def version(self) -> str:
        """Return the version: the first 16 hex digits of the SHA-256 of the definition."""
        return hashlib.sha256(self.definition().encode()).hexdigest()[:VERSION_LENGTH]

    def examples_in(self, language: str) -> tuple[Example, ...]:
        """Return the examples in a language; all of them where there is none, for the voice alone."""
        return self._written_in(language) or self.examples

    def has_examples_in(self, language: str) -> bool:
        """Tell whether an example is in a language."""
        return bool(self._written_in(language))

    def _written_in(self, language: str) -> tuple[Example, ...]:
        return tuple(each for each in self.examples if (each.language or self.languages[0]) == language)

    def calls_to_action_in(self, language: str) -> tuple[str, ...]:
        """Return the calls to action for a post in a language: none but in the persona's first."""
        return self.calls_to_action if language == self.languages[0] else ()


def _repeated(items: tuple[str, ...]) -> list[str]:
    return [item for item, count in Counter(items).items() if count > 1]
