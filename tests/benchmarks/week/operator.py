"""Who acts by hand, as the messages of the platform's states tell people to: lifts restrictions, retries, edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from agents.accounts.directory import SIMULATED, with_state
from agents.publishing.publish_stage import DIRECTORIES_AGE_S
from schemas.records import PlatformAccount, PostCommand, PostCommandKind, PostState, Record
from streams.engine.stage import Output
from streams.identity import derived_id
from tests.benchmarks.week.script import BY_HAND, Wanted

DELETED_AFTER = timedelta(hours=6)
SEEN_AFTER_S = DIRECTORIES_AGE_S + 1.0  # that an account is active again


class Operator:
    """Follow states of posts and accounts, and answer what waits for a person."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self.acts: Counter[str] = Counter()
        self.locked_out: set[str] = set()  # personas whose token is revoked: nobody can do anything about it
        self._wanted = {each.publication_id: each for each in wanted}
        self._states: dict[str, dict[int, PostState]] = {}
        self._accounts: dict[str, PlatformAccount] = {}
        self._answered: set[str] = set()
        self._lifted_at_s: dict[str, float] = {}

    def take(self, record: Record) -> None:
        """Take over a state of a post or an account."""
        if isinstance(record, PostState):
            parts = self._states.setdefault(record.publication_id, {})
            known = parts.get(record.part)
            if known is None or known.sequence < record.sequence:
                parts[record.part] = record
        elif isinstance(record, PlatformAccount):
            self._accounts[record.account_id] = record

    def states(self, publication_id: str) -> Mapping[int, PostState]:
        """Return the newest state of each part of a publication."""
        return self._states.get(publication_id, {})

    def published(self) -> int:
        """Return how many posts are published, by what the publisher says."""
        states = (self.states(each.publication_id) for each in self._wanted.values())
        return sum(each.state in {"published", "deleted"} for parts in states for each in parts.values())

    def left(self) -> list[str]:
        """Return what is to be published, or deleted after it, and is not, with its state."""
        return [
            f"{each.what} {each.publication_id} of {each.persona_id}, part {part}: {self._said(each, part)}"
            for each in self._wanted.values()
            for part in range(len(each.texts))
            if not self._is_done(each, part)
        ]

    def _is_done(self, wanted: Wanted, part: int) -> bool:
        state = self.states(wanted.publication_id).get(part)
        return state is not None and state.state == ("deleted" if wanted.is_deleted else "published")

    def _said(self, wanted: Wanted, part: int) -> str:
        state = self.states(wanted.publication_id).get(part)
        return "nothing is told of it" if state is None else f"{state.state}, {state.reason}"

    def answers(self, now: datetime, steady_s: float) -> list[Output]:
        """Return what a person does about what came; `steady_s` is of a clock that runs as fast as time does."""
        accounts = self._accounts.values()
        blocked = [
            each
            for each in accounts
            if each.state != "active" and each.account_id.removeprefix(SIMULATED) not in self.locked_out
        ]
        self._lifted_at_s.update((each.account_id, steady_s) for each in blocked)
        found = [self._lifted(each, now) for each in blocked]
        for wanted in self._wanted.values():
            state = self._waiting(wanted, now)
            if state is None or not wanted.texts or state.event_id in self._answered:
                continue
            if steady_s - self._lifted_at_s.get(state.account_id or "", float("-inf")) > SEEN_AFTER_S:
                self._answered.add(state.event_id)
                found.append(self._asked(wanted, state, now))
        return found

    def _waiting(self, wanted: Wanted, now: datetime) -> PostState | None:
        """Return the state of a part that somebody does something about."""
        parts = self.states(wanted.publication_id)
        for number in sorted(parts):
            state = parts[number]
            is_to_go = wanted.is_deleted and state.state == "published" and now - state.occurred_at >= DELETED_AFTER
            if state.state == "failed" or is_to_go:
                return state
        return None

    def _lifted(self, account: PlatformAccount, now: datetime) -> Output:
        """Return the account as it is once the platform has lifted the restriction, which `accounts refresh` finds."""
        self.acts[f"account {account.state}"] += 1
        changed = with_state(account, "active", None, now)
        self._accounts[account.account_id] = changed
        return Output("platform.accounts", changed)

    def _asked(self, wanted: Wanted, state: PostState, now: datetime) -> Output:
        kind: PostCommandKind = "delete" if state.state == "published" else "retry" if state.retryable else "edit"
        self.acts[f"post {kind}"] += 1
        command = PostCommand(
            event_id=derived_id(state.event_id, kind),
            occurred_at=now,
            persona_id=wanted.persona_id,
            causation_id=state.event_id,
            kind=kind,
            publication_id=wanted.publication_id,
            texts=wanted.texts if kind == "edit" else (),
            content_digest=state.content_digest if kind == "edit" else None,
            requested_by=BY_HAND,
        )
        return Output("posts.commands", command)
