"""The settings of Grafana: one token, from environment or file; without its address the role has nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from sinks.grafana_live.role import ROLE
from sinks.grafana_live.settings import GrafanaSettings
from streams.errors import SettingsError
from streams.role_names import role_names, roles_at_work
from streams.settings import Settings

URL, TOKEN = "http://127.0.0.1:3000/", "glsa_secret"


def test_the_token_of_a_file_is_read_anew_and_without_its_line_feed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    settings = GrafanaSettings(grafana_url=URL, grafana_token_file=file)
    assert settings.token() == TOKEN
    file.write_text("glsa_rotated\n")
    assert settings.token() == "glsa_rotated"


@pytest.mark.parametrize(
    ("token", "file", "told"),
    [
        (None, None, "set either THREADS_GRAFANA_TOKEN or THREADS_GRAFANA_TOKEN_FILE"),
        (TOKEN, "token", "set either THREADS_GRAFANA_TOKEN or THREADS_GRAFANA_TOKEN_FILE"),
        (None, "missing", "can't be read"),
        (None, "empty", "empty or no plain text"),
        ("two\nlines", None, "empty or no plain text"),
    ],
)
def test_a_token_that_is_none_is_told_without_showing_one(
    tmp_path: Path, token: str | None, file: str | None, told: str
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "empty").write_text("\n")
    settings = GrafanaSettings(
        grafana_url=URL,
        grafana_token=SecretStr(token) if token else None,
        grafana_token_file=tmp_path / file if file else None,
    )
    with pytest.raises(SettingsError, match=told) as error:
        settings.token()
    assert TOKEN not in str(error.value)


def test_without_the_address_the_role_is_left_out_with_a_line_and_can_not_be_run() -> None:
    names, left_out = roles_at_work(Settings())
    assert set(role_names()) - set(names) == {"sink-grafana-live"}
    assert left_out == [
        "sink-grafana-live is left out: set THREADS_GRAFANA_URL to push KPI updates to Grafana Live",
    ]
    with pytest.raises(SettingsError, match="set THREADS_GRAFANA_URL"):
        ROLE.build(Settings())


def test_with_the_address_every_role_is_at_work() -> None:
    settings = Settings().having(GrafanaSettings(grafana_url=URL))
    assert roles_at_work(settings) == (role_names(), [])
