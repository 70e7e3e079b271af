"""Which account a persona publishes with, what a newer token is safe from, and who is simulated."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.accounts.directory import NoAccount, SimulatorAddress, in_force, with_state
from agents.accounts.vault import Vault
from agents.platforms.threads_ids import simulated_user_id
from streams.endpoints import update_endpoints
from tests.support.accounts import CANARY, KEY, NOW, OLD_KEY, SIMULATOR, account_record, listed
from tests.support.settings import settings_with

LATER = NOW + timedelta(days=1)


def test_a_persona_publishes_with_the_account_that_names_it() -> None:
    directory = listed([account_record("acc_1"), account_record("acc_2", persona_ids=("bea", "cyd"), username="bea")])
    assert directory.of_persona("ada").account_id == "acc_1"
    found = directory.of_persona("cyd")
    assert (found.account_id, found.username, found.token, found.simulated) == ("acc_2", "bea", CANARY, False)


def test_of_several_platforms_threads_is_the_first_where_none_is_named() -> None:
    directory = listed(
        [
            account_record("acc_b", platform="bluesky"),
            account_record("acc_t"),
            account_record("acc_m", platform="mastodon", persona_ids=("bea",)),
        ]
    )
    assert directory.of_persona("ada").account_id == "acc_t"
    assert directory.of_persona("ada", "bluesky").account_id == "acc_b"
    assert directory.of_persona("bea").account_id == "acc_m"


def test_without_an_account_it_says_how_to_add_one() -> None:
    with pytest.raises(NoAccount, match="accounts add mastodon --persona ada") as refused:
        listed([account_record()]).of_persona("ada", "mastodon")
    assert refused.value.record is None
    with pytest.raises(NoAccount, match="accounts list"):
        listed().account("acc_9")


@pytest.mark.parametrize("state", ["token_rejected", "restricted"])
def test_one_that_is_not_active_is_not_published_with_but_can_be_called_with(state: str) -> None:
    record = with_state(account_record(), state, "look in the app", NOW)
    directory = listed([record])
    with pytest.raises(NoAccount, match=f"{state}: look in the app") as refused:
        directory.of_persona("ada")
    assert refused.value.record == record
    assert directory.account("acc_1").token == CANARY


def test_one_that_is_removed_has_no_token_and_stands_in_nobodys_way() -> None:
    gone = with_state(account_record(), "removed", "by hand", NOW)
    assert (gone.token_cipher, gone.key_id, gone.token_expires_at) == (None, None, None)
    directory = listed([account_record(), gone])
    assert directory.find("acc_1") == gone
    with pytest.raises(NoAccount, match="has no account"):
        directory.of_persona("ada")
    with pytest.raises(NoAccount, match="has no token"):
        directory.account("acc_1")


def test_an_account_that_names_other_personas_is_let_go_by_the_first() -> None:
    directory = listed([account_record(), account_record(persona_ids=("bea",))])
    assert directory.of_persona("bea").account_id == "acc_1"
    with pytest.raises(NoAccount):
        directory.of_persona("ada")


def test_a_token_that_can_not_be_opened_says_which_key_is_needed() -> None:
    sealed = Vault(OLD_KEY).seal("acc_1", CANARY)
    record = account_record(token_cipher=sealed.cipher, key_id=sealed.key_id)
    with pytest.raises(NoAccount, match="THREADS_ACCOUNTS_OLD_KEYS") as refused:
        listed([record]).of_persona("ada")
    assert refused.value.record == record
    assert listed([record], old_keys=(OLD_KEY,)).of_persona("ada").token == CANARY


def test_no_token_is_shown_by_an_account_or_a_directory() -> None:
    directory = listed([account_record()])
    account = directory.of_persona("ada")
    assert CANARY not in repr(account) + repr(directory) + repr(vars(directory)) + repr(directory.find("acc_1"))


def test_where_threads_is_the_simulator_every_persona_has_an_account() -> None:
    account = listed(simulator=SIMULATOR).of_persona("ada")
    assert (account.account_id, account.platform, account.base_url) == ("simulated-ada", "threads", SIMULATOR)
    assert (account.user_id, account.username, account.token) == (simulated_user_id("ada"), "ada", "SIMULATED-ada")
    assert account.simulated
    assert listed(simulator=SIMULATOR).account("simulated-ada") == account
    with pytest.raises(NoAccount):
        listed(simulator=SIMULATOR).of_persona("ada", "mastodon")


def test_an_account_that_was_added_comes_before_the_simulated_one() -> None:
    assert listed([account_record()], simulator=SIMULATOR).of_persona("ada").account_id == "acc_1"


def test_a_simulated_account_has_states_as_others_have() -> None:
    directory = listed(simulator=SIMULATOR)
    record = directory.find("simulated-ada")
    assert record is not None
    directory.put(with_state(record, "token_rejected", "revoked", NOW))
    with pytest.raises(NoAccount, match="token_rejected: revoked"):
        directory.of_persona("ada")
    assert directory.account("simulated-ada").token == "SIMULATED-ada"
    directory.put(with_state(record, "active", None, LATER))
    assert directory.of_persona("ada").simulated


def test_a_simulated_account_is_called_where_the_simulator_is_now() -> None:
    record = account_record("acc_simulated_1", base_url="http://127.0.0.1:1/v1.0")
    account = listed([record], simulator=SIMULATOR).of_persona("ada")
    assert (account.base_url, account.simulated, account.token) == (SIMULATOR, True, CANARY)


def test_without_its_simulator_a_simulated_account_says_so() -> None:
    directory = listed([account_record("acc_simulated_1")])
    with pytest.raises(NoAccount, match="no simulator runs here"):
        directory.of_persona("ada")
    with pytest.raises(NoAccount):
        directory.account("simulated-ada")


def test_the_simulator_is_where_the_home_says_and_nowhere_when_the_api_is_set(tmp_path: Path) -> None:
    address = SimulatorAddress(settings_with(home=tmp_path))
    assert address() is None
    update_endpoints(tmp_path, simulator="http://127.0.0.1:7")
    assert address() == "http://127.0.0.1:7/v1.0"
    update_endpoints(tmp_path, simulator="http://127.0.0.1:8")
    assert address() == "http://127.0.0.1:8/v1.0"
    assert SimulatorAddress(settings_with(home=tmp_path, threads_api_url="https://graph.threads.net"))() is None


def test_ids_of_simulated_users_have_17_digits_and_differ() -> None:
    ids = {simulated_user_id(f"persona-{number}") for number in range(1_000)}
    assert len(ids) == 1_000
    assert {len(each) for each in ids} == {17}
    assert simulated_user_id("ada") == simulated_user_id("ada")


def test_a_writer_that_knew_of_no_newer_token_takes_none_away() -> None:
    old = account_record()
    sealed = Vault(KEY).seal("acc_1", "the newer token")
    newer = replace(old, token_cipher=sealed.cipher, token_refreshed_at=LATER)
    stale = with_state(old, "token_rejected", "the old one was revoked", LATER)
    directory = listed([old, newer, stale])
    assert directory.of_persona("ada").token == "the newer token"
    assert directory.overruled == {"acc_1"}
    directory.put(replace(newer, event_id="again"))
    assert directory.overruled == set()


def test_a_restriction_counts_whatever_token_its_writer_knew() -> None:
    old, newer = account_record(), account_record(token="newer", token_refreshed_at=LATER)
    found = in_force(newer, with_state(old, "restricted", "by the platform", LATER))
    assert (found.state, found.reason, found.token_cipher) == ("restricted", "by the platform", newer.token_cipher)


def test_a_removed_account_does_not_come_back_by_a_writer_who_did_not_know() -> None:
    old = account_record()
    gone = with_state(old, "removed", "by hand", LATER)
    for state in ("active", "token_rejected", "restricted"):
        assert in_force(gone, with_state(old, state, "why", LATER + timedelta(hours=1))) == gone


@given(st.permutations([0, 1, 2, 3]))
def test_of_tokens_that_came_in_any_order_the_newest_is_in_force(order: list[int]) -> None:
    records = [account_record(token=f"token {n}", token_refreshed_at=NOW + timedelta(hours=n)) for n in order]
    assert listed(records).of_persona("ada").token == "token 3"


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="token_rejected"):
        with_state(account_record(), "tired", None, NOW)
