"""Addresses: settings first, then what the embedded stack wrote."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.endpoints import (
    FILE_NAME,
    Endpoints,
    read_endpoints,
    require_kafka,
    require_postgres,
    resolve,
    update_endpoints,
    write_endpoints,
)
from streams.errors import SettingsError
from streams.settings import Settings


def test_a_home_that_never_ran_has_no_addresses(tmp_path: Path) -> None:
    assert read_endpoints(tmp_path / "nowhere") == Endpoints()


def test_written_addresses_come_back_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    endpoints = Endpoints(kafka="127.0.0.1:1", postgres="postgresql://u:secret@127.0.0.1:2/d")
    write_endpoints(home, endpoints)
    assert read_endpoints(home) == endpoints
    assert stat.S_IMODE((home / FILE_NAME).stat().st_mode) == 0o600


def test_concurrent_updates_lose_nothing(tmp_path: Path) -> None:
    names = [field.name for field in fields(Endpoints)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: update_endpoints(tmp_path, **{name: f"address of {name}"}), names))
    assert read_endpoints(tmp_path) == Endpoints(**{name: f"address of {name}" for name in names})


def test_an_update_with_none_removes_an_address(tmp_path: Path) -> None:
    write_endpoints(tmp_path, Endpoints(kafka="k", metrics="m"))
    update_endpoints(tmp_path, metrics=None)
    assert read_endpoints(tmp_path) == Endpoints(kafka="k")


def test_a_setting_wins_over_the_embedded_stack(tmp_path: Path) -> None:
    write_endpoints(tmp_path, Endpoints(kafka="embedded", postgres="embedded", schemas="embedded"))
    found = resolve(Settings(home=tmp_path, kafka="cluster:9092", postgres_dsn=SecretStr("dsn")))
    assert (found.kafka, found.postgres, found.schemas) == ("cluster:9092", "dsn", "embedded")


def test_with_a_provider_configured_the_offline_model_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_endpoints(tmp_path, Endpoints(llm="offline"))
    assert resolve(Settings(home=tmp_path)).llm == "offline"
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    assert resolve(Settings(home=tmp_path)).llm is None
    monkeypatch.setenv("OPENAI_BASE_URL", "http://compatible/v1")
    assert resolve(Settings(home=tmp_path)).llm == "http://compatible/v1"


def test_a_missing_server_is_told_with_both_ways_out(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with pytest.raises(SettingsError, match=r"threads-agent up.*THREADS_KAFKA=host:port"):
        require_kafka(settings)
    with pytest.raises(SettingsError, match=r"threads-agent up.*THREADS_POSTGRES_DSN="):
        require_postgres(settings)


@pytest.mark.parametrize("content", ["{", "[]", '"text"'])
def test_a_damaged_file_is_told_by_its_path(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(SettingsError, match="delete it and run"):
        read_endpoints(tmp_path)
