"""Redaction: no secret in a log line or an answer, whoever wrote it there."""

from __future__ import annotations

import logging
import re

_SECRETS = re.compile(
    r"tag[ws]_[A-Za-z0-9_-]{16,}"  # tokens and sessions of ours
    r"|eyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"  # JWTs, whole or cut
    r"|(?i:(?<=bearer )|(?<=basic ))[^\s'\",]{8,}"
    r"|(?<=://)[^\s/@:'\"]{0,200}:[^\s@'\"]{1,500}(?=@)"  # user and password of a URL; bounded: long texts took ages
)
REDACTED = "[redacted]"


def redacted(text: str) -> str:
    """Return a text without the secrets in it."""
    return _SECRETS.sub(REDACTED, text)


class RedactingFormatter(logging.Formatter):
    """Another formatter's lines without secrets, those of tracebacks too."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return redacted(self._inner.format(record))


def redact_logs() -> None:
    """Keep secrets out of what this process logs from now on."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter()))
