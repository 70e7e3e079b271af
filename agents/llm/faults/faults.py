"""What an error of the provider is a fault of: the surroundings, the record, or the set-up."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

import openai

from agents.llm.answers.reply import UNKNOWN_USAGE, Reply
from agents.llm.faults.error_body import NOTHING_SAID, ErrorBody, error_body
from agents.llm.faults.fault_table import Meaning, meaning_of, refused_parameter
from streams.errors import RecordFault, SettingsError, ThreadsError, Unavailable

WaitReason = Literal["no credit", "no answer", "away"]

MAX_RETRY_AFTER_S = 3600.0
QUOTA_RETRY_S = 60.0
_ERRORS = range(400, 600)
_FORBIDDEN, _NOT_FOUND = 403, 404
_NOT_THERE = (404, 405)
_SERVER_STATUS = 500
_BROKEN_BODIES = frozenset(("DecodingError", "ContentEncodingError", "ClientPayloadError"))  # httpx's and aiohttp's


class ModelMissing(SettingsError):
    """The provider does not have `model`, or not for this account: every request to it would fail alike."""

    def __init__(self, message: str, model: str) -> None:
        super().__init__(message)
        self.model = model


class ParameterRefused(SettingsError):
    """The model does not take `parameter`, or not with this value: every request with it would fail alike."""

    def __init__(self, message: str, parameter: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class NoCredit(Unavailable):
    """The account has nothing left to pay with: calls wait until somebody adds to it."""


class NoAnswer(Unavailable):
    """The provider answered with success, and no text can be read in it; it may be paid for all the same.

    `reply` is what is booked for it: its usage, unknown where it can't be read. `is_said` tells that it is an answer of
    the API, if an empty one; else a gateway in between may have answered.
    """

    def __init__(self, message: str, model: str | None, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply or Reply("", model or "", UNKNOWN_USAGE, 0)
        self.is_said = reply is not None


class NoMoreAnswers(NoAnswer):
    """The last of several answers that could not be read: to ask once more, of any model, would pay in vain again."""

    @classmethod
    def after(cls, last: NoAnswer) -> NoMoreAnswers:
        """Return it for the last of them."""
        fault = cls(str(last), None, last.reply)
        fault.is_said = last.is_said
        return fault


def wait_reason(fault: Unavailable) -> WaitReason:
    """Return why calls to a model wait, as a closed set that metrics can name."""
    if isinstance(fault, NoCredit):
        return "no credit"
    return "no answer" if isinstance(fault, NoAnswer) else "away"


def is_not_there(fault: SettingsError) -> bool:
    """Tell whether a fault says that the provider has no such endpoint, or nothing at the address that was asked."""
    return isinstance(fault.__cause__, openai.APIStatusError) and fault.__cause__.status_code in _NOT_THERE


def fault_of(error: openai.OpenAIError, server: str, model: str | None = None) -> ThreadsError:
    """Return our fault for an error of the openai client.

    Time-outs and lost connections are `Unavailable`; what a status and its body mean says the table of errors
    (fault_table.py). The text holds nothing of request or key.
    """
    if isinstance(error, openai.APITimeoutError) and not _was_refused(error):
        return timed_out(server)
    if isinstance(error, openai.APIResponseValidationError):
        return unreadable(server, "expected JSON; is the base URL right?", model)
    if isinstance(error, openai.APIStatusError):
        said = error_body(error.body)
        return error_fault(error.status_code, said, server, model, headers=error.response.headers)
    if isinstance(error, openai.APIConnectionError):
        causes = _causes(error)
        if _BROKEN_BODIES.intersection(causes):  # an answer had begun to come
            return unreadable(server, causes[-1], model)
        return Unavailable(f"{server} can't be reached ({causes[-1]})")
    return Unavailable(f"{server} failed with {type(error).__name__}")


def _was_refused(error: openai.APITimeoutError) -> bool:
    """Tell whether there was no time-out: aiohttp's refused connections come out of the client as one."""
    cause = error.__cause__.__cause__ if error.__cause__ else None
    return isinstance(cause, OSError) and not isinstance(cause, TimeoutError)


def timed_out(server: str) -> Unavailable:
    """Return the fault of a call that took longer than its time-out."""
    return Unavailable(f"{server} did not answer in time; raise THREADS_LLM_TIMEOUT_S if it is only slow")


def unreadable(server: str, why: str, model: str | None) -> NoAnswer:
    """Return the fault of an answer that is none of the API."""
    return NoAnswer(f"{server} answered what is no answer of its API ({why})", model)


def answered_error(error: object, server: str, model: str | None) -> ThreadsError:
    """Return our fault for an error that came with a status of success: its code is taken for the status."""
    code = error.get("code") if isinstance(error, Mapping) else None
    try:
        status = int(str(code)[:8])
    except ValueError:
        status = _SERVER_STATUS
    return error_fault(status if status in _ERRORS else _SERVER_STATUS, error_body(error), server, model)


def status_fault(
    status: int, code: str | None, server: str, model: str | None = None, *, headers: Mapping[str, str] | None = None
) -> ThreadsError:
    """Return our fault for a status of the API and the code of its error; see `fault_of`."""
    return error_fault(status, error_body({"code": code}) if code else NOTHING_SAID, server, model, headers=headers)


def error_fault(
    status: int, error: ErrorBody, server: str, model: str | None = None, *, headers: Mapping[str, str] | None = None
) -> ThreadsError:
    """Return our fault for a status of the API and what its body says."""
    meaning, wait = meaning_of(status, error), retry_after_s(headers or {}, datetime.now(UTC)) or error.retry_after_s
    match meaning:
        case "credit":
            reason = f"{server}: the account's quota is used up (status {status}); add credit"
            return NoCredit(reason, retry_after_s=wait or QUOTA_RETRY_S)
        case "limit" | "away":
            return Unavailable(f"{server} answered with status {status}{_named(error)}", retry_after_s=wait)
        case "context" | "filtered" | "prompt":
            return _of_prompt(status, meaning, error, server)
        case _:
            return _of_set_up(status, meaning, error, f"{server} refused the call with status {status}", model)


def _of_set_up(status: int, meaning: Meaning, error: ErrorBody, refused: str, model: str | None) -> SettingsError:
    if meaning == "parameter":
        return _parameter(refused, error)
    if meaning == "key":
        return SettingsError(f"{refused}: {_ADVICE[_FORBIDDEN] if status == _FORBIDDEN else _ADVICE[401]}")
    if model is not None and (meaning == "model" or status == _NOT_FOUND):
        return _missing(refused, model)
    return SettingsError(f"{refused}: {_ADVICE[_NOT_FOUND]}")


_ADVICE = {
    401: "check OPENAI_API_KEY",
    403: "the key may not use this model or region",
    404: "check OPENAI_BASE_URL, THREADS_HOOK_MODEL and THREADS_BODY_MODEL, and the persona's models",
}


def _missing(refused: str, model: str) -> ModelMissing:
    return ModelMissing(
        f"{refused}: it has no model {model} for this account; "
        "check THREADS_HOOK_MODEL, THREADS_BODY_MODEL, the persona's models and OPENAI_BASE_URL",
        model,
    )


def _parameter(refused: str, error: ErrorBody) -> SettingsError:
    parameter = refused_parameter(error)
    if parameter is None:
        return SettingsError(f"{refused}: it does not take a parameter that is sent; name it in THREADS_LLM_OMIT")
    if parameter.startswith("max_"):
        return ParameterRefused(
            f"{refused}: it does not take {parameter} as it is; lower THREADS_BURST_SIZE, or name max_tokens in "
            "THREADS_LLM_OMIT",
            parameter,
        )
    return ParameterRefused(
        f"{refused}: it does not take {parameter}; leave it out with THREADS_LLM_OMIT={parameter}", parameter
    )


def _of_prompt(status: int, meaning: Meaning, error: ErrorBody, server: str) -> RecordFault:
    said = error.code or "no code"
    if meaning == "filtered":
        found = ", ".join(error.categories) or said
        return RecordFault(
            f"{server}: a content filter refused the prompt with status {status} ({found}); change the brief or trend"
        )
    return RecordFault(f"{server} refused the prompt with status {status} ({said}); shorten or change the brief")


def _named(error: ErrorBody) -> str:
    return f" ({error.code})" if error.code else ""


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
    except (ValueError, OverflowError):
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def _causes(error: BaseException) -> list[str]:
    names = [type(error).__name__]
    while error.__cause__ is not None:
        error = error.__cause__
        names.append(type(error).__name__)
    return names
