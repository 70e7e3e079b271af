"""The graph of a burst of drafts (LangGraph): gather, hooks, choose, body, assemble, guard, revise at most twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, cast

from langgraph.graph import END, START, StateGraph

from agents.generation.asking.calls import CallMemory
from agents.generation.asking.writer import PastPosts, Writer
from agents.generation.assignment import Burst
from agents.generation.choices import HookJudge
from agents.generation.drafting.body_round import (
    MAX_REVISIONS,
    asked_for_bodies,
    fixed_length,
    guarded,
    wants_body,
    with_text,
)
from agents.generation.drafting.draft_work import DraftOutcome, DraftWork, outcome_of
from agents.generation.drafting.guard import DraftGuard, fixed_part_problems
from agents.generation.drafting.hook_round import MAX_ROUNDS, asked_for_hooks, chosen, wants_hook
from agents.guard.threads_counts import MAX_LENGTH


class BurstState(TypedDict, total=False):
    """What the nodes hand on: the drafts, and how many rounds of hooks and revisions there were."""

    burst: Burst
    works: list[DraftWork]
    rounds: int
    revisions: int


class DraftGraph:
    """Write the drafts of a burst together; each is judged, revised and told of for itself.

    The chosen hook stands verbatim at the start of the text. A draft makes at most three calls for hooks and three for
    its body. `Unavailable` and `SettingsError` of the model pass through; calls that were finished by then are in the
    memory, and the next run goes on behind them.
    """

    def __init__(
        self, writer: Writer, memory: CallMemory, past: PastPosts, guard: DraftGuard, judge: HookJudge | None = None
    ) -> None:
        self._hook_judge = judge
        self._writer = writer
        self._memory = memory
        self._past = past
        self._guard = guard
        graph = StateGraph(BurstState)
        graph.add_node("gather", self._gather)
        graph.add_node("hooks", self._hooks)
        graph.add_node("choose", self._choose)
        graph.add_node("body", self._body)
        graph.add_node("assemble", self._assemble)
        graph.add_node("guard", self._judge)
        graph.add_node("revise", self._revise)
        graph.add_edge(START, "gather")
        graph.add_edge("gather", "hooks")
        graph.add_edge("hooks", "choose")
        graph.add_conditional_edges("choose", _after_choice, ["hooks", "body", END])
        graph.add_edge("body", "assemble")
        graph.add_edge("assemble", "guard")
        graph.add_conditional_edges("guard", _after_guard, ["revise", END])
        graph.add_edge("revise", "assemble")
        self._graph = graph.compile()

    async def write(self, burst: Burst) -> list[DraftOutcome]:
        """Write the drafts of a burst; return what came of each, in order."""
        state = cast("BurstState", await self._graph.ainvoke(BurstState(burst=burst)))
        return [outcome_of(work) for work in state["works"]]

    async def _gather(self, state: BurstState) -> BurstState:
        works = []
        for each in state["burst"]:
            past = await self._past.of(each.persona.persona_id)
            room = MAX_LENGTH - fixed_length((each.call_to_action, each.persona.disclosure))
            works.append(_gathered(DraftWork(each, past, room)))
        return {"works": works, "rounds": 0, "revisions": 0}

    async def _hooks(self, state: BurstState) -> BurstState:
        works = await asked_for_hooks(state["works"], state["rounds"], self._writer, self._memory)
        return {"works": works, "rounds": state["rounds"] + 1}

    async def _choose(self, state: BurstState) -> BurstState:
        is_last = state["rounds"] == MAX_ROUNDS
        return {"works": [chosen(work, self._hook_judge, is_last=is_last) for work in state["works"]]}

    async def _body(self, state: BurstState) -> BurstState:
        return {"works": await asked_for_bodies(state["works"], 0, self._writer, self._memory)}

    async def _assemble(self, state: BurstState) -> BurstState:
        return {"works": [with_text(work) for work in state["works"]]}

    async def _judge(self, state: BurstState) -> BurstState:
        return {"works": await guarded(state["works"], self._guard)}

    async def _revise(self, state: BurstState) -> BurstState:
        revisions = state["revisions"] + 1
        works = await asked_for_bodies(state["works"], revisions, self._writer, self._memory)
        return {"works": works, "revisions": revisions}


def _gathered(work: DraftWork) -> DraftWork:
    fault = "; ".join(fixed_part_problems(work.assignment))
    return replace(work.stepped("gather", fault), fault=fault) if fault else work.stepped("gather")


def _after_choice(state: BurstState) -> str:
    if any(wants_hook(work) for work in state["works"]):
        return "hooks"
    return "body" if any(wants_body(work) for work in state["works"]) else END


def _after_guard(state: BurstState) -> str:
    is_open = any(wants_body(work) for work in state["works"])
    return "revise" if is_open and state["revisions"] < MAX_REVISIONS else END
