"""Settings of the engine, and the groups that agents and sinks bring: read as one, misspelt ones refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.costs.settings import CostSettings
from agents.embedding.settings import EmbeddingSettings
from agents.llm.settings import CallSettings
from streams.errors import SettingsError
from streams.settings import OF_TESTS, PREFIX, Settings, group_kinds, read_settings, setting_kinds
from tests.support.settings import settings_with

VARIABLES = [variable for kind in setting_kinds() for variable in kind.variables().values()]
OURS = [each for each in VARIABLES if each.startswith(PREFIX)]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) & {*VARIABLES, OF_TESTS}:
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, str]:
    """Return a variable of any group and what it becomes by one slip of the finger."""
    right = draw(st.sampled_from(OURS))
    at = draw(st.integers(len(PREFIX), len(right) - 1))
    letter = draw(st.sampled_from(LETTERS))
    wrong = draw(
        st.sampled_from([right[:at] + right[at + 1 :], right[:at] + letter + right[at:], right + letter])
    )  # left out, put in, one too many
    return right, wrong


@given(misspelt())
def test_a_misspelt_setting_of_any_group_is_an_error_that_names_a_near_one(slip: tuple[str, str]) -> None:
    _, wrong = slip
    if wrong in {*VARIABLES, OF_TESTS}:
        return
    with environment({wrong: "1"}), pytest.raises(SettingsError, match=rf"{wrong} is not a setting; did you mean THR"):
        read_settings()


def test_the_problems_of_all_groups_are_listed_at_once() -> None:
    wrong = {
        "THREADS_PARTITIONS": "0",
        "THREADS_QUALITY_THRESHOLD": "2",
        "THREADS_BUDGET_WARN": "0.9",
        "THREADS_METRICS_WINDOW": "1y",
        "THREADS_LLM_OMIT": "model",
        "THREADS_HOOK_MODLE": "any",
    }
    with environment(wrong), pytest.raises(SettingsError) as caught:
        read_settings()
    lines = str(caught.value).splitlines()[1:]
    told = {line.strip().replace(":", " ").split(" ")[0] for line in lines}
    assert told - {"THREADS_BUDGET_DOWNGRADE"} == set(wrong) - {"THREADS_BUDGET_WARN"}
    assert "THREADS_BUDGET_DOWNGRADE" in told


def test_what_the_environment_says_reaches_the_group_that_it_is_of() -> None:
    given_ = {"THREADS_DAILY_BUDGET_DOLLARS": "12.5", "THREADS_EMBEDDER": "ngram", "THREADS_LLM_OMIT": "seed"}
    with environment(given_):
        settings = read_settings()
    with environment({}):
        assert str(settings.of(CostSettings).daily_budget_dollars) == "12.5"
        assert settings.of(EmbeddingSettings).embedder == "ngram"
        assert settings.of(CallSettings).llm_omit == ("seed",)


def test_a_setting_belongs_to_one_group() -> None:
    assert [each for each, count in Counter(VARIABLES).items() if count > 1] == []


def test_a_group_that_is_given_replaces_its_like_and_leaves_the_others() -> None:
    first = Settings(partitions=7).having(EmbeddingSettings(embedder="ngram"), CallSettings(llm_concurrency=3))
    second = first.having(EmbeddingSettings(embedder="wordllama"))
    assert (first.of(EmbeddingSettings).embedder, second.of(EmbeddingSettings).embedder) == ("ngram", "wordllama")
    assert second.of(CallSettings).llm_concurrency == 3
    assert second.partitions == 7
    assert second.model_copy(update={"partitions": 8}).of(EmbeddingSettings).embedder == "wordllama"


@pytest.mark.parametrize("kind", setting_kinds())
def test_a_name_that_is_no_field_of_the_group_is_refused(kind: Any) -> None:
    with pytest.raises(ValidationError, match="no_such_setting"):
        kind(no_such_setting=1)


def test_settings_of_a_test_are_found_by_their_names() -> None:
    settings = settings_with(partitions=5, embedder="ngram")
    assert (settings.partitions, settings.of(EmbeddingSettings).embedder) == (5, "ngram")
    with pytest.raises(ValidationError, match="embeder"):
        settings_with(embeder="ngram")


def test_reading_settings_loads_no_client_and_no_engine() -> None:
    heavy = ["polars", "numpy", "faust", "aiokafka", "openai", "httpx", "langgraph", "psycopg", "wordllama", "yaml"]
    code = "import sys; from streams.settings import read_settings; read_settings(); print(*sys.modules)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean, check=True)
    assert set(heavy) & set(done.stdout.split()) == set()
    assert len(group_kinds()) > 5


def test_a_misspelt_policy_is_refused_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_DEAD_LETTER_POLICY", "engagement.event=drop")
    with pytest.raises(SettingsError, match=r"THREADS_DEAD_LETTER_POLICY: .* did you mean engagement.events"):
        read_settings()
