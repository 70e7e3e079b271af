"""The vault: tokens encrypted at rest, each bound to its account, so that none can be put in another's place.

AES-256-GCM with a random nonce of 12 bytes; the account's id is the associated data. The cipher's key and the key's id
follow from one key by HKDF-SHA256 (RFC 5869), each for its purpose. What is kept is base64 of nonce, cipher and tag.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agents.accounts.settings import AccountSettings
from streams.errors import ThreadsError
from streams.key_file import key_in_home
from streams.settings import Settings

FILE_NAME = "accounts.key"
NONCE_BYTES = 12
CIPHER_KEY_BYTES = 32
KEY_ID_BYTES = 4
AGAIN = "add the account again with `threads-agent accounts add`"


class VaultError(ThreadsError):
    """A token can't be decrypted; the message says what to do and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted token, and the id of the key that it is encrypted with."""

    cipher: str
    key_id: str


class VaultKey:
    """A key of the vault; `key_id` tells two keys apart and gives nothing of them away."""

    def __init__(self, key: bytes) -> None:
        self.key_id = _derived(key, "key id", KEY_ID_BYTES).hex()
        self._cipher = AESGCM(_derived(key, "tokens of accounts", CIPHER_KEY_BYTES))

    def seal(self, account_id: str, token: str) -> Sealed:
        """Return the token of an account, encrypted."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, token.encode(), account_id.encode())
        return Sealed(base64.b64encode(nonce + sealed).decode(), self.key_id)

    def unseal(self, account_id: str, cipher: str) -> str:
        """Return the token of an account; ValueError or InvalidTag where it was not sealed so."""
        both = base64.b64decode(cipher, validate=True)
        return self._cipher.decrypt(both[:NONCE_BYTES], both[NONCE_BYTES:], account_id.encode()).decode()


class Vault:
    """Seal tokens with the key in force, and open what was sealed with it or with an old one."""

    def __init__(self, key: bytes, old_keys: Sequence[bytes] = ()) -> None:
        self._current = VaultKey(key)
        self._known = {each.key_id: each for each in (*map(VaultKey, old_keys), self._current)}

    @property
    def key_id(self) -> str:
        """The id of the key that is sealed with."""
        return self._current.key_id

    def seal(self, account_id: str, token: str) -> Sealed:
        """Return the token of an account, encrypted with the key in force."""
        return self._current.seal(account_id, token)

    def unseal(self, account_id: str, sealed: Sealed) -> str:
        """Return the token of an account.

        Raises:
            VaultError: its key is not known here, or it was changed, or it is another account's.
        """
        key = self._known.get(sealed.key_id)
        if key is None:
            raise VaultError(
                f"the token of account {account_id} is encrypted with the key {sealed.key_id}, known here are "
                f"{', '.join(sorted(self._known))}; bring that key back (THREADS_ACCOUNTS_KEY, {FILE_NAME} in the "
                f"home, or THREADS_ACCOUNTS_OLD_KEYS to read with it only), or {AGAIN}"
            )
        try:
            return key.unseal(account_id, sealed.cipher)
        except (InvalidTag, ValueError):
            raise VaultError(
                f"the token of account {account_id} was changed or is another account's, though its key "
                f"{sealed.key_id} is known; {AGAIN}"
            ) from None  # what was decrypted so far is in no traceback


def vault_of(settings: Settings) -> Vault:
    """Return the vault with the key of the settings, else that of the home, which is made where it is missing.

    Raises:
        SettingsError: the file can't be made or read, or holds no key.
    """
    own = settings.of(AccountSettings)
    if own.accounts_key is not None:
        return Vault(own.accounts_key.get_secret_value().encode(), own.old_keys())
    key = key_in_home(settings, FILE_NAME, of="accounts", without_it="add all accounts again, whose tokens it opens")
    return Vault(key, own.old_keys())


def _derived(key: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"threads-agent-stack accounts: {purpose}".encode()).derive(key)
