"""Readiness of an HTTP server on loopback."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

PROBE_TIMEOUT_S = 1.0

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


def answers(url: str) -> bool:
    """Tell whether GET of an http URL answers 200 within a second."""
    try:
        with _opener.open(url, timeout=PROBE_TIMEOUT_S) as response:
            return bool(response.status == http.client.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False
