"""Signatures are those of the specification; secrets follow from a key that is kept for its owner only."""

from __future__ import annotations

import stat
from pathlib import Path
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from agents.webhooks.signing import FILE_NAME, SigningKey, signature, signing_key
from streams.errors import SettingsError
from streams.wall_clock import utc_now
from tests.support.settings import settings_with

KEY = SigningKey(b"a key of thirty-two bytes or more")


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8", exclude_characters="."), max_size=50))
def test_another_implementation_of_the_specification_verifies_the_signature(body: bytes, webhook_id: str) -> None:
    now, secret = utc_now(), KEY.secret("whk_1")
    body = body.hex().encode()  # the other implementation takes texts
    made = signature(secret, webhook_id, int(now.timestamp()), body)
    assert made == Webhook(secret).sign(webhook_id, now, body.decode())


def test_secrets_differ_by_subscription_and_by_key_and_are_the_same_again() -> None:
    other = SigningKey(b"another key of thirty-two bytes...")
    secrets = [KEY.secret("a"), KEY.secret("b"), other.secret("a")]
    assert len(set(secrets)) == 3
    assert KEY.secret("a") == secrets[0]
    assert KEY.key_id != other.key_id


def test_the_key_of_a_home_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = settings_with(home=tmp_path / "home")
    made = signing_key(settings)
    assert signing_key(settings).key_id == made.key_id
    mode = (tmp_path / "home" / FILE_NAME).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert [each.name for each in (tmp_path / "home").iterdir()] == [FILE_NAME]


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    settings, found, barrier = settings_with(home=tmp_path), set(), Barrier(8)

    def ask() -> None:
        barrier.wait()
        found.add(signing_key(settings).key_id)

    threads = [Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 1


def test_a_key_file_without_a_key_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("\n")
    with pytest.raises(SettingsError, match="restore it, or delete it and add all webhooks again"):
        signing_key(settings_with(home=tmp_path))


def test_the_key_is_not_shown_with_the_settings() -> None:
    assert "thirty-two" not in repr(settings_with(webhooks_key="a key of thirty-two bytes or more"))
