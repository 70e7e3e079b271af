"""Events of a block: one engagement event for each kind that a row counts, one post for each distinct post_id."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.importing.rows import RowBlock
from schemas.catalogue import Topic, topic_named
from schemas.column_encoder import Column, Constant
from schemas.records import EngagementKind
from streams.identity import derived_id

ENGAGEMENT = topic_named("engagement.events")
POSTS = topic_named("posts.published")
POSTS_REMEMBERED = 200_000  # a post that comes again after so many others is sent again, with the same event_id


@dataclass(frozen=True, slots=True)
class EventColumns:
    """Records of one topic as columns; `keys` and `lines` are the record key and the line of the file of each."""

    topic: Topic
    columns: Mapping[str, Column]
    keys: Sequence[str]
    lines: Sequence[int]


class EventMaker:
    """Make the events of one file; the same row gives the same events, in any run."""

    def __init__(self, kinds: Sequence[EngagementKind], *, source_key: str, source: str, simulated: bool) -> None:
        """Take the kinds of the blocks' counts; `source` is what the events name as theirs."""
        self._kinds = kinds
        self._source_key = source_key
        self._origin = {"source": Constant(source), "simulated": Constant(simulated)}
        self._posts: OrderedDict[str, None] = OrderedDict()

    def engagement(self, block: RowBlock) -> EventColumns:
        """Return an event for every count that is not zero, row by row."""
        rows, kinds = np.nonzero(block.counts)
        places = rows.tolist()
        names = [self._kinds[kind] for kind in kinds.tolist()]
        numbers = list(map(str, block.numbers))
        keys = [block.persona_ids[row] for row in places]
        posts = Constant(None) if block.post_ids is None else [block.post_ids[row] for row in places]
        ids = [derived_id(self._source_key, numbers[row], kind) for row, kind in zip(places, names, strict=True)]
        columns: dict[str, Column] = {
            "event_id": ids,
            "occurred_at": block.occurred_ms[rows],
            "persona_id": keys,
            "post_id": posts,
            "kind": names,
            "count": block.counts[rows, kinds],
        }
        return EventColumns(ENGAGEMENT, columns | self._origin, keys, [block.lines[row] for row in places])

    def posts(self, block: RowBlock) -> EventColumns:
        """Return the posts that the block is the first to name, where the file has posts with a text."""
        ids, texts = block.post_ids, block.texts
        if ids is None or texts is None:
            ids, texts = (), ()
        first = [row for row, post_id in enumerate(ids) if not self._seen(post_id)]
        keys = [block.persona_ids[row] for row in first]
        columns: dict[str, Column] = {
            "event_id": [derived_id(self._source_key, "post", ids[row]) for row in first],
            "occurred_at": block.occurred_ms[first],
            "persona_id": keys,
            "post_id": [ids[row] for row in first],
            "text": [texts[row] for row in first],
        }
        return EventColumns(POSTS, columns | self._origin, keys, [block.lines[row] for row in first])

    def _seen(self, post_id: str) -> bool:
        if post_id in self._posts:
            self._posts.move_to_end(post_id)
            return True
        self._posts[post_id] = None
        if len(self._posts) > POSTS_REMEMBERED:
            self._posts.popitem(last=False)
        return False
