"""Signatures of deliveries, as the Standard Webhooks specification has them, and the secrets they are made with.

No secret is kept anywhere: each follows from one key and the subscription's id (HMAC-SHA256), and is told once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from agents.webhooks.settings import WebhookSettings
from streams.key_file import key_in_home
from streams.settings import Settings

FILE_NAME = "webhooks.key"
KEY_ID_DIGITS = 8
SECRET_PREFIX = "whsec_"  # noqa: S105 - as the specification marks a secret, not one


class SigningKey:
    """The key that secrets follow from; `key_id` tells two keys apart and gives nothing of them away."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = self._derived("key id").hex()[:KEY_ID_DIGITS]

    def secret(self, subscription_id: str) -> str:
        """Return the secret of a subscription: `whsec_` and 32 bytes in base64."""
        return SECRET_PREFIX + base64.b64encode(self._derived(f"secret of {subscription_id}")).decode()

    def _derived(self, purpose: str) -> bytes:
        return hmac.digest(self._key, purpose.encode(), hashlib.sha256)


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header webhook-signature; `timestamp` is in seconds since the epoch.

    Source: Standard Webhooks, symmetric signatures: v1 and the HMAC-SHA256 of id, timestamp and body, by dots.
    """
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signing_key(settings: Settings) -> SigningKey:
    """Return the key of the settings, else that of the home, which is made where it is missing.

    Raises:
        SettingsError: the file can't be made or read, or holds no key.
    """
    given = settings.of(WebhookSettings).webhooks_key
    if given is not None:
        return SigningKey(given.get_secret_value().encode())
    without_it = "add all webhooks again, whose secrets follow from it"
    return SigningKey(key_in_home(settings, FILE_NAME, of="webhooks", without_it=without_it))
