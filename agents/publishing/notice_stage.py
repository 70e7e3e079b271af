"""The notice stage: what a platform told by itself -> posts.commands. Whatever it tells, polling finds too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from agents.accounts.directory import SIMULATED, AccountDirectory
from agents.personas.directory import PersonaDirectory
from agents.platforms.threads_ids import simulated_user_id
from agents.publishing.identity import command_of
from agents.publishing.notices import texts_in
from schemas.records import PlatformNotice, PostCommand
from streams.engine.batch import RowBatch, TopicPartition
from streams.engine.stage import Effects, Output, Part, Rejection, Stage

COMMANDS = "posts.commands"
ACCOUNTS_MAX_AGE_S = 1.0
REQUESTED_BY = "platform.notices"


class NoticePart(Part[RowBatch[PlatformNotice]]):
    """The commands that follow from a partition's notices since the last flush."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._commands: list[PostCommand] = []

    async def add(self, batch: RowBatch[PlatformNotice]) -> Sequence[Rejection]:
        for row in batch.rows:
            self._commands += commands_of(row.record, self._owners.of(row.record))
        return ()

    def flush(self) -> Effects:
        commands, self._commands = self._commands, []
        return Effects(outputs=[Output(COMMANDS, each) for each in commands])


class Owners:
    """Whose an account of a platform is: the personas that publish with it."""

    def __init__(self, accounts: AccountDirectory, personas: PersonaDirectory) -> None:
        self._accounts = accounts
        self._personas = personas
        self._simulated: dict[str, str] = {}

    def of(self, notice: PlatformNotice) -> tuple[str, ...]:
        """Return the personas of the account that a notice is of; none where it is not ours."""
        for record in self._accounts.known():
            if (record.platform, record.user_id) == (notice.platform, notice.user_id) and record.state != "removed":
                return record.persona_ids
        return self._of_simulated(notice.user_id)

    def _of_simulated(self, user_id: str) -> tuple[str, ...]:
        if user_id not in self._simulated:
            ids = (each.persona.persona_id for each in self._personas.known())
            self._simulated = {simulated_user_id(each): each for each in ids}
        persona_id = self._simulated.get(user_id)
        is_ours = persona_id is not None and self._accounts.find(SIMULATED + persona_id) is not None
        return (persona_id,) if persona_id is not None and is_ours else ()


class NoticeStage(Stage[NoticePart]):
    """Have unconfirmed posts confirmed, and deleted ones looked up, as soon as the platform tells of them.

    Reads: platform.notices; besides, accounts and personas, for whose they are. Writes: posts.commands: a `confirm` of
    a post with its text, whose publication the publisher finds, a `heal` of one that was deleted. It keeps no state:
    ids follow from those of the notices, so one that came twice, or late, has the effect of once.
    """

    name: ClassVar[str] = "notice"
    topics: ClassVar[tuple[str, ...]] = ("platform.notices",)

    def __init__(self, accounts: AccountDirectory, personas: PersonaDirectory) -> None:
        self._accounts = accounts
        self._personas = personas

    async def take(self, source: TopicPartition, state: Iterable[tuple[bytes, bytes]]) -> NoticePart:
        del source, state
        return NoticePart(Owners(self._accounts, self._personas))

    async def catch_up(self) -> None:
        await self._accounts.refresh(max_age_s=ACCOUNTS_MAX_AGE_S)
        await self._personas.refresh(max_age_s=ACCOUNTS_MAX_AGE_S)

    async def close(self) -> None:
        await self._accounts.close()
        await self._personas.close()


def commands_of(notice: PlatformNotice, persona_ids: Sequence[str]) -> Iterator[PostCommand]:
    """Yield what follows from a notice for each of these personas; nothing from a kind that is nobody's business."""
    if notice.post_id is None or notice.field not in ("publish", "delete"):
        return
    is_there = notice.field == "publish"
    for persona_id in persona_ids:
        yield PostCommand(
            event_id=command_of(notice.field, f"{notice.event_id} {persona_id}"),
            occurred_at=notice.occurred_at,
            persona_id=persona_id,
            causation_id=notice.event_id,
            kind="confirm" if is_there else "heal",
            texts=tuple(texts_in(notice)) if is_there else (),
            platform=notice.platform,
            post_id=notice.post_id,
            reason=None if is_there else "the platform told that it was deleted",
            requested_by=REQUESTED_BY,
        )
