"""What is asked of a person: settings, addresses, the login that comes back; and no secret in what is said of it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.accounts.adding import account_id_of, base_url_of
from agents.accounts.commands import accounts_table, as_object
from agents.accounts.login import code_in, new_state
from agents.accounts.platform_http import without_secrets
from agents.accounts.settings import AccountSettings, app_secret
from agents.accounts.token_sources import AccountError, Grant, Renewal
from agents.accounts.vault import Vault
from streams.cli.table import table_lines
from streams.endpoints import update_endpoints
from streams.errors import SettingsError
from streams.settings import read_settings
from tests.support.accounts import CANARY, KEY, NOW, account_record
from tests.support.settings import settings_with
from tests.support.table_checks import IDS, TERMINALS, assert_whole

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=60)


@given(SECRETS, st.text(max_size=60), st.text(max_size=60))
def test_a_platforms_words_are_told_without_the_secret_however_it_is_written(
    secret: str, before: str, after: str
) -> None:
    for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
        said = without_secrets(before + form + after, [secret])
        assert form not in said or form in "[redacted]"
        assert said.isprintable()


@given(SECRETS, SECRETS)
def test_of_two_secrets_of_which_one_holds_the_other_nothing_is_left(one: str, more: str) -> None:
    both = one + more
    assert more not in without_secrets(both, [one, both]).replace("[redacted]", "")


def test_grants_and_renewals_do_not_show_their_token() -> None:
    shown = repr(Grant(CANARY, "1", "ada")) + repr(Renewal(CANARY, None))
    assert CANARY not in shown


def test_the_login_that_was_begun_gives_its_code() -> None:
    state = new_state()
    assert code_in(f"http://127.0.0.1:8797/threads?code=abc&state={state}", state) == "abc"
    assert code_in(f" /threads?state={state}&code=abc%23_#_ ", state) == "abc"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/threads?code=abc&state=another", "its state differs"),
        ("/threads?code=abc", "its state differs"),
        ("/threads?state=ours", "without a code"),
        ("/threads?state=ours&error=access_denied&error_description=The+user+said+no", "The user said no"),
        ("http://[", "its state differs"),
        ("", "its state differs"),
    ],
)
def test_a_login_that_is_not_ours_or_not_granted_is_refused_and_says_what_to_do(address: str, words: str) -> None:
    with pytest.raises(AccountError, match=words) as refused:
        code_in(address, "ours")
    assert "accounts add threads` again" in str(refused.value)
    assert "abc" not in str(refused.value)


def test_states_can_not_be_guessed() -> None:
    assert len({new_state() for _ in range(100)}) == 100
    assert len(new_state()) >= 43


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        ("https://graph.threads.net", "https://graph.threads.net/v1.0"),
        ("https://graph.threads.net/", "https://graph.threads.net/v1.0"),
        ("https://graph.threads.net/v2.0/", "https://graph.threads.net/v2.0"),
    ],
)
def test_the_api_has_its_version(given_url: str, expected: str) -> None:
    assert settings_with(threads_api_url=given_url).of(AccountSettings).threads_api_url == expected


@pytest.mark.parametrize("url", ["graph.threads.net", "https://user:password@graph.threads.net", "ftp://x"])
def test_an_api_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        settings_with(threads_api_url=url)


def test_secrets_that_are_not_usable_are_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADS_ACCOUNTS_KEY", "canary-short-key")
    monkeypatch.setenv("THREADS_ACCOUNTS_OLD_KEYS", f"{'x' * 40},canary-old")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert "THREADS_ACCOUNTS_KEY" in str(refused.value)
    assert "number 2 has less" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_the_apps_secret_stands_in_the_environment_or_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f" {CANARY}\n")
    found = app_secret(settings_with(threads_app_secret_file=file))
    assert found is not None
    assert found.get_secret_value() == CANARY
    assert app_secret(settings_with()) is None
    file.write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        app_secret(settings_with(threads_app_secret_file=file))
    with pytest.raises(SettingsError, match="can't be read"):
        app_secret(settings_with(threads_app_secret_file=tmp_path / "none"))


def test_where_an_account_is_added_follows_from_platform_and_settings(tmp_path: Path) -> None:
    settings = settings_with(home=tmp_path)
    assert base_url_of(settings, "bluesky", None) == "https://bsky.social"
    assert base_url_of(settings, "mastodon", "https://mastodon.example/") == "https://mastodon.example"
    assert base_url_of(settings, "mastodon", "http://127.0.0.1:99") == "http://127.0.0.1:99"
    with pytest.raises(AccountError, match="THREADS_API_URL"):
        base_url_of(settings, "threads", None)
    update_endpoints(tmp_path, simulator="http://127.0.0.1:7")
    assert base_url_of(settings, "threads", None) == "http://127.0.0.1:7/v1.0"


@pytest.mark.parametrize(
    "url", ["http://mastodon.example", "mastodon.example", "https://a:b@mastodon.example", "https://", "https://x?y=1"]
)
def test_no_token_is_sent_unencrypted_or_to_what_is_no_server(url: str) -> None:
    with pytest.raises(AccountError, match="--base-url"):
        base_url_of(settings_with(), "mastodon", url)


def test_an_account_has_the_same_id_whenever_it_is_added() -> None:
    ids = [
        account_id_of("threads", "https://graph.threads.net/v1.0", "1", simulated=False),
        account_id_of("threads", "https://GRAPH.threads.net/v2.0", "1", simulated=False),
        account_id_of("threads", "http://127.0.0.1:1/v1.0", "1", simulated=True),
        account_id_of("threads", "http://127.0.0.1:2/v1.0", "1", simulated=True),
        account_id_of("mastodon", "https://graph.threads.net", "1", simulated=False),
    ]
    assert (ids[0], ids[2]) == (ids[1], ids[3])
    assert len(set(ids)) == 3


def test_what_is_listed_fits_the_terminal_and_holds_no_token() -> None:
    found = [account_record(each, persona_ids=IDS[:2], scopes=("threads_basic",)) for each in IDS]
    for columns in TERMINALS:
        lines = list(table_lines(accounts_table(found, NOW), columns))
        assert_whole(lines, IDS, columns)
        told = " ".join(" ".join(lines).split())
        assert "without threads_delete: deleting posts" in told


def test_json_of_an_account_has_neither_token_nor_cipher() -> None:
    record = account_record(token_expires_at=NOW.replace(month=12), scopes=("threads_basic",))
    shown = as_object(record, NOW)
    assert shown["token_days_left"] == 30.0
    assert "threads_delete" in str(shown["missing_permissions"])
    assert "token_cipher" not in shown
    assert str(record.token_cipher) not in str(shown)
    assert shown["key_id"] == Vault(KEY).key_id
