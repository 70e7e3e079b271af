"""What becomes of a record that can't be processed, by its topic: its partition stops, it is parked, or dropped.

- `park`: it becomes a dead letter and the partition goes on.
- `drop`: it is counted and logged, and nothing of it is kept.
- `stop`: the partition does not go past it until it can be processed, or somebody lets it pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal, get_args

from schemas.catalogue import CATALOGUE

Policy = Literal["stop", "park", "drop"]
DEFAULT: Policy = "park"
EXAMPLE = "park,TOPIC=drop,TOPIC=stop"
_ALL = ""  # stands for every topic that is not named


class Policies:
    """The policy of each topic, read from `word,topic=word,...`: a word alone is for all topics that are not named."""

    def __init__(self, text: str = "") -> None:
        """Read the policies.

        Raises:
            ValueError: a part is no policy, or names a topic that is not in the catalogue or was named before.
        """
        self._by_topic: dict[str, Policy] = {}
        for part in (each.strip() for each in text.split(",")):
            if part:
                self._read(part)

    def _read(self, part: str) -> None:
        topic, is_named, word = part.rpartition("=")
        topic, word = topic.strip(), word.strip()
        if is_named:
            _check_topic(topic)
        if topic in self._by_topic:
            raise ValueError(f"names {topic or 'the policy of all topics'} twice: leave one")
        self._by_topic[topic] = _policy(word)

    def of(self, topic: str) -> Policy:
        """Return the policy of a topic."""
        return self._by_topic.get(topic, self._by_topic.get(_ALL, DEFAULT))


def _policy(word: str) -> Policy:
    known: Mapping[str, Policy] = {each: each for each in get_args(Policy)}
    if word not in known:
        near = difflib.get_close_matches(word, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{word!r} is no policy: choose of {', '.join(known)}, as in {EXAMPLE}{meant}")
    return known[word]


def _check_topic(topic: str) -> None:
    known = [each.name for each in CATALOGUE]
    if topic not in known:
        near = difflib.get_close_matches(topic, known, n=1)
        raise ValueError(f"{topic!r} is no topic of the catalogue" + (f"; did you mean {near[0]}?" if near else ""))
