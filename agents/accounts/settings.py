"""Where platforms are, and how the tokens of accounts are kept."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from streams.errors import SettingsError
from streams.settings import PREFIX, Settings, SettingsGroup

LEAST_KEY_CHARS = 32
LATEST_VERSION = "/v1.0"


class AccountSettings(SettingsGroup):
    """Where platforms are, and how the tokens of accounts are kept."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    threads_api_url: str | None = Field(
        None,
        validation_alias="THREADS_API_URL",
        pattern="^https?://[^/@]+(/[^@]*)?$",
        description="Base URL of the Threads API, e.g. https://graph.threads.net; empty: the embedded simulator.",
    )
    threads_app_id: str | None = Field(
        None, validation_alias="THREADS_APP_ID", description="Id of your Threads app, for `accounts add threads`."
    )
    threads_app_secret: SecretStr | None = Field(
        None, validation_alias="THREADS_APP_SECRET", description="Secret of your Threads app."
    )
    threads_app_secret_file: Path | None = Field(
        None, validation_alias="THREADS_APP_SECRET_FILE", description="File that holds the secret of your Threads app."
    )
    threads_redirect_url: str = Field(
        "http://127.0.0.1:8797/threads",
        validation_alias="THREADS_REDIRECT_URL",
        pattern="^https?://[^/@]+(/[^@]*)?$",
        description="Redirect URL of your Threads app; port 0 takes a free one, which the simulator allows.",
    )
    account_token: SecretStr | None = Field(
        None, description="Token or app password that `accounts add` takes where no --token-file is given."
    )
    accounts_key: SecretStr | None = Field(
        None,
        min_length=LEAST_KEY_CHARS,
        description="Key that tokens are encrypted with, the same for all; empty: accounts.key in the home.",
    )
    accounts_old_keys: SecretStr | None = Field(
        None, description="Keys that tokens may still be encrypted with, by commas; they are only read with."
    )
    accounts_refresh_ahead_days: float = Field(
        14.0, ge=1, le=59, description="Days before its end in which a token is refreshed."
    )
    accounts_timeout_s: float = Field(15.0, gt=0, le=60, description="Time a platform has to answer about an account.")
    accounts_login_timeout_s: float = Field(
        300.0, gt=0, le=3_600, description="Time in which a login in the browser must come back."
    )

    @field_validator("threads_api_url")
    @classmethod
    def _with_version(cls, value: str | None) -> str | None:
        if value is None:
            return None
        address = value.rstrip("/")
        return address if "/" in address.partition("://")[2] else address + LATEST_VERSION

    @field_validator("accounts_key")
    @classmethod
    def _without_comma(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and "," in value.get_secret_value():
            raise ValueError("it must have no comma, as it will stand in THREADS_ACCOUNTS_OLD_KEYS one day")
        return value

    @field_validator("accounts_old_keys")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        for number, key in enumerate(old_keys_in(value), 1):
            if len(key) < LEAST_KEY_CHARS:
                raise ValueError(f"each key must have at least {LEAST_KEY_CHARS} characters, number {number} has less")
        return value

    def old_keys(self) -> list[bytes]:
        """Return the keys that tokens may still be encrypted with."""
        return [key.encode() for key in old_keys_in(self.accounts_old_keys)]


def old_keys_in(value: SecretStr | None) -> list[str]:
    """Return the keys of a list by commas."""
    return [] if value is None else [key for each in value.get_secret_value().split(",") if (key := each.strip())]


def app_secret(settings: Settings) -> SecretStr | None:
    """Return the secret of the Threads app, of its setting or its file; None where there is none.

    Raises:
        SettingsError: the file can't be read, or is empty.
    """
    own = settings.of(AccountSettings)
    if own.threads_app_secret is not None or own.threads_app_secret_file is None:
        return own.threads_app_secret
    return secret_in(own.threads_app_secret_file, "THREADS_APP_SECRET_FILE")


def secret_in(path: Path, named_by: str) -> SecretStr:
    """Return the secret that a file holds, without white space around it.

    Raises:
        SettingsError: it can't be read, or is empty; `named_by` says where its path stands.
    """
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{named_by}: {path} can't be read ({error.strerror}); name a file you can read") from error
    except ValueError:
        raise SettingsError(f"{named_by}: {path} is no text; it must hold the secret alone") from None
    if not found:
        raise SettingsError(f"{named_by}: {path} is empty; it must hold the secret alone")
    return SecretStr(found)
