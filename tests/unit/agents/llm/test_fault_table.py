"""The table of errors: what an error of any vendor's dialect means, and what it is told as."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.faults.error_body import error_body
from agents.llm.faults.fault_table import TABLE, meaning_of, refused_parameter
from agents.llm.faults.faults import ModelMissing, NoCredit, ParameterRefused, answered_error, fault_of, wait_reason
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable
from tests.support.json_values import json_values

KINDS: dict[str, type[ThreadsError]] = {
    "context": RecordFault,
    "filtered": RecordFault,
    "prompt": RecordFault,
    "parameter": ParameterRefused,
    "model": ModelMissing,
    "key": SettingsError,
    "address": SettingsError,
    "credit": NoCredit,
    "limit": Unavailable,
    "away": Unavailable,
}
REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")


@cache
def recorded() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("provider_errors.yaml").read_text(encoding="utf-8")
    )
    return listed


def fault(status: int, body: object) -> ThreadsError:
    """Return the fault of an error as the real client raises it."""
    response = httpx2.Response(status, request=REQUEST)
    data = body.get("error", body) if isinstance(body, dict) else body  # as the client takes it apart
    error = openai.APIStatusError("no", response=response, body=data)
    return fault_of(error, "the server", "gpt-x")


def each_recorded() -> pytest.MarkDecorator:
    names = [f"{each['vendor']} {each['status']} {each['means']}" for each in recorded()]
    return pytest.mark.parametrize("case", recorded(), ids=names)


@each_recorded()
def test_an_error_comes_to_what_its_vendor_means_by_it(case: dict[str, Any]) -> None:
    found = fault(case["status"], case["body"])
    expected = KINDS[case["means"]]
    assert isinstance(found, expected), str(found)
    assert case.get("says", "") in str(found)
    assert str(case["status"]) in str(found)
    assert "secret prompt" not in str(found)
    if isinstance(found, ParameterRefused):
        assert found.parameter == case["parameter"]
    if "retry_after_s" in case:
        assert isinstance(found, Unavailable)
        assert found.retry_after_s == case["retry_after_s"]


def test_an_error_with_a_status_of_success_comes_to_the_same_where_its_code_is_a_status() -> None:
    bodies = [(each["status"], unwrapped(each["body"])) for each in recorded()]
    coded = [(status, error) for status, error in bodies if error.get("code") == status]
    assert len(coded) > 10
    for status, error in coded:
        assert type(answered_error(error, "the server", "gpt-x")) is type(fault(status, {"error": error}))


def unwrapped(body: object) -> dict[str, Any]:
    said = body[0] if isinstance(body, list) else body
    error = said.get("error") if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}


def test_every_row_of_the_table_that_tells_more_than_a_status_has_a_recorded_error() -> None:
    met = set()
    for case in recorded():
        body = case["body"]
        error = error_body(body.get("error", body) if isinstance(body, dict) else body)
        met |= {row for row in TABLE if row.fits(case["status"], error)}
    assert [row for row in TABLE if row not in met and (row.labels or row.words or row.parameters)] == []


def test_at_least_a_dozen_dialects_are_recorded() -> None:
    assert len({each["vendor"] for each in recorded()}) >= 12


@given(status=st.integers(300, 599), body=json_values())
def test_any_error_whatever_is_a_fault_that_can_be_written_down(status: int, body: Any) -> None:
    found = fault(status, body)
    assert isinstance(found, RecordFault | SettingsError | Unavailable)
    assert len(str(found).encode()) < 2_000


@given(said=json_values())
def test_any_error_with_a_status_of_success_is_a_fault_that_can_be_written_down(said: Any) -> None:
    assert len(str(answered_error(said, "the server", None)).encode()) < 2_000


@given(said=json_values(), status=st.integers(400, 599))
def test_a_body_that_says_nothing_known_is_told_by_its_status(said: Any, status: int) -> None:
    error = error_body(said)
    assert meaning_of(status, error) in KINDS
    assert refused_parameter(error) is None or refused_parameter(error)


def test_why_a_model_waits_is_one_of_a_closed_set() -> None:
    assert wait_reason(NoCredit("no")) == "no credit"
    assert wait_reason(Unavailable("no")) == "away"
