"""The keys of an identity provider: from its JWKS URL, kept, and looked up again when a token names one not known."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK, get_algorithm_by_name
from jwt.exceptions import PyJWTError

from streams.errors import SettingsError, Unavailable

logger = logging.getLogger(__name__)

FETCH_TIMEOUT_S = 5.0
MOST_BYTES = 256 * 2**10
FRESH_S = 600.0  # after that the keys are looked up again with the next token: one may have been withdrawn
LEAST_INTERVAL_S = 30.0  # between two looks, however many tokens name keys that are not known


class KeySource(Protocol):
    """The public keys that tokens are checked with."""

    async def key(self, kid: str | None) -> Any:  # noqa: ANN401 - PyJWT takes keys of several classes
        """Return the key of an id, None where there is none; `Unavailable` when that can't be told."""
        ...


class FileKey:
    """The one public key of a PEM file; a token's key id does not matter."""

    def __init__(self, path: Path, algorithm: str) -> None:
        """Read the file.

        Raises:
            SettingsError: it holds no public key of the algorithm.
        """
        try:
            self._key = _public_key(path.read_bytes(), algorithm)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(
                f"THREADS_GATEWAY_JWT_KEY: {path} can't be used ({error}); expected a PEM file with a public key for "
                f"{algorithm}"
            ) from error

    async def key(self, kid: str | None) -> Any:  # noqa: ANN401
        """Return the key."""
        del kid
        return self._key


def _public_key(pem: bytes, algorithm: str) -> Any:  # noqa: ANN401 - PyJWT takes keys of several classes
    key = load_pem_public_key(pem)
    try:
        return get_algorithm_by_name(algorithm).prepare_key(key)
    except (PyJWTError, TypeError) as error:
        raise ValueError(f"it holds an {type(key).__name__}") from error


class FetchedKeys:
    """The keys of a JWKS URL that fit the one algorithm that is believed."""

    def __init__(self, url: str, algorithm: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._algorithm = algorithm
        self._monotonic = monotonic
        self._keys: Mapping[str | None, Any] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> Any:  # noqa: ANN401
        """Return the key of an id; without an id that of a set of one.

        Raises:
            Unavailable: no keys are known, and the URL does not answer.
        """
        if self._find(kid) is None or self._monotonic() - self._fetched_at > FRESH_S:
            await self._look_again(kid)
        return self._find(kid)

    def _find(self, kid: str | None) -> Any:  # noqa: ANN401
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _look_again(self, kid: str | None) -> None:
        async with self._lock:
            now = self._monotonic()
            is_known = self._find(kid) is not None
            if now - self._tried_at < LEAST_INTERVAL_S or (is_known and now - self._fetched_at <= FRESH_S):
                return
            self._tried_at = now
            try:
                self._keys = parsed_keys(await self._fetched(), self._algorithm)
                self._fetched_at = now
            except (httpx.HTTPError, ValueError, TimeoutError) as error:
                logger.warning("The keys at %s can't be had: %s", self._url, error or type(error).__name__)
                if not self._keys:
                    raise Unavailable("the identity provider's keys can't be had", retry_after_s=5.0) from error

    async def _fetched(self) -> bytes:
        async with (
            asyncio.timeout(FETCH_TIMEOUT_S),
            httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", self._url, headers={"Accept": "application/json"}) as answer,
        ):
            answer.raise_for_status()
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ValueError(f"expected at most {MOST_BYTES} bytes, and more came")
        return bytes(body)


def parsed_keys(body: bytes, algorithm: str) -> Mapping[str | None, Any]:
    """Return the keys of a JWK set that fit an algorithm, by id; others are passed over.

    Raises:
        ValueError: it is no JWK set.
    """
    found = json.loads(body)
    entries = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(entries, list):
        raise ValueError('expected a JSON object with a list "keys"')  # noqa: TRY004 - what it says, not what it is
    keys: dict[str | None, Any] = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
            continue
        try:
            keys[entry.get("kid")] = PyJWK(entry, algorithm=algorithm).key
        except (PyJWTError, ValueError, TypeError):
            logger.warning("A key of the set is not usable for %s: %r", algorithm, entry.get("kid"))
    return keys
