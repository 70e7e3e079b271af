"""What an error of the provider is a fault of: the surroundings, the record, or the set-up."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime

import openai

from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable

MAX_RETRY_AFTER_S = 3600.0
_SETUP_STATUS = (401, 403, 404)
_NOT_FOUND_STATUS = 404
_MISSING_CODE = "model_not_found"  # also with 403, where the account may not use the model
_LATER_STATUS = (408, 409, 425, 429)
_SERVER_STATUS = 500
_SETUP_CODES = ("insufficient_quota", "billing_hard_limit_reached")
QUOTA_RETRY_S = 60.0


class ModelMissing(SettingsError):
    """The provider does not have `model`, or not for this account: every request to it would fail alike."""

    def __init__(self, message: str, model: str) -> None:
        super().__init__(message)
        self.model = model


def fault_of(error: openai.OpenAIError, server: str, model: str | None = None) -> ThreadsError:
    """Return our fault for an error of the openai client.

    Time-outs, lost connections, 408, 409, 429 and 5xx are `Unavailable`, with the wait that the provider asks for; a
    used-up quota too, as money can be added. 401, 403 and 404 are `SettingsError`: every request would fail alike;
    where it is for want of the `model` that the call named, `ModelMissing`.
    Other 4xx (a prompt that is too long, refused content) are `RecordFault`. The text holds nothing of request or key.
    """
    if isinstance(error, openai.APITimeoutError) and not _was_refused(error):
        return timed_out(server)
    if isinstance(error, openai.APIResponseValidationError):
        return Unavailable(f"{server} answered what is no answer of its API (expected JSON); is the base URL right?")
    if isinstance(error, openai.APIStatusError):
        return status_fault(error.status_code, error.code, server, model, headers=error.response.headers)
    if isinstance(error, openai.APIConnectionError):
        return Unavailable(f"{server} can't be reached ({_cause(error)})")
    return Unavailable(f"{server} failed with {type(error).__name__}")


def _was_refused(error: openai.APITimeoutError) -> bool:
    """Tell whether there was no time-out: aiohttp's refused connections come out of the client as one."""
    cause = error.__cause__.__cause__ if error.__cause__ else None
    return isinstance(cause, OSError) and not isinstance(cause, TimeoutError)


def timed_out(server: str) -> Unavailable:
    """Return the fault of a call that took longer than its time-out."""
    return Unavailable(f"{server} did not answer in time; raise THREADS_LLM_TIMEOUT_S if it is only slow")


def status_fault(
    status: int, code: str | None, server: str, model: str | None = None, *, headers: Mapping[str, str] | None = None
) -> ThreadsError:
    """Return our fault for a status of the API and the code of its error; see `fault_of`."""
    if model is not None and (status == _NOT_FOUND_STATUS or (status in _SETUP_STATUS and code == _MISSING_CODE)):
        return ModelMissing(
            f"{server} refused the call with status {status}: it has no model {model} for this account; "
            "check THREADS_HOOK_MODEL, THREADS_BODY_MODEL, the persona's models and OPENAI_BASE_URL",
            model,
        )
    if status in _SETUP_STATUS:
        advice = {
            401: "check OPENAI_API_KEY",
            403: "the key may not use this model or region",
            404: "check OPENAI_BASE_URL, THREADS_HOOK_MODEL and THREADS_BODY_MODEL, and the persona's models",
        }[status]
        return SettingsError(f"{server} refused the call with status {status}: {advice}")
    if status in _LATER_STATUS or status >= _SERVER_STATUS:
        wait = retry_after_s(headers or {}, datetime.now(UTC))
        if code in _SETUP_CODES:
            wait = wait or QUOTA_RETRY_S
            return Unavailable(f"{server}: the account's quota is used up; add credit", retry_after_s=wait)
        return Unavailable(f"{server} answered with status {status}", retry_after_s=wait)
    said = code or "no code"
    return RecordFault(f"{server} refused the prompt with status {status} ({said}); shorten or change the brief")


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait that a response asks for, in seconds from 0 to an hour; None when it says none.

    Reads `retry-after-ms`, and `retry-after` as seconds or as an HTTP date (RFC 9110, 10.2.3).
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        wait = _seconds(headers.get(name), scale, now)
        if wait is not None:
            return min(max(wait, 0.0), MAX_RETRY_AFTER_S)
    return None


def _seconds(value: str | None, scale: float, now: datetime) -> float | None:
    if value is None:
        return None
    try:
        wait = float(value) * scale
    except ValueError:
        pass
    else:
        return wait if wait == wait else None  # noqa: PLR0124 - NaN is not equal to itself
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__
