"""The learn stage: hooks.partials -> drafts and posts by persona -> hooks.rewards, and hooks.arms that follow."""

from __future__ import annotations

import json
import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any

from pydantic import TypeAdapter

from agents.learning.bandit.arms_record import TOPIC as ARMS
from agents.learning.bandit.arms_record import record_of
from agents.learning.metrics import LEARNING_ARMS, LEARNING_CAPPED, LEARNING_POSTS, LEARNING_REWARDS
from agents.learning.rewards.hook_partials import CHOICE_FIELDS, observed_in
from agents.learning.rewards.hook_partials import TOPIC as PARTIALS
from agents.learning.rewards.persona_rewards import AGES, KnownDraft, KnownPost, PersonaRewards, Slot, UnknownPost
from schemas.records import HookArms, HookChoice, HookPartial
from streams.engine.batch import Row, RowBatch, TopicPartition
from streams.engine.readings import Reading
from streams.engine.stage import Change, Effects, Output, Part, Rejection, Stage
from streams.errors import RecordFault
from streams.kafka.hidden import NOTHING, Hidden
from streams.wall_clock import ClockMs, now_ms

REWARDS = "hooks.rewards"
MOST_TOLD = 2_000
"""Posts that a checkpoint tells of: what went out is one entry of the state, which must not outgrow a record."""
APPLIED, DRAFT, POST, UNKNOWN, OUTBOX = b"s", b"d", b"p", b"u", b"o"
"""First bytes of state keys: how far a source is applied, drafts, posts, engagement of other posts, what went out."""

_DRAFTS, _POSTS = TypeAdapter(KnownDraft), TypeAdapter(KnownPost)
_UNKNOWN = TypeAdapter(UnknownPost)

Of = tuple[str, str]
"""A persona, and the id of a draft or a post of it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A reward that went out with the last checkpoint: of a persona's post, by the number of its age."""

    persona_id: str
    post_id: str
    age: int


class LearnPart(Part[RowBatch[HookPartial]]):
    """The personas of a partition, how far each source partition is applied to them, and what is due when.

    What went out with the last checkpoint that had anything is kept in the state, and goes out again, under the same
    ids, when somebody takes the partition over: it may have been lost between the state and the topics.

    A kill may leave the first changes of a checkpoint and not the others. So what goes out is written first, how far
    sources are applied last, and a post has the offset up to which it is applied itself.
    """

    def __init__(self, state: Iterable[tuple[bytes, bytes]], hidden: Hidden, clock_ms: ClockMs) -> None:
        self._hidden = hidden
        self._clock_ms = clock_ms
        self._personas: dict[str, PersonaRewards] = {}
        self._applied: dict[str, int] = {}
        self._added: set[str] = set()
        self._changed: dict[bytes, set[Of]] = {DRAFT: set(), POST: set(), UNKNOWN: set()}
        self._again: list[Sent] = []
        self._waiting: set[Of] = set()  # posts with news that did not go out yet
        self._outbox: set[str] = set()  # personas of what went out last
        self._restore(state)
        self._awaited = {of: due for of, post in self._known_posts() if (due := post.due_ms()) is not None}
        self._due = [(due, of) for of, due in self._awaited.items()]
        heapify(self._due)
        self._waiting = {of for of, post in self._known_posts() if post.has_changed()}
        self.arms: dict[str, HookArms] = {}
        self.told: Counter[int] = Counter()

    # what comes

    async def add(self, batch: RowBatch[HookPartial]) -> Sequence[Rejection]:
        rejections = []
        for row in batch.rows:
            try:
                self._merge(row)
            except ValueError as error:
                rejections.append(Rejection(row.offset, RecordFault(f"a partial of another version: {error}")))
        return rejections

    def _merge(self, row: Row[HookPartial]) -> None:
        partial = row.record
        source = f"{partial.source_topic}/{partial.source_partition}"
        if partial.last_offset <= self._applied.get(source, -1):
            return  # it was said again after a crash
        observed, at_ms = observed_in(partial), round(partial.occurred_at.timestamp() * 1000)
        for persona_id, draft_id, generated_ms, *choice in observed.drafts.iter_rows():
            if not self._is_hidden(persona_id, at_ms):
                chosen = HookChoice(**dict(zip(CHOICE_FIELDS, choice, strict=True)))
                self._add_draft(persona_id, draft_id, KnownDraft(generated_ms, chosen))
        for persona_id, post_id, draft_id, published_ms, simulated in observed.posts.iter_rows():
            if not self._is_hidden(persona_id, at_ms):
                post = KnownPost(draft_id, published_ms, simulated, applied=row.offset)
                self._add_post(persona_id, post_id, post)
        slots = defaultdict[Of, list[tuple[int, Slot]]](list)
        for persona_id, post_id, slot_ms, simulated, views, engagements in observed.engagement.iter_rows():
            if not self._is_hidden(persona_id, at_ms):
                slots[persona_id, post_id].append((slot_ms, (views, engagements, simulated)))
        for of, each in slots.items():
            self._add_engagement(of, each, row.offset)
        self._applied[source] = partial.last_offset
        self._added.add(source)

    def _is_hidden(self, persona_id: str, at_ms: int) -> bool:
        return bool(self._hidden) and self._hidden.hides(persona_id.encode(), at_ms)

    def _add_draft(self, persona_id: str, draft_id: str, draft: KnownDraft) -> None:
        persona = self._persona(persona_id)
        if draft_id in persona.drafts:
            return  # it came again
        self._changed[DRAFT].add((persona_id, draft_id))
        self._changed[POST].update((persona_id, post_id) for post_id in persona.add_draft(draft_id, draft))
        self._forget(DRAFT, persona_id, persona.forgotten_drafts(), persona.drafts)

    def _add_post(self, persona_id: str, post_id: str, post: KnownPost) -> None:
        persona = self._persona(persona_id)
        if post_id in persona.unknown:
            self._changed[UNKNOWN].add((persona_id, post_id))
        if persona.add_post(post_id, post):
            self._changed[POST].add((persona_id, post_id))
            self._await(persona_id, post_id, post)
        self._forget(POST, persona_id, persona.forgotten_posts(), persona.posts)

    def _add_engagement(self, of: Of, slots: Sequence[tuple[int, Slot]], offset: int) -> None:
        persona_id, post_id = of
        persona = self._persona(persona_id)
        if not persona.add_engagement(post_id, slots, offset):
            return
        if post_id in persona.posts:
            self._changed[POST].add(of)
            return
        self._changed[UNKNOWN].add(of)
        self._forget(UNKNOWN, persona_id, persona.forgotten_unknown(), persona.unknown)

    def _forget(self, mark: bytes, persona_id: str, ids: Sequence[str], kept: MutableMapping[str, Any]) -> None:
        for each in ids:
            kept.pop(each, None)
            self._changed[mark].add((persona_id, each))
            if mark == POST:
                self._awaited.pop((persona_id, each), None)

    def _persona(self, persona_id: str) -> PersonaRewards:
        if persona_id not in self._personas:
            self._personas[persona_id] = PersonaRewards(persona_id)
        return self._personas[persona_id]

    # what goes

    def is_due(self) -> bool:
        """Tell whether an age of a post has come, or something has to go out, for the first time or again."""
        return bool(self._again or self._waiting) or (bool(self._due) and self._due[0][0] <= self._clock_ms())

    def flush(self) -> Effects:
        """Return the rewards of posts that changed or whose time has come, and the arms of their personas."""
        at_ms = self._clock_ms()
        sent = self._again + [each for of in self._of_interest(at_ms) for each in self._told(of, at_ms)]
        applied = ((APPLIED + name.encode(), _packed(self._applied[name])) for name in sorted(self._added))
        outbox = self._outbox_changes(sent) if sent != self._again else ()
        changes = [*outbox, *self._state_changes(), *applied]
        self._added.clear()
        self._again = []
        return Effects(changes=changes, outputs=list(self._outputs(sent)))

    def _of_interest(self, at_ms: int) -> list[Of]:
        """Return posts that changed, and those whose next age has come; of very many the first, the others wait."""
        self._waiting |= self._changed[POST]
        while self._due and self._due[0][0] <= at_ms:
            self._waiting.add(heappop(self._due)[1])
        found = sorted(of for of in self._waiting if self._post(of) is not None)
        self._waiting = set(found[MOST_TOLD:])
        return found[:MOST_TOLD]

    def _told(self, of: Of, at_ms: int) -> Iterator[Sent]:
        persona_id, post_id = of
        persona = self._personas[persona_id]
        for reward in persona.news(post_id, at_ms):
            self._changed[POST].add(of)
            self.told[reward.age_hours] += 1
            yield Sent(persona_id, post_id, AGES.index(reward.age_hours))
        self._await(persona_id, post_id, persona.posts[post_id])

    def _await(self, persona_id: str, post_id: str, post: KnownPost) -> None:
        due_ms, of = post.due_ms(), (persona_id, post_id)
        if due_ms is None or post.choice is None:
            self._awaited.pop(of, None)
        elif self._awaited.get(of) != due_ms:
            self._awaited[of] = due_ms
            heappush(self._due, (due_ms, of))

    def _outputs(self, sent: Sequence[Sent]) -> Iterator[Output]:
        personas = dict.fromkeys(each.persona_id for each in sent)
        for each in sent:
            persona = self._personas.get(each.persona_id)
            post = persona.posts.get(each.post_id) if persona else None
            if persona and post and post.told[each.age]:
                yield Output(REWARDS, persona.reward(each.post_id, each.age))
        for persona_id in personas:
            persona = self._personas.get(persona_id)
            arms = record_of(persona_id, persona.newest()) if persona else None
            if arms is not None:
                self.arms[persona_id] = arms
                yield Output(ARMS, arms)

    # what is kept

    def _post(self, of: Of) -> KnownPost | None:
        persona = self._personas.get(of[0])
        return persona.posts.get(of[1]) if persona else None

    def _known_posts(self) -> Iterator[tuple[Of, KnownPost]]:
        for persona_id, persona in self._personas.items():
            for post_id, post in persona.posts.items():
                if post.choice is not None:
                    yield (persona_id, post_id), post

    def posts(self) -> int:
        """Return how many posts are known with their drafts."""
        return sum(1 for _ in self._known_posts())

    def _outbox_changes(self, sent: Sequence[Sent]) -> Iterator[Change]:
        """Yield what goes out, by persona, in place of what went out before."""
        by_persona = defaultdict[str, list[tuple[str, int]]](list)
        for each in sent:
            by_persona[each.persona_id].append((each.post_id, each.age))
        for persona_id, posts in by_persona.items():
            yield _key(OUTBOX, (persona_id, "")), json.dumps(posts).encode()
        for persona_id in sorted(self._outbox - by_persona.keys()):
            yield _key(OUTBOX, (persona_id, "")), None
        self._outbox = set(by_persona)

    def _state_changes(self) -> Iterator[Change]:
        for mark, changed in self._changed.items():
            for persona_id, name in sorted(changed):
                yield _key(mark, (persona_id, name)), self._encoded(mark, self._personas[persona_id], name)
            changed.clear()

    @staticmethod
    def _encoded(mark: bytes, persona: PersonaRewards, name: str) -> bytes | None:
        """Return the entry of a draft or a post, None where it is not kept any more."""
        if mark == DRAFT:
            return _DRAFTS.dump_json(persona.drafts[name]) if name in persona.drafts else None
        if mark == POST:
            return _POSTS.dump_json(persona.posts[name]) if name in persona.posts else None
        return _UNKNOWN.dump_json(persona.unknown[name]) if name in persona.unknown else None

    def _restore(self, state: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in state:
            mark = key[:1]
            if mark == APPLIED:
                self._applied[key[1:].decode()] = struct.unpack("<q", value)[0]
                continue
            persona_id, name = json.loads(key[1:])
            if mark == OUTBOX:
                self._outbox.add(persona_id)
                self._again += [Sent(persona_id, post_id, age) for post_id, age in json.loads(value)]
            else:
                persona = self._persona(persona_id)
                if mark == DRAFT:
                    persona.drafts[name] = _DRAFTS.validate_json(value)
                elif mark == POST:
                    persona.posts[name] = _POSTS.validate_json(value)
                else:
                    persona.unknown[name] = _UNKNOWN.validate_json(value)
        for persona_id, persona in self._personas.items():
            self._changed[UNKNOWN].update((persona_id, post_id) for post_id in persona.made_whole())


class LearnStage(Stage[LearnPart]):
    """Read partials, add each range of a source partition once, and tell what posts brought and what styles are worth.

    Reads hooks.partials, writes hooks.rewards and hooks.arms; persona_rewards.py and bandit/arms.py decide. The clock
    says when something is told, never what: of one log the same rewards and arms come out whenever it is read.
    """

    name = "learn"
    topics = (PARTIALS,)
    stateful = True

    def __init__(self, clock_ms: ClockMs = now_ms) -> None:
        self._clock_ms = clock_ms
        self._hidden = NOTHING
        self._parts: dict[TopicPartition, LearnPart] = {}

    def owner_of(self, key: bytes, value: bytes) -> str | None:
        """Return the persona of a draft, a post, or of what went out; how far a source is applied is nobody's."""
        del value
        return None if key[:1] == APPLIED else str(json.loads(key[1:])[0])

    def hide(self, hidden: Hidden) -> None:
        """Leave out of partials what was observed of a persona before it was hidden."""
        self._hidden = hidden

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> LearnPart:
        part = LearnPart(state, self._hidden, self._clock_ms)
        self._parts[source] = part
        return part

    def idle_flush_due(self, parts: Collection[LearnPart]) -> bool:
        return any(part.is_due() for part in parts)

    async def flush(self, parts: Mapping[TopicPartition, LearnPart]) -> Mapping[TopicPartition, Effects]:
        self._parts = dict(parts)
        return await super().flush(parts)

    def readings(self) -> Iterable[Reading]:
        """Return how many rewards were told by age, the posts that are followed, and the arms made."""
        parts = list(self._parts.values())
        for hours in AGES:
            yield Reading(LEARNING_REWARDS, (str(hours),), sum(part.told[hours] for part in parts))
        yield Reading(LEARNING_POSTS, (), sum(part.posts() for part in parts))
        arms = [each for part in parts for each in part.arms.values()]
        yield Reading(LEARNING_ARMS, (), len(arms))
        yield Reading(LEARNING_CAPPED, (), sum(arm.capped_posts for each in arms for arm in each.arms))


def _key(mark: bytes, of: Of) -> bytes:
    return mark + json.dumps(of, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _packed(offset: int) -> bytes:
    return struct.pack("<q", offset)
