"""The desk: calls to platforms, their quotas and pauses, and what follows from each fault."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from agents.accounts.directory import TOPIC as ACCOUNTS
from agents.accounts.directory import AccountDirectory, with_state
from agents.personas.directory import PersonaDirectory
from agents.platforms.contract import (
    NotThere,
    OutcomeUnknown,
    PermissionMissing,
    Platform,
    PlatformAway,
    PlatformError,
    Refused,
    Restricted,
    Throttled,
    TokenRejected,
)
from agents.publishing import publication as steps
from agents.publishing.acting.at_work import AtWork, edit_it, once_lifted, unless_changed
from agents.publishing.partition import Again, PartitionPublications, PublishContext
from agents.publishing.publication import BEFORE_THE_CALL, Part, Publication
from agents.publishing.quota import QuotaBook
from streams.engine.retry import Backoff
from streams.engine.stage import Output
from streams.errors import ThreadsError

logger = logging.getLogger(__name__)
T = TypeVar("T")
CONTAINERS = 3  # that come to nothing, before a post fails
PERMISSION_AGAIN_S = 60.0
READING_TAKES = 4  # calls that finding a post may be
BEYOND_TIMEOUT_S = 5.0  # a client that does not keep to its time-out is broken off


@dataclass(slots=True)
class Memory:
    """What a worker remembers of a publication between two looks; forgotten, it is only more patient."""

    failures: int = 0
    in_doubt_since_s: float | None = None
    found_nothing: int = 0
    looked_up: int = 0
    was_refused: str | None = None
    is_restricted: bool = False

    def settle(self) -> None:
        """Forget the doubt."""
        self.in_doubt_since_s, self.found_nothing, self.looked_up, self.was_refused = None, 0, 0, None
        self.is_restricted = False


@dataclass(slots=True)
class _Pause:
    """Until when an account is not called, on the steady clock, and how often in a row it failed."""

    until_s: float = float("-inf")
    failures: int = 0


class Desk:
    """What all acts share: platforms and accounts, calls, quotas, pauses, and what follows from faults."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        accounts: AccountDirectory,
        directory: PersonaDirectory,
        context: PublishContext,
        *,
        timeout_s: float,
        offline_models: frozenset[str],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.platforms = platforms
        self.accounts = accounts
        self.directory = directory
        self.context = context
        self.wanted = context.wanted
        self.timeout_s = timeout_s
        self.offline_models = offline_models
        self.draw = draw
        self.quotas = QuotaBook(self.wanted.publish_quota_age_s)
        self.retry = Backoff(self.wanted.publish_first_retry_s, self.wanted.publish_longest_retry_s)
        self.look_up = Backoff(self.wanted.publish_reconcile_s, self.wanted.publish_longest_retry_s)
        self.pauses: dict[str, _Pause] = {}
        self.memories: dict[str, Memory] = {}

    def forget(self, key: str) -> None:
        """Forget what is only of use while a publication is open."""
        self.memories.pop(key, None)

    def encourage(self, publication: Publication) -> None:
        """Wait no longer than a call takes: somebody asked for a look."""
        self.memory(publication.publication_id).failures = 0
        self.pauses.pop(publication.account_id or "", None)

    def paused_for_s(self, account_id: str) -> float:
        """Return for how long an account is not called; 0 or less where it may be."""
        pause = self.pauses.get(account_id)
        return 0.0 if pause is None else pause.until_s - self.context.steady()

    def memory(self, key: str) -> Memory:
        return self.memories.setdefault(key, Memory())

    def now(self) -> datetime:
        return self.context.clock()

    def fault(self, at: AtWork, error: PlatformError) -> Again:
        """Decide what follows from a call that surely changed nothing, or may be made again."""
        memory = self.memory(at.publication.publication_id)
        memory.failures += 1
        is_open = at.part.state in BEFORE_THE_CALL or at.part.state == "publishing"
        if isinstance(error, TokenRejected):
            self.tell_account(at, "token_rejected", str(error))
            return self.told_to_wait(at, str(error), self.wanted.publish_outside_s)
        if isinstance(error, Restricted):
            self.tell_account(at, "restricted", str(error))
            if is_open:
                return self.restricted(at.book, at.publication, at.index, str(error))
            return self.told_to_wait(at, str(error), self.wanted.publish_longest_retry_s)
        if isinstance(error, Refused | NotThere) and (is_open or at.part.state == "published"):
            return self.refused(at, error)
        if isinstance(error, PermissionMissing):
            wait_s = max(self.retry.delay_s(memory.failures, None, self.draw()), PERMISSION_AGAIN_S)
            why = f"account {at.account.account_id} lacks the permission {error.permission}: {error}"
            return self.told_to_wait(at, why, wait_s)
        return self.pause(at, error)

    def refused(self, at: AtWork, error: PlatformError) -> Again:
        """Give up what the platform will never do: publish this text, or delete this post."""
        if at.part.state == "published":
            return self.keep_live(at, f"it can't be deleted: {error}")
        return self.fail(at, f"{error}. {edit_it(at.publication)}", retryable=False)

    def pause(self, at: AtWork, error: PlatformError) -> float:
        """Leave the account alone for a while: at least as long as the platform asks, the longer the more failed."""
        account_id = at.account.account_id
        retry_after_s = (error.retry_after_s or 0.0) if isinstance(error, Throttled) else 0.0
        if isinstance(error, Throttled):
            self.quotas.forget(account_id)
        pause = self.pauses.setdefault(account_id, _Pause())
        pause.failures += 1
        wait_s = self.retry.delay_s(pause.failures, None, self.draw())
        wait_s = max(wait_s, retry_after_s * (1 + self.draw() / 10))
        pause.until_s = self.context.steady() + wait_s
        at.book.put(self.same_state(at, str(error)))
        return wait_s

    def answered(self, at: AtWork) -> None:
        """Note that the platform does what it is asked."""
        self.pauses.pop(at.account.account_id, None)
        self.memory(at.publication.publication_id).failures = 0

    def same_state(self, at: AtWork, reason: str) -> Publication:
        part = at.part
        if part.state is None or part.state in {"published", "publishing"} or part.reason == reason:
            return at.publication
        return steps.moved(at.publication, at.index, part.state, self.now(), reason=reason)

    def waiting(self, at: AtWork, reason: str) -> Publication:
        if at.part.state == "published":
            return at.publication
        return steps.waiting(at.publication, at.index, self.now(), reason)

    def told_to_wait(self, at: AtWork, reason: str, wait_s: float) -> float:
        at.book.put(self.waiting(at, reason))
        return wait_s

    def wait(self, book: PartitionPublications, known: Publication, index: int, reason: str) -> float:
        """Wait for what is outside: a person, an account."""
        if known.parts[index].state != "published":
            book.put(steps.waiting(known, index, self.now(), reason))
        return self.wanted.publish_outside_s

    def fail(self, at: AtWork, reason: str, *, retryable: bool) -> Again:
        at.book.put(steps.failed(at.publication, at.index, self.now(), reason, retryable=retryable))
        return None

    def restricted(self, book: PartitionPublications, known: Publication, index: int, reason: str) -> Again:
        if known.parts[index].state in {"unconfirmed", "published"}:
            return self.wait(book, known, index, reason)
        book.put(steps.failed(known, index, self.now(), f"{reason}. {once_lifted(known)}", retryable=True))
        return None

    def tell_account(self, at: AtWork, state: str, reason: str) -> None:
        """Tell of an account that is not usable, unless its token is another one by now."""
        record = self.accounts.find(at.account.account_id)
        if record is None or record.state == state:
            return
        try:
            if self.accounts.account(record.account_id).token != at.account.token:
                return
        except ThreadsError:
            return
        changed = with_state(record, state, reason, self.now())
        self.accounts.put(changed)
        at.book.emit(Output(ACCOUNTS.name, changed))

    async def call(self, name: str, answer: Awaitable[T], *, is_final: bool = False) -> T:
        """Await an answer; a client that breaks its contract is taken for one whose platform is away."""
        try:
            async with asyncio.timeout(self.timeout_s * (READING_TAKES if name == "find" else 1) + BEYOND_TIMEOUT_S):
                found = await answer
        except PlatformError as error:
            self.calls[name, type(error).__name__] += 1
            raise
        except TimeoutError as error:
            fault = self.no_answer(name, "it did not answer in time", is_final=is_final)
            raise fault from error
        except Exception as error:
            logger.exception("A call to %s of a platform ended with what no client may raise", name)
            raise self.no_answer(name, f"its client failed with {error!r}", is_final=is_final) from error
        self.calls[name, "ok"] += 1
        return found

    def no_answer(self, name: str, what: str, *, is_final: bool) -> PlatformError:
        fault = OutcomeUnknown if is_final else PlatformAway
        self.calls[name, fault.__name__] += 1
        return fault(f"{name}: {what}; it is looked up" if is_final else f"{name}: {what}; it is tried again")

    def keep_live(self, at: AtWork, reason: str) -> Again:
        """Give up deleting, and say why."""
        now = self.now()
        known = steps.moved(at.publication, at.index, "published", now, reason=reason)
        at.book.put(replace(known, delete=None, ended_at=now))
        return None

    def doubt(self, at: AtWork, reason: str, wait_s: float) -> float:
        """Keep that nobody knows, and look it up."""
        known, now = at.publication, self.now()
        if at.part.state == "scheduled":
            known = steps.moved(known, at.index, "container_created", now)
        if at.part.state != "publishing":  # a container of ours was published by a call that we do not know of
            known = steps.moved(known, at.index, "publishing", now, change=_since_its_container)
        at.book.put(steps.in_doubt(known, at.index, self.now(), reason))
        return wait_s

    async def without_quota(self, at: AtWork) -> Again:
        """Return the wait until there may be quota again; None where there is some now."""
        account_id, is_reply = at.account.account_id, at.index > 0
        if not self.quotas.is_known(account_id, self.context.steady()):
            quota = await self.call("quota", at.platform.quota(at.account))
            self.quotas.read(account_id, quota, self.context.steady(), at.book.reserved(account_id))
        why = self.quotas.used_up(account_id, is_reply=is_reply)
        if why is None:
            return None
        unless_changed(at, lambda same: same.book.put(self.waiting(same, why)))
        return self.quotas.look_again_s(account_id)

    def live(self, at: AtWork, post_id: str, permalink: str | None, published_at: datetime | None) -> Again:
        now = self.now()
        self.memory(at.publication.publication_id).settle()
        known = steps.published(at.publication, at.index, post_id, now, permalink=permalink, published_at=published_at)
        at.book.put(known)
        return None if known.is_ended else 0.0

    def make_another(self, at: AtWork, reason: str) -> Again:
        """Let go of a container that will never be published, and make another, unless that was done often."""
        part = at.part
        if part.containers + 1 >= CONTAINERS:
            why = f"{reason}; {CONTAINERS} attempts came to nothing. Look at the text, then `threads-agent posts retry "
            return self.fail(at, f"{why}{at.publication.publication_id}`", retryable=True)
        self.memory(at.publication.publication_id).settle()
        at.book.put(steps.moved(at.publication, at.index, "scheduled", self.now(), reason=reason, change=_once_more))
        return self.retry.delay_s(part.containers + 1, None, self.draw())


def _once_more(part: Part) -> Part:
    return replace(steps.without_container(part), containers=part.containers + 1)


def _since_its_container(part: Part) -> Part:
    return replace(part, intent_at=part.intent_at or part.container_at)
