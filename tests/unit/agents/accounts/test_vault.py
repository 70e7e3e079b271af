"""What is sealed opens with its key, for its account, and not otherwise; nothing of it is told by an error."""

from __future__ import annotations

import base64
import stat
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.accounts.vault import FILE_NAME, Sealed, Vault, VaultError, vault_of
from streams.errors import SettingsError
from tests.support.accounts import CANARY, KEY, OLD_KEY
from tests.support.settings import settings_with

TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)


@given(TEXTS, TEXTS)
def test_what_is_sealed_opens_for_its_account(account_id: str, token: str) -> None:
    assert Vault(KEY).unseal(account_id, Vault(KEY).seal(account_id, token)) == token


@given(TEXTS, TEXTS)
def test_a_token_can_not_be_put_in_the_place_of_another_accounts(one: str, other: str) -> None:
    sealed = Vault(KEY).seal(one, CANARY)
    if one != other:
        with pytest.raises(VaultError, match="another account's"):
            Vault(KEY).unseal(other, sealed)


@given(st.data())
def test_a_change_of_any_bit_is_seen(data: st.DataObject) -> None:
    sealed = Vault(KEY).seal("acc_1", CANARY)
    both = bytearray(base64.b64decode(sealed.cipher))
    both[data.draw(st.integers(0, len(both) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VaultError, match="was changed"):
        Vault(KEY).unseal("acc_1", Sealed(base64.b64encode(both).decode(), sealed.key_id))


@given(st.text(max_size=60))
def test_what_is_no_cipher_is_told_as_one_that_was_changed(cipher: str) -> None:
    with pytest.raises(VaultError, match="accounts add"):
        Vault(KEY).unseal("acc_1", Sealed(cipher, Vault(KEY).key_id))


def test_the_same_token_is_never_sealed_alike() -> None:
    assert len({Vault(KEY).seal("acc_1", CANARY).cipher for _ in range(100)}) == 100


def test_another_key_says_which_one_is_needed_and_what_to_do() -> None:
    sealed = Vault(OLD_KEY).seal("acc_1", CANARY)
    with pytest.raises(VaultError) as refused:
        Vault(KEY).unseal("acc_1", sealed)
    said = str(refused.value)
    for word in (
        "acc_1",
        Vault(OLD_KEY).key_id,
        Vault(KEY).key_id,
        "THREADS_ACCOUNTS_KEY",
        "THREADS_ACCOUNTS_OLD_KEYS",
    ):
        assert word in said
    assert "accounts add" in said


def test_an_old_key_is_read_with_and_not_written_with() -> None:
    sealed = Vault(OLD_KEY).seal("acc_1", CANARY)
    vault = Vault(KEY, [OLD_KEY])
    assert vault.unseal("acc_1", sealed) == CANARY
    assert vault.seal("acc_1", CANARY).key_id == Vault(KEY).key_id != sealed.key_id


def test_nothing_of_key_or_token_is_shown(tmp_path: Path) -> None:
    key, old = "the key in force: long enough for it", "the key that was before: long enough"
    settings = settings_with(home=tmp_path, accounts_key=key, accounts_old_keys=old)
    vault = vault_of(settings)
    sealed = vault.seal("acc_1", CANARY)
    try:
        vault.unseal("acc_2", sealed)
    except VaultError as error:
        told = "".join(traceback.format_exception(error)) + repr(error)
    for shown in (told, repr(vault), repr(vars(vault)), repr(sealed), repr(settings), settings.model_dump_json()):
        assert not [each for each in (CANARY, key, old) if each in shown]


def test_the_key_of_a_home_is_made_for_its_owner_only_and_opens_what_it_sealed(tmp_path: Path) -> None:
    settings = settings_with(home=tmp_path / "home")
    sealed = vault_of(settings).seal("acc_1", CANARY)
    assert vault_of(settings).unseal("acc_1", sealed) == CANARY
    assert stat.S_IMODE((tmp_path / "home" / FILE_NAME).stat().st_mode) == 0o600


def test_the_key_of_a_home_can_be_given_as_a_setting(tmp_path: Path) -> None:
    sealed = vault_of(settings_with(home=tmp_path)).seal("acc_1", CANARY)
    moved = settings_with(home=tmp_path / "other", accounts_key=(tmp_path / FILE_NAME).read_text().strip())
    assert vault_of(moved).unseal("acc_1", sealed) == CANARY


def test_several_old_keys_stand_in_one_setting(tmp_path: Path) -> None:
    keys = ["the first of the old keys: 32 chars.", "the second of the old keys: 32 chars"]
    settings = settings_with(home=tmp_path, accounts_old_keys=f"{keys[0]}, {keys[1]},")
    for key in keys:
        assert vault_of(settings).unseal("acc_1", Vault(key.encode()).seal("acc_1", CANARY)) == CANARY


def test_a_key_file_that_lost_its_key_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("\n")
    with pytest.raises(SettingsError, match="restore it, or delete it and add all accounts again"):
        vault_of(settings_with(home=tmp_path))
