"""streams/ moves records of any kind: it names no topic, record, role, model or notion of the business."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.generation.settings import GenerationSettings
from schemas.catalogue import CATALOGUE
from streams.role_names import role_names
from streams.settings import group_kinds

STREAMS = Path(__file__).resolve().parents[3] / "streams"
FILES = sorted(STREAMS.rglob("*.py"))
OWN = {"dead.letters", "dead.outcomes", "operations.runs", "state.versions"}  # the topics of the engine itself
THEIRS = [topic for topic in CATALOGUE if topic.name not in OWN]
MODELS = {str(field.default) for field in GenerationSettings.model_fields.values() if "gpt" in str(field.default)}
GENERAL = {
    "accepted",
    "access",
    "account",
    "alert",
    "applied",
    "audit",
    "command",
    "decided",
    "delivery",
    "event",
    "generated",
    "idempotency",
    "import",
    "key",
    "ledger",
    "model",
    "partial",
    "platform",
    "progress",
    "published",
    "rejected",
    "request",
    "state",
    "subscription",
    "token",
    "total",
    "update",
    "use",
}  # fmt: skip - parts of names of topics and records that say nothing of the business alone
NOTIONS = {
    "advert", "batch_api", "draft", "embedder", "engagement", "follower", "gpt", "hook", "llm", "micros", "moderation",
    "persona", "price", "prompt", "quality", "spend", "spike", "viral",
}  # fmt: skip
MODEL_SERVER = "the embedded stack has a model server, as it has a database; what it is asked is not known there"
ALLOWED: dict[str, dict[str, str]] = {
    "endpoints.py": {
        "llm": MODEL_SERVER,
        "gateway": "where the home's front door is, beside where its metrics are; what is behind it is not known there",
        "simulator": "where the home's stand-in for a platform is, as the others; what it simulates is not known there",
    },
    "cli/status.py": {"sink-prometheus": "it serves the endpoint `metrics` of the home, which is shown beside it"},
    "embedded/assembly.py": {"llm": MODEL_SERVER},
    "embedded/llm.py": {"llm": MODEL_SERVER},
    "embedded/offline_models.py": {"llm": MODEL_SERVER},
    "settings.py": {"llm": MODEL_SERVER},
    "transport/fetch_budget.py": {"budget": "bytes that may be in flight"},
    "transport/transport.py": {"budget": "bytes that may be in flight"},
}
HELP = {"epilog", "help", "short_help"}  # help shows the platform's own topics as examples


def words(text: str) -> set[str]:
    """Return the words of an identifier or a text: lower case, singular, of snake_case and CamelCase."""
    found = {each.lower() for each in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)}
    return {each if each.endswith("ss") else each.removesuffix("s") for each in found}


def business_words() -> set[str]:
    """Return single words, and names that are looked for as a whole."""
    parts = {word for topic in THEIRS for word in words(f"{topic.name} {topic.record.__name__}")}
    topics = {topic.name for topic in THEIRS if "." in topic.name} | {topic.record.__name__ for topic in THEIRS}
    theirs = [kind for kind in group_kinds() if not kind.__module__.startswith("streams.")]
    settings = {name for kind in theirs for name in kind.model_fields}
    roles = set(role_names()) - {"generation"}  # a consumer group has generations too
    return (parts - GENERAL) | NOTIONS | topics | settings | roles | MODELS


BUSINESS = business_words()


def said(path: Path) -> Iterator[tuple[int, str]]:
    """Yield identifiers and texts of a file; docstrings say what is not here, and help shows examples."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(inner) for node in ast.walk(tree) for each in _prose(node) for inner in ast.walk(each)}
    for node in ast.walk(tree):
        if id(node) not in silent:
            for text in _texts(node):
                yield getattr(node, "lineno", 0), text


def _prose(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node
    if isinstance(node, ast.keyword) and node.arg in HELP:
        yield node


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for name in ("id", "attr", "arg", "name", "module", "asname"):
        found = getattr(node, name, None)
        if isinstance(found, str) and not found.startswith("__"):
            yield found


def named(path: Path) -> dict[str, int]:
    """Return what a file names of the business, with the line of the first time."""
    found: dict[str, int] = {}
    for line, text in said(path):
        whole = {each for each in BUSINESS if not each.isalpha() and re.search(rf"\b{re.escape(each)}\b", text)}
        for word in words(text) & BUSINESS | whole:
            found.setdefault(word, line)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(STREAMS)))
def test_streams_names_no_business_thing(path: Path) -> None:
    allowed = ALLOWED.get(str(path.relative_to(STREAMS)), {})
    found = {word: line for word, line in named(path).items() if word not in allowed}
    assert not found, f"{path.name} names what agents and sinks bring (word: line): {found}"


def test_what_is_allowed_is_still_there() -> None:
    found = {file: {word for word in words_ if word in named(STREAMS / file)} for file, words_ in ALLOWED.items()}
    assert found == {file: set(words_) for file, words_ in ALLOWED.items()}


@pytest.mark.parametrize(
    "line",
    [
        'TOPIC = "engagement.events"',
        "from schemas.records import DraftScored",
        "def fold(cost_micros: int) -> None: ...",
        "settings.quality_threshold",
        'model = "gpt-6-luna"',
        "class PersonaRule: ...",
        'print(f"{revenue} of {kpis}")',
    ],
)
def test_each_kind_of_business_thing_would_be_found(line: str, tmp_path: Path) -> None:
    path = tmp_path / "moves_records.py"
    path.write_text(line)
    assert named(path)


def test_the_words_that_are_looked_for_come_from_every_topic_and_group() -> None:
    assert {"engagement", "revenue", "budget", "kpi", "cost", "post", "draft", "persona"} <= BUSINESS
    assert {topic.record.__name__ for topic in THEIRS} | {"quality_threshold", "sink-qdrant", *MODELS} <= BUSINESS
    assert MODELS
