"""Pairs of texts with a label: whether the second says what the first says. The shipped ones are in pairs/."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from streams.errors import SettingsError

PairKind = Literal["near-copy", "paraphrase", "opposite", "same-form", "same-topic", "unrelated", "translation"]
KINDS: tuple[PairKind, ...] = get_args(PairKind)
SHIPPED = tuple(sorted(Path(__file__).with_name("pairs").glob("*.yaml")))


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """Two texts and what the second is to the first.

    `group` is alike for all variants of one text: they are never on both sides of a cross-validation. `source` is the
    name of the file, which for the shipped ones is the language.
    """

    kind: PairKind
    first: str
    second: str
    group: str
    source: str


def read_pairs(paths: Iterable[Path] = SHIPPED) -> list[LabelledPair]:
    """Read labelled pairs from YAML; pairs/en.yaml shows the form, and `pairs: {LABEL: [[TEXT, TEXT]]}` is enough.

    Raises:
        SettingsError: a file can't be read, or something in it is no labelled pair.
    """
    return [pair for path in paths for pair in _pairs_of(path)]


def _pairs_of(path: Path) -> Iterator[LabelledPair]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        yield from _variants(content.get("posts", {}), path.stem)
        for first, second in content.get("unrelated", []):
            one, other = (_text(content["posts"][name]["post"]) for name in (first, second))
            yield LabelledPair("unrelated", one, other, group=first, source=path.stem)
        for kind, pairs in content.get("pairs", {}).items():
            for first, second in pairs:
                yield LabelledPair(_kind(kind), _text(first), _text(second), group=_text(first), source=path.stem)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{path.name}: expected YAML such as 'pairs: {{paraphrase: [[TEXT, TEXT]]}}' with the labels "
            f"{', '.join(KINDS)}; got {type(error).__name__}: {error}"
        ) from error


def _variants(posts: dict[str, dict[str, Any]], source: str) -> Iterator[LabelledPair]:
    for name, texts in posts.items():
        for kind, text in texts.items():
            if kind != "post":
                yield LabelledPair(_kind(kind), _text(texts["post"]), _text(text), group=name, source=source)


def _kind(label: str) -> PairKind:
    for kind in KINDS:
        if label == kind:
            return kind
    raise ValueError(f"the label {label!r}")


def _text(value: str | list[str]) -> str:
    """Return a text as a draft has it: a list is a hook and a body."""
    return value if isinstance(value, str) else "\n\n".join(map(str, value))
