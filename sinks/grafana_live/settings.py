"""Where Grafana is, and with which token it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr

from streams.errors import SettingsError
from streams.settings import Settings, SettingsGroup

ROLE_NAME = "sink-grafana-live"


class GrafanaSettings(SettingsGroup):
    """Where Grafana is, and with which token it is written to."""

    grafana_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Grafana server; empty: nothing is pushed to it, and no replay is noted.",
    )
    grafana_token: SecretStr | None = Field(
        None, description="Token of a Grafana service account with the role Editor; or THREADS_GRAFANA_TOKEN_FILE."
    )
    grafana_token_file: Path | None = Field(
        None, description="File with that token; it is read again when Grafana refuses the token, so it can be rotated."
    )
    grafana_live_stream: str = Field(
        "threads",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Stream of Grafana Live that KPI updates are pushed to.",
    )

    def idle_roles(self, settings: Settings) -> Mapping[str, str]:
        del settings
        return {} if self.grafana_url else {ROLE_NAME: "set THREADS_GRAFANA_URL to push KPI updates to Grafana Live"}

    def required_url(self) -> str:
        """Return the address of Grafana, without a slash at its end.

        Raises:
            SettingsError: there is none.
        """
        if not self.grafana_url:
            raise SettingsError(
                "Grafana is not configured: set THREADS_GRAFANA_URL=http://host:3000, and a service account's token in "
                "THREADS_GRAFANA_TOKEN or THREADS_GRAFANA_TOKEN_FILE"
            )
        return self.grafana_url.rstrip("/")

    def token(self) -> str:
        """Return the token, read from its file now where a file is named.

        Raises:
            SettingsError: there is none, there are two, or the file can't be read; the message shows no token.
        """
        if (self.grafana_token is None) == (self.grafana_token_file is None):
            raise SettingsError(
                "Grafana needs one token: set either THREADS_GRAFANA_TOKEN or THREADS_GRAFANA_TOKEN_FILE, "
                "of a service account with the role Editor"
            )
        found = self.grafana_token.get_secret_value() if self.grafana_token else _read(self.grafana_token_file)
        if not found or not found.isascii() or not found.isprintable():
            raise SettingsError("Grafana's token is empty or no plain text: expected glsa_... in one line")
        return found


def _read(path: Path | None) -> str:
    assert path is not None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"THREADS_GRAFANA_TOKEN_FILE={path} can't be read: {error}") from error
