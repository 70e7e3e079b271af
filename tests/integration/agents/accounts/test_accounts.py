"""Accounts against the broker and the simulator: added by a login, refreshed, rejected, removed; no token is told."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from agents.accounts.add_command import Asked, add_account
from agents.accounts.adding import account_id_of, open_accounts, remove_account, threads_oauth
from agents.accounts.check import check_accounts, refresh_by_hand
from agents.accounts.directory import NoAccount, with_state
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.refresh import refresh_due
from agents.accounts.settings import AccountSettings
from agents.accounts.token_sources import AccountError
from agents.accounts.vault import Vault
from agents.personas.persona_topic import apply_personas, remove_personas
from agents.platforms.clients import clients
from agents.platforms.contract import Outgoing, PlatformAway, Refused, TokenRejected
from agents.platforms.threads_ids import simulated_user_id
from schemas.records import PlatformAccount
from streams.cli.main import main
from streams.errors import ThreadsError
from streams.settings import Settings, current_settings
from streams.wall_clock import utc_now
from tests.conftest import Stack
from tests.support.accounts import OLD_KEY
from tests.support.drafting import samples
from tests.support.platforms.bluesky_server import User as BlueskyUser
from tests.support.platforms.bluesky_server import bluesky_server
from tests.support.platforms.mastodon_server import mastodon_server
from tests.support.settings import settings_with
from tests.support.simulator import RunningSimulator, running_simulator

PERSONAS = {f"acct-{letter}": "default" for letter in "abcdefghijklmnop"} | {"acct-other": "others"}
DAY = timedelta(days=1)
KEY = "the key of these tests: of 32 characters or more"
APP_SECRET = "canary-secret-of-the-app"
DEADLINE_S = 60.0
POSTED = "Posted with the account that was added."
OF_SIMULATOR = "uvicorn.access"  # it runs in this process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts")


@pytest.fixture(scope="module")
def settings(stack: Stack, home: Path) -> Settings:
    return settings_with(
        home=home,
        kafka=stack.bootstrap,
        accounts_key=KEY,
        threads_redirect_url="http://127.0.0.1:0/threads",
        threads_app_secret=APP_SECRET,
        accounts_login_timeout_s=DEADLINE_S,
    )


@pytest.fixture(scope="module")
def simulator(settings: Settings) -> Iterator[RunningSimulator]:
    personas = [
        samples()[0].model_copy(update={"persona_id": name, "tenant": tenant}) for name, tenant in PERSONAS.items()
    ]
    asyncio.run(apply_personas(settings, personas, utc_now()))
    with running_simulator(settings.home, settings) as running:
        yield running
    asyncio.run(remove_personas(settings, list(PERSONAS)))


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Who sits at the browser: it opens addresses, and this user of the simulator logs in there."""
    names, opened = ["somebody"], list[threading.Thread]()

    def browse(address: str) -> bool:
        follow = threading.Thread(
            target=lambda: httpx.get(
                f"{address}&simulated_user={names[0]}", follow_redirects=True, timeout=DEADLINE_S, trust_env=False
            )
        )
        follow.start()
        opened.append(follow)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    yield names
    for each in opened:
        each.join(DEADLINE_S)


def at_simulator(home: Path, statement: str, *values: object) -> None:
    """Change what the simulator knows: it has no control for the age of a token."""
    with closing(sqlite3.connect(home / "simulator" / "truth.sqlite3", timeout=DEADLINE_S)) as truth, truth:
        assert truth.execute(statement, values).rowcount > 0


async def logged_in(settings: Settings, user: list[str], name: str, *persona_ids: str) -> PlatformAccount:
    user[0] = name
    return await add_account(settings, Asked("threads", persona_ids=persona_ids))


async def aged(settings: Settings, record: PlatformAccount, ends_in: timedelta) -> PlatformAccount:
    """Let a token be 50 days old, here and at the simulator."""
    days_ms = 50 * 86_400_000
    at_simulator(
        settings.home, "UPDATE tokens SET issued_ms = issued_ms - ? WHERE user_id = ?", days_ms, record.user_id
    )
    now = utc_now()
    older = replace(record, token_refreshed_at=now - 50 * DAY, token_expires_at=now + ends_in)
    async with open_accounts(settings) as accounts:
        # a record with an older token takes none away: it must be forgotten first
        await accounts.producer.append_raw("platform.accounts", 0, [(record.account_id.encode(), None)])
        await accounts.write(older)
    return older


async def in_force(settings: Settings, account_id: str) -> tuple[PlatformAccount, str]:
    async with open_accounts(settings) as accounts:
        record = accounts.directory.find(account_id)
        assert record is not None
        return record, accounts.directory.account(account_id).token


async def one_round(settings: Settings, now: datetime, only: str) -> list[PlatformAccount]:
    async with open_accounts(settings) as accounts:
        written = await refresh_due(accounts.directory, accounts.producer, now, settings)
    return [each for each in written if each.account_id == only]


async def test_a_login_adds_an_account_that_its_persona_publishes_with(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await logged_in(settings, user, "ada.logs.in", "acct-a")
    assert (record.username, record.user_id) == ("ada.logs.in", simulated_user_id("ada.logs.in"))
    assert record.token_expires_at is not None
    assert timedelta(days=59) < record.token_expires_at - utc_now() <= timedelta(days=60)
    assert "threads_content_publish" in record.scopes
    async with open_accounts(settings) as accounts:
        account = accounts.directory.of_persona("acct-a")
        assert (account.account_id, account.simulated, account.base_url) == (record.account_id, True, simulator.api)
        assert accounts.directory.of_persona("acct-b").account_id == "simulated-acct-b"
        (checked,) = await check_accounts(accounts, [record], utc_now())
    assert (checked.problem, checked.missing, checked.record) == (None, {}, record)
    assert checked.quota is not None
    assert (checked.quota.used, checked.quota.limit) == (0, 250)


async def test_a_second_login_renews_the_token_and_keeps_the_personas(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    first = await logged_in(settings, user, "bea.again", "acct-c")
    _, token = await in_force(settings, first.account_id)
    second = await logged_in(settings, user, "bea.again")
    record, newer = await in_force(settings, first.account_id)
    assert (second.account_id, record.persona_ids) == (first.account_id, ("acct-c",))
    assert newer != token


async def test_a_persona_has_one_account_on_a_platform_and_an_account_one_tenant(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    first = await logged_in(settings, user, "cyd.first", "acct-d")
    with pytest.raises(AccountError, match=f"publishes with account {first.account_id}"):
        await logged_in(settings, user, "cyd.second", "acct-d")
    with pytest.raises(AccountError, match="belongs to one tenant, these personas are of several"):
        await logged_in(settings, user, "cyd.second", "acct-e", "acct-other")
    with pytest.raises(AccountError, match="belongs to tenant default, the personas to others"):
        await logged_in(settings, user, "cyd.first", "acct-other")
    with pytest.raises(AccountError, match="'acct-nobody' is not in force"):
        await logged_in(settings, user, "cyd.second", "acct-nobody")
    with pytest.raises(AccountError, match="name the personas"):
        await logged_in(settings, user, "cyd.second")
    async with open_accounts(settings) as accounts:
        await remove_account(accounts, first.account_id, utc_now())
        assert accounts.directory.of_persona("acct-d").account_id == "simulated-acct-d"
    second = await logged_in(settings, user, "cyd.second", "acct-d")
    async with open_accounts(settings) as accounts:
        assert accounts.directory.of_persona("acct-d").account_id == second.account_id
        await remove_account(accounts, second.account_id, utc_now())


async def test_a_code_that_is_used_or_expired_says_to_log_in_again(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    redirect_url = "http://127.0.0.1:9/threads"
    async with PlatformHttp(DEADLINE_S) as http, httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as browser:
        oauth = threads_oauth(settings, http)

        async def code() -> str:
            sent = await browser.get(oauth.authorize_url(simulator.api, redirect_url, "s"))
            return str(httpx.URL(sent.headers["location"]).params["code"])

        used, late = await code(), await code()
        assert (await oauth.grant_for_code(simulator.api, redirect_url, used)).username == "simulated"
        at_simulator(settings.home, "UPDATE codes SET made_ms = made_ms - ? WHERE code = ?", 2 * 3_600_000, late)
        for each in (used, late, "no-code-at-all"):
            with pytest.raises(Refused, match=r"used or has expired.*accounts add threads` again") as refused:
                await oauth.grant_for_code(simulator.api, redirect_url, each)
            assert each not in str(refused.value)
            assert APP_SECRET not in str(refused.value)


async def test_a_token_is_refreshed_ahead_of_its_end_once_and_the_old_one_stays_good(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await aged(settings, await logged_in(settings, user, "refreshed", "acct-f"), ends_in=10 * DAY)
    _, token = await in_force(settings, record.account_id)
    now = utc_now()
    (written,) = await one_round(settings, now, record.account_id)
    assert written.token_refreshed_at == now
    assert written.token_expires_at is not None
    assert written.token_expires_at > now + 59 * DAY
    found, newer = await in_force(settings, record.account_id)
    assert found == written
    assert newer != token
    assert await one_round(settings, utc_now(), record.account_id) == []
    async with PlatformHttp(DEADLINE_S) as http:
        for each in (token, newer):
            assert (await threads_oauth(settings, http).grant(simulator.api, each, None)).username == "refreshed"


async def test_two_who_refresh_at_once_lose_no_token(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await aged(settings, await logged_in(settings, user, "refreshed", "acct-g"), ends_in=10 * DAY)
    now = utc_now()
    await asyncio.gather(*(one_round(settings, now + timedelta(seconds=n), record.account_id) for n in range(3)))
    found, token = await in_force(settings, record.account_id)
    assert found.state == "active"
    assert found.token_expires_at is not None
    assert found.token_expires_at > now + 59 * DAY
    async with PlatformHttp(DEADLINE_S) as http:
        assert (await threads_oauth(settings, http).grant(simulator.api, token, None)).username == "refreshed"


async def test_a_platform_that_is_away_leaves_the_token_for_the_next_round(
    settings: Settings, simulator: RunningSimulator, user: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    record = await aged(settings, await logged_in(settings, user, "refreshed", "acct-h"), ends_in=10 * DAY)
    simulator.faults("500")
    try:
        with caplog.at_level(logging.WARNING):
            assert await one_round(settings, utc_now(), record.account_id) == []
    finally:
        simulator.no_faults()
    assert f"The token of account {record.account_id} is not refreshed yet" in caplog.text
    assert len(await one_round(settings, utc_now(), record.account_id)) == 1


async def test_a_revoked_token_is_told_and_is_taken_up_again_when_it_is_good(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await aged(settings, await logged_in(settings, user, "revoked", "acct-i"), ends_in=10 * DAY)
    simulator.control("tokens", {"user": "revoked", "change": "revoke"})
    (rejected,) = await one_round(settings, utc_now(), record.account_id)
    assert rejected.state == "token_rejected"
    assert "add the account again" in str(rejected.reason)
    async with open_accounts(settings) as accounts:
        with pytest.raises(NoAccount, match="token_rejected"):
            accounts.directory.of_persona("acct-i")
        (checked,) = await check_accounts(accounts, [rejected], utc_now())
        assert "add the account again" in str(checked.problem)
        simulator.control("tokens", {"user": "revoked", "change": "restore"})
        (good,) = await check_accounts(accounts, [checked.record], utc_now())
        assert (good.problem, good.record.state, good.record.reason) == (None, "active", None)
        assert accounts.directory.of_persona("acct-i").account_id == record.account_id
        await remove_account(accounts, record.account_id, utc_now())


async def test_a_token_whose_time_is_over_is_told_without_a_call(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await aged(settings, await logged_in(settings, user, "over", "acct-j"), ends_in=-DAY)
    (ended,) = await one_round(settings, utc_now(), record.account_id)
    assert (ended.state, ended.token_cipher) == ("token_rejected", record.token_cipher)
    assert "the token ended" in str(ended.reason)
    async with open_accounts(settings) as accounts:
        by_hand = await refresh_by_hand(accounts, ended, utc_now(), lift=True)
        assert not by_hand.is_well
        await remove_account(accounts, record.account_id, utc_now())


async def test_what_a_missing_permission_blocks_is_said_by_name(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await logged_in(settings, user, "scoped", "acct-k")
    async with open_accounts(settings) as accounts:
        scopes = [each for each in record.scopes if each != "threads_manage_insights"]
        simulator.control("tokens", {"user": "scoped", "change": "scopes", "scopes": scopes})
        (checked,) = await check_accounts(accounts, [record], utc_now())
        assert checked.problem is None
        assert "insights" in checked.missing["threads_manage_insights"]
        assert set(checked.record.scopes) == set(scopes)
        simulator.control("tokens", {"user": "scoped", "change": "scopes", "scopes": ["threads_basic"]})
        (blocked,) = await check_accounts(accounts, [checked.record], utc_now())
        assert "nothing can be published: grant threads_content_publish" in str(blocked.problem)
        await remove_account(accounts, record.account_id, utc_now())


async def test_a_round_writes_again_what_a_writer_took_away_who_knew_of_no_newer_token(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await logged_in(settings, user, "overruled", "acct-e")
    _, token = await in_force(settings, record.account_id)
    old = replace(record, token_refreshed_at=utc_now() - 2 * DAY)
    async with open_accounts(settings) as accounts:
        await accounts.write(with_state(old, "token_rejected", "the older one was revoked", utc_now()))
        (again,) = [
            each
            for each in await refresh_due(accounts.directory, accounts.producer, utc_now(), settings)
            if each.account_id == record.account_id
        ]
        assert (again.token_cipher, again.state) == (record.token_cipher, "active")
    assert await in_force(settings, record.account_id) == (again, token)


async def test_a_token_for_an_hour_is_exchanged_for_one_of_60_days(
    settings: Settings, simulator: RunningSimulator
) -> None:
    redirect_url = "http://127.0.0.1:9/threads"
    async with PlatformHttp(DEADLINE_S) as http, httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as browser:
        oauth = threads_oauth(settings, http)
        sent = await browser.get(oauth.authorize_url(simulator.api, redirect_url, "s"))
        form = {
            "client_id": "simulated",
            "client_secret": APP_SECRET,
            "grant_type": "authorization_code",
            "redirect_uri": redirect_url,
            "code": httpx.URL(sent.headers["location"]).params["code"],
        }
        short = str((await http.post_form(f"{simulator.url}/oauth/access_token", form))["access_token"])
        grant = await oauth.grant(simulator.api, short, None)
    assert grant.token != short
    assert grant.expires_at is not None
    assert grant.expires_at > utc_now() + 59 * DAY


async def test_a_restriction_stays_until_a_person_takes_the_account_up_again(
    settings: Settings, simulator: RunningSimulator
) -> None:
    async with open_accounts(settings) as accounts:
        found = accounts.directory.find("simulated-acct-l")
        assert found is not None
        restricted = with_state(found, "restricted", "by the platform", utc_now())
        await accounts.write(restricted)
        (checked,) = await check_accounts(accounts, [restricted], utc_now())
        assert checked.record.state == "restricted"
        unnamed = await refresh_by_hand(accounts, restricted, utc_now(), lift=False)
        assert unnamed.record.state == "restricted"
        named = await refresh_by_hand(accounts, restricted, utc_now(), lift=True)
        assert (named.record.state, named.is_well) == ("active", True)
        assert accounts.directory.of_persona("acct-l").account_id == "simulated-acct-l"


async def test_after_a_change_of_keys_a_round_seals_all_with_the_new_one(
    settings: Settings, simulator: RunningSimulator, user: list[str]
) -> None:
    record = await logged_in(settings, user, "rotated", "acct-m")
    _, token = await in_force(settings, record.account_id)
    rotated = settings.having(
        settings.of(AccountSettings).model_copy(
            update={
                "accounts_key": SecretStr(OLD_KEY.decode()),
                "accounts_old_keys": settings.of(AccountSettings).accounts_key,
            }
        )
    )
    (sealed,) = await one_round(rotated, utc_now(), record.account_id)
    assert sealed.key_id == Vault(OLD_KEY).key_id != record.key_id
    assert await in_force(rotated, record.account_id) == (sealed, token)
    with pytest.raises(NoAccount, match="THREADS_ACCOUNTS_OLD_KEYS"):
        await in_force(settings, record.account_id)
    async with open_accounts(rotated) as accounts:
        await remove_account(accounts, record.account_id, utc_now())


async def test_an_answer_that_echoes_the_token_or_never_comes_tells_nothing_of_it() -> None:
    token = "canary-token-in-an-echo"

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"error": {"message": f"Malformed access token {asked.decode()}", "code": 190}}).encode()
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        if b"/slow" not in asked:
            writer.write(head.encode() + body)
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, PlatformHttp(0.5) as http:
        with pytest.raises(TokenRejected, match="Malformed") as rejected:
            await http.get(url, {"access_token": token}, bearer=token)
        with pytest.raises(PlatformAway, match=r"did not answer within 0\.5 s") as slow:
            await http.get(f"{url}/slow", {"access_token": token}, bearer=token)
    with pytest.raises(PlatformAway, match="can't be reached") as gone:
        async with PlatformHttp(DEADLINE_S) as http:
            await http.get(url, {"access_token": token})
    for each in (rejected, slow, gone):
        assert token not in "".join(traceback.format_exception(each.value))


class Shell:
    """Commands run as a person does, whatever they print kept."""

    def __init__(self, environment: dict[str, str], logged: pytest.LogCaptureFixture) -> None:
        self._environment = environment
        self.logged = logged
        self.printed = ""

    def run(self, *arguments: str, status: int = 0, typed: str | None = None) -> Result:
        current_settings.cache_clear()
        done = CliRunner().invoke(main, list(arguments), input=typed, env={**self._environment, "COLUMNS": "80"})
        self.printed += done.output + repr(done.exception)
        assert done.exit_code == status, done.output
        return done

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status).stdout)


@pytest.fixture
def shell(settings: Settings, simulator: RunningSimulator, caplog: pytest.LogCaptureFixture) -> Iterator[Shell]:
    caplog.set_level(logging.DEBUG)
    yield Shell(
        {
            "THREADS_HOME": str(settings.home),
            "THREADS_KAFKA": str(settings.kafka),
            "THREADS_ACCOUNTS_KEY": KEY,
            "THREADS_REDIRECT_URL": "http://127.0.0.1:0/threads",
            "THREADS_APP_SECRET": APP_SECRET,
            "THREADS_LOG_LEVEL": "debug",
        },
        caplog,
    )
    current_settings.cache_clear()


def test_no_command_tells_a_token_whatever_goes_wrong(
    shell: Shell, simulator: RunningSimulator, settings: Settings, tmp_path: Path, user: list[str]
) -> None:
    user[0] = "shell.user"
    shell.run("accounts", "add", "threads", "--persona", "acct-n")
    account_id = account_id_of("threads", simulator.api, simulated_user_id("shell.user"), simulated=True)
    _, token = asyncio.run(in_force(settings, account_id))
    file = tmp_path / "token"
    file.write_text(f"{token}\n")

    added = shell.json("accounts", "add", "threads", "--persona", "acct-n", "--token-file", str(file))
    assert (added["account_id"], added["username"], added["state"]) == (account_id, "shell.user", "active")
    assert shell.run("accounts", "add", "threads", "--token-file", "-", typed=f"{token}\n").exit_code == 0
    listed = {each["account_id"]: each for each in shell.json("accounts", "list")}
    assert 59 < listed[account_id]["token_days_left"] <= 60
    table = shell.run("accounts", "list").stdout
    assert account_id in table
    assert max(map(len, table.splitlines())) <= 80
    (checked,) = shell.json("accounts", "check", account_id)
    assert (checked["ok"], checked["quota_limit"]) == (True, 250)
    assert "yes" in shell.run("accounts", "check", account_id).stdout
    (refreshed,) = shell.json("accounts", "refresh", account_id)
    assert "refreshed from an age of 24 h on" in refreshed["outcome"]

    simulator.control("tokens", {"user": "shell.user", "change": "revoke"})
    (revoked,) = shell.json("accounts", "check", account_id, status=1)
    assert "expired or revoked" in revoked["problem"] or "add the account again" in revoked["problem"]
    shell.run("accounts", "refresh", account_id, status=1)
    for wrong in (
        ("accounts", "add", "threads", "--token-file", str(file)),
        ("accounts", "add", "threads", "--token-file", str(tmp_path / "none")),
        ("accounts", "add", "threads", "--persona", "acct-nobody", "--token-file", str(file)),
        ("accounts", "add", "mastodon", "--persona", "acct-n"),
        ("accounts", "add", "mastodon", "--persona", "acct-n", "--base-url", "http://x.example"),
        ("accounts", "add", "bluesky", "--persona", "acct-n", "--token-file", str(file)),
        ("accounts", "remove", "acc_none"),
        ("accounts", "check", "acc_none"),
    ):
        current_settings.cache_clear()
        done = CliRunner().invoke(main, list(wrong), env=shell._environment)
        assert isinstance(done.exception, ThreadsError), wrong  # at this log level it is raised, with its traceback
        shell.printed += done.output + "".join(traceback.format_exception(done.exception))
    shell.run("accounts", "remove", account_id)
    assert account_id not in {each["account_id"] for each in shell.json("accounts", "list")}
    gone = {each["account_id"]: each for each in shell.json("accounts", "list", "--all")}[account_id]
    assert (gone["state"], gone["key_id"]) == ("removed", None)

    for secret in (token, APP_SECRET, KEY):
        assert secret not in shell.printed
        assert not [each for each in shell.logged.records if secret in each.getMessage() and each.name != OF_SIMULATOR]
    log = b"".join(each.read_bytes() for each in settings.home.rglob("*.log"))
    assert token.encode() not in log


def test_the_token_of_the_environment_is_taken(shell: Shell, settings: Settings, simulator: RunningSimulator) -> None:
    shell._environment["THREADS_ACCOUNT_TOKEN"] = "SIMULATED-from.environment"
    added = shell.json("accounts", "add", "threads", "--persona", "acct-o")
    assert added["username"] == "from.environment"
    del shell._environment["THREADS_ACCOUNT_TOKEN"]
    shell.run("accounts", "remove", added["account_id"])


@pytest.mark.parametrize("platform", ["bluesky", "mastodon"])
def test_an_account_that_was_added_publishes_and_a_check_says_so(
    shell: Shell, settings: Settings, tmp_path: Path, platform: str
) -> None:
    file = tmp_path / "token"
    with bluesky_server() as (bluesky, bluesky_url), mastodon_server() as (mastodon, mastodon_url):
        user = bluesky.add("shell") if platform == "bluesky" else mastodon.add("shell")
        base_url = bluesky_url if platform == "bluesky" else mastodon_url
        token = user.password if isinstance(user, BlueskyUser) else user.token
        file.write_text(f"{token}\n", encoding="utf-8")
        named = ("--username", user.handle) if isinstance(user, BlueskyUser) else ()
        added = shell.json(
            *("accounts", "add", platform, "--persona", "acct-p", "--base-url", base_url, "--token-file", str(file)),
            *named,
        )
        account_id = added["account_id"]
        (checked,) = shell.json("accounts", "check", account_id)
        assert (checked["ok"], checked["quota_used"]) == (True, None)
        assert asyncio.run(posted_with(settings, account_id)) == [POSTED]
        truth = bluesky.truth(user.did) if isinstance(user, BlueskyUser) else mastodon.truth(user.account_id)
        assert [each.text for each in truth] == [POSTED]
        if isinstance(user, BlueskyUser):
            bluesky.revoke(user.did)
        else:
            mastodon.revoke(user.account_id)
        (revoked,) = shell.json("accounts", "check", account_id, status=1)
        assert "add the account again" in revoked["problem"]
        shell.run("accounts", "remove", account_id)
        assert token not in shell.printed


async def posted_with(settings: Settings, account_id: str) -> list[str]:
    """Post with an account of the topic, and return the texts that the platform lists."""
    async with open_accounts(settings) as accounts:
        account = accounts.directory.account(account_id)
    platforms = clients(settings)
    try:
        platform, outgoing = platforms[account.platform], Outgoing("k", POSTED)
        await platform.publish(account, outgoing, await platform.create_container(account, outgoing))
        return [each.text or "" for each in await platform.posts(account, utc_now() - DAY)]
    finally:
        for each in platforms.values():
            await each.close()
