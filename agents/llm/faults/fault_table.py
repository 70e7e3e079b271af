"""The table of errors: which status, label and words of a provider's error mean what. Data; the first row that fits.

Sources: the vendors' own error references and bodies recorded in public reports;
tests/unit/agents/llm/provider_errors.yaml holds an error of every dialect with what it must come to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agents.llm.faults.error_body import ErrorBody

Meaning = Literal[
    "context",  # the prompt is too long
    "filtered",  # a filter or a moderation refuses this prompt
    "prompt",  # something else about this prompt
    "parameter",  # a parameter that is sent, whatever the prompt
    "model",  # no such model, or not for this account
    "key",  # the key, or what it may do
    "address",  # nothing like the API is there
    "credit",  # nothing is left to pay with
    "limit",  # too much at a time
    "away",  # the server fails
]

SENT = ("temperature", "seed", "response_format", "max_completion_tokens", "max_tokens", "frequency_penalty", "stop")


@dataclass(frozen=True, slots=True)
class Row:
    """What an error means: one of `statuses` (empty: any from 400), and a label or words where they are given."""

    meaning: Meaning
    statuses: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    words: str = ""
    parameters: tuple[str, ...] = ()

    def fits(self, status: int, error: ErrorBody) -> bool:
        """Tell whether an error is of this row."""
        if self.statuses and status not in self.statuses:
            return False
        if not (self.labels or self.words or self.parameters):
            return True
        return (
            bool(error.labels.intersection(self.labels))
            or bool(self.words and re.search(self.words, error.words))
            or bool(set(self.parameters).intersection(error.parameters))
        )


_REFUSED = (400, 403, 404, 413, 422)
_NAMED = r"temperature|seed|response[_ ]format|json_schema|structured outputs?|max_completion_tokens|max_tokens"
_NOT_TAKEN = (
    r"unsupported|not supported?|not permitted|not allowed|unrecogni[sz]ed|unknown|unexpected|deprecated|unavailable|"
    r"does ?n.t support|not one of|cannot both|must be|only the default|is not valid|invalid|too large"
)

TABLE: tuple[Row, ...] = (
    Row(
        "context",
        (400, 404, 413, 422, 500),
        (
            "context_length_exceeded",
            "exceed_context_size_error",
            "string_above_max_length",
            "request_too_large",
            "3051",
        ),
        r"maximum context length|context (?:length|size|window)|(?:prompt|input) is too long|too many tokens|"
        r"request too large|exceeds? (?:the )?(?:available|maximum) (?:context|number of tokens|input)|"
        r"reduce (?:your message|the) (?:size|length)|input token count|max_tokens must be at least 1",
    ),
    Row("context", (429,), words=r"request too large"),  # it would be too large tomorrow, too
    Row(
        "key",
        (400, 403),
        ("account_deactivated", "account_suspended"),
        r"(?:account|organi[sz]ation|workspace|project)\b.{0,80}(?:deactivated|disabled|suspended|banned|terminated)",
    ),
    Row(
        "filtered",
        (400, 403, 422, 451),
        (
            "content_filter",
            "responsibleaipolicyviolation",
            "content_policy_violation",
            "moderation_blocked",
            "cyber_policy_violation",
            "prohibited_content",
            "safety",
            "data_inspection_failed",
            "datainspectionfailed",
            "sensitive_words_detected",
            "1301",
        ),
        r"input was flagged|was flagged|flagged (?:by|for|as)|content management policy|content[ _]policy|"
        r"usage polic|safety (?:system|reasons|filter|check)|content filter|prohibited[_ ]content|"
        r"prompt (?:was|is) blocked|request (?:was|is) blocked|inappropriate content|content exists risk|"
        r"violat\w+ .{0,40}polic|moderation|requires moderation",
    ),
    Row(
        "credit",
        (400, 402, 403, 429, 503),
        (
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_not_active",
            "insufficient_balance",
            "insufficient_credits",
            "account_deactivated_for_billing",
            "arrearage",
            "1113",
        ),
        r"credit balance is too low|insufficient (?:balance|credits?|quota|funds)|insufficient account balance|"
        r"requires more credits|add (?:more )?credits?|out of credits|billing hard limit|exceeded your current quota|"
        r"payment required|prepayment credits|spending limit|arrears",
    ),
    Row(
        "key",
        (400,),
        ("api_key_invalid", "invalid_api_key", "api_key_expired"),
        r"api key (?:not valid|expired)|(?:incorrect|invalid) api key",
    ),
    Row(
        "model",
        (400, 403, 404, 410, 422),
        ("model_not_found", "invalid_model", "model_not_exist", "deploymentnotfound", "model_decommissioned", "1211"),
        r"invalid model|not a valid model|model .{0,120}(?:does not exist|not found|has been decommissioned)|"
        r"no endpoints found|model not exist|model_not_found|unknown model|no models loaded|failed to load model",
    ),
    Row("parameter", (400, 422), parameters=SENT),
    Row(
        "parameter",
        _REFUSED,
        words=rf"(?:{_NAMED}).{{0,160}}(?:{_NOT_TAKEN})|(?:{_NOT_TAKEN}).{{0,80}}(?:{_NAMED})",
    ),
    Row("credit", (402,)),
    Row("key", (401, 403)),
    Row("address", (404, 405, 407, 426)),
    Row("model", (410,)),
    Row("limit", (408, 409, 424, 425, 429, 498)),
)


def meaning_of(status: int, error: ErrorBody) -> Meaning:
    """Return what an error means; 4xx that no row knows is about the prompt, all else a server that fails."""
    found = next((row.meaning for row in TABLE if row.fits(status, error)), None)
    if found is not None:
        return found
    return "prompt" if 400 <= status < 500 else "away"  # noqa: PLR2004 - the range of client errors


def refused_parameter(error: ErrorBody) -> str | None:
    """Return the parameter that an error of the meaning `parameter` is about; None where it can't be told."""
    named = [each for each in error.parameters if each in SENT]
    if named:
        return named[0]
    for name, words in (
        ("response_format", r"response[_ ]format|json_schema|structured outputs?"),
        ("max_completion_tokens", "max_completion_tokens"),
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("seed", r"\bseed\b"),
    ):
        if re.search(words, error.words):
            return name
    return None
