"""The contestant bare-graph, the floor: LangGraph and the openai client in one process, and nothing around them.

The same seven nodes, prompts, schemas and calls as the platform has, but for the two model calls the nodes are trivial:
no topic, no state, no costs, no guard, no score, no de-duplication.
"""

from __future__ import annotations

import asyncio
import json
import time
from functools import cache
from typing import Any, TypedDict

import openai
from langgraph.graph import END, START, StateGraph

from agents.generation.asking.answers import answers_schema
from agents.generation.asking.chat_writer import BODY_TOKENS, HOOK_CANDIDATES, HOOK_TOKENS
from agents.generation.asking.prompts import body_prompt, hook_prompt, instructions
from agents.generation.asking.writer import BodyTask, HookTask, Past
from agents.generation.settings import GenerationSettings
from agents.llm.client import JsonSchema, Sampling, chat_body
from agents.personas.persona import Persona
from tests.benchmarks.generation.posts import Post, PostBook, sample_posts
from tests.benchmarks.generation.script import Task, read_task, write_report
from tests.benchmarks.running.process_usage import own_cpu_seconds, own_peak_rss_mb

CALL_TIMEOUT_S = 60.0
_DEFAULTS = GenerationSettings.model_fields
HOOK_MODEL, BODY_MODEL = str(_DEFAULTS["hook_model"].default), str(_DEFAULTS["body_model"].default)


class DraftState(TypedDict, total=False):
    """What the nodes hand on."""

    post: Post
    system: str
    hooks: list[str]
    hook: str
    body: str
    text: str


class BareGraph:
    """Write posts; `finished_at` are the moments at which they were, on the wall clock."""

    def __init__(self, client: openai.AsyncOpenAI, posts: PostBook) -> None:
        self.finished_at: list[float] = []
        self._client = client
        self._posts = posts
        graph = StateGraph(DraftState)
        graph.add_node("gather", self._gather)
        graph.add_node("hooks", self._hooks)
        graph.add_node("choose", self._choose)
        graph.add_node("body", self._body)
        graph.add_node("assemble", self._assemble)
        graph.add_node("guard", self._guard)
        graph.add_node("revise", self._body)
        graph.add_edge(START, "gather")
        graph.add_edge("gather", "hooks")
        graph.add_edge("hooks", "choose")
        graph.add_edge("choose", "body")
        graph.add_edge("body", "assemble")
        graph.add_edge("assemble", "guard")
        graph.add_conditional_edges("guard", lambda state: END if state["text"] else "revise", ["revise", END])
        graph.add_edge("revise", "assemble")
        self._graph = graph.compile()

    async def write(self, number: int) -> None:
        """Write one post."""
        await self._graph.ainvoke(DraftState(post=self._posts.post(number)))
        self.finished_at.append(time.time())

    async def _gather(self, state: DraftState) -> DraftState:
        return {"system": _system(state["post"].persona)}

    async def _hooks(self, state: DraftState) -> DraftState:
        user = hook_prompt([HookTask(state["post"].assignment(), Past())], HOOK_CANDIDATES)
        schema = JsonSchema("hooks", answers_schema("hooks", 1, HOOK_CANDIDATES))
        return {"hooks": await self._asked(state, HOOK_MODEL, user, schema, HOOK_TOKENS * HOOK_CANDIDATES)}

    async def _choose(self, state: DraftState) -> DraftState:
        return {"hook": state["hooks"][0]}

    async def _body(self, state: DraftState) -> DraftState:
        user = body_prompt([BodyTask(state["post"].assignment(), state["hook"])])
        schema = JsonSchema("body", answers_schema("body", 1, 1))
        return {"body": await self._asked(state, BODY_MODEL, user, schema, BODY_TOKENS)}

    async def _assemble(self, state: DraftState) -> DraftState:
        return {"text": f"{state['hook']}\n\n{state['body']}"}

    async def _guard(self, state: DraftState) -> DraftState:
        return {"text": state["text"]}

    async def _asked(self, state: DraftState, model: str, user: str, schema: JsonSchema, max_tokens: int) -> Any:
        post = state["post"]
        sampling = Sampling(max_tokens, post.persona.temperature, seed=post.number)
        asked = chat_body(model=model, system=state["system"], user=user, answer=schema, sampling=sampling)
        answer = await self._client.chat.completions.create(**asked)
        return json.loads(answer.choices[0].message.content or "")["answers"][0][schema.name]


@cache
def _system(persona: Persona) -> str:
    return instructions(persona, persona.languages[0], _DEFAULTS["instruction_tokens"].default).text


async def write_all(task: Task) -> BareGraph:
    """Write as many posts as are asked for, so many at a time."""
    client = openai.AsyncOpenAI(base_url=task.base_url, api_key="none", timeout=CALL_TIMEOUT_S, max_retries=0)
    graph, numbers = BareGraph(client, sample_posts()), iter(range(task.requests))

    async def write_some() -> None:
        for number in numbers:
            await graph.write(number)

    async with client, asyncio.TaskGroup() as group:
        for _ in range(task.concurrency):
            group.create_task(write_some())
    return graph


def main() -> None:
    """Write the posts."""
    task = read_task()
    before = own_cpu_seconds()
    graph = asyncio.run(write_all(task))
    write_report(
        task,
        graph.finished_at,
        cpu_drafts=task.requests,
        cpu_seconds=own_cpu_seconds() - before,
        server_cpu_seconds=0.0,
        peak_rss_mb=own_peak_rss_mb(),
    )


if __name__ == "__main__":
    main()
