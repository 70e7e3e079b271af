from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx2
import openai
import pytest

from agents.llm.faults.faults import QUOTA_RETRY_S, ModelMissing, fault_of, retry_after_s
from agents.llm.provider import OPENAI_URL, provider_of
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable
from streams.settings import Settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")


def status_error(status: int, code: str | None = None, headers: dict[str, str] | None = None) -> openai.APIStatusError:
    response = httpx2.Response(status, headers=headers or {}, request=REQUEST)
    return openai.APIStatusError("secret prompt", response=response, body={"code": code, "message": "secret prompt"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, Unavailable),
        (409, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (401, SettingsError),
        (403, SettingsError),
        (404, SettingsError),
        (400, RecordFault),
        (413, RecordFault),
        (422, RecordFault),
    ],
)
def test_a_status_says_whether_surroundings_set_up_or_record_are_at_fault(
    status: int, kind: type[ThreadsError]
) -> None:
    fault = fault_of(status_error(status), "the server")
    assert type(fault) is kind
    assert str(status) in str(fault)
    assert "secret" not in str(fault)


@pytest.mark.parametrize(("status", "code"), [(404, None), (404, "model_not_found"), (403, "model_not_found")])
def test_a_model_that_the_provider_does_not_have_is_named(status: int, code: str | None) -> None:
    fault = fault_of(status_error(status, code), "the server", "gpt-old")
    assert isinstance(fault, ModelMissing)
    assert fault.model == "gpt-old"
    assert "gpt-old" in str(fault)


def test_a_key_that_may_not_is_no_missing_model() -> None:
    assert type(fault_of(status_error(403), "the server", "gpt-4.1")) is SettingsError


def test_a_rate_limit_hands_on_the_wait_that_the_provider_asks_for() -> None:
    fault = fault_of(status_error(429, headers={"retry-after": "7"}), "the server")
    assert isinstance(fault, Unavailable)
    assert fault.retry_after_s == 7.0


def test_a_used_up_quota_waits_and_says_to_add_credit() -> None:
    fault = fault_of(status_error(429, "insufficient_quota"), "the server")
    assert isinstance(fault, Unavailable)
    assert fault.retry_after_s == QUOTA_RETRY_S
    assert "add credit" in str(fault)


def test_time_outs_and_lost_connections_are_the_surroundings() -> None:
    assert isinstance(fault_of(openai.APITimeoutError(REQUEST), "the server"), Unavailable)
    assert isinstance(fault_of(openai.APIConnectionError(request=REQUEST), "the server"), Unavailable)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_the_wait_is_read_as_seconds_milliseconds_or_a_date(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers, NOW) == expected


def test_a_key_is_never_shown() -> None:
    provider = provider_of(Settings(OPENAI_API_KEY="sk-secret"))
    assert provider.base_url == OPENAI_URL
    assert "sk-secret" not in f"{provider} {provider!r}"


def test_without_any_model_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"threads-agent up.*OPENAI_API_KEY.*OPENAI_BASE_URL"):
        provider_of(Settings(home=tmp_path))
