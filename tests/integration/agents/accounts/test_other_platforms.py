"""App passwords of Bluesky and access tokens of Mastodon: whose they are, what they may do, and what is kept open."""

from __future__ import annotations

import traceback

import pytest

from agents.accounts.permissions import missing_permissions
from agents.accounts.platform_http import PlatformHttp
from agents.accounts.token_sources import AccountError, BlueskyPasswords, Grant, MastodonTokens
from agents.platforms.contract import PlatformAway, Refused, TokenRejected
from tests.support.other_platforms import APP_PASSWORD, DID, HANDLE, MASTODON_TOKEN, other_platforms

TIMEOUT_S = 60.0


async def test_an_app_password_is_looked_at_with_a_session_that_is_ended() -> None:
    async with other_platforms() as there, PlatformHttp(TIMEOUT_S) as http:
        grant = await BlueskyPasswords(http).grant(there.url, APP_PASSWORD, HANDLE)
        assert grant == Grant(APP_PASSWORD, DID, HANDLE)
        assert there.ended == ["Bearer refresh"]


async def test_a_wrong_app_password_says_what_to_do_and_is_not_told() -> None:
    wrong = APP_PASSWORD[::-1]
    async with other_platforms() as there, PlatformHttp(TIMEOUT_S) as http:
        with pytest.raises(TokenRejected, match="add the account again") as refused:
            await BlueskyPasswords(http).grant(there.url, wrong, HANDLE)
        assert wrong not in "".join(traceback.format_exception(refused.value))
        with pytest.raises(AccountError, match="--username"):
            await BlueskyPasswords(http).grant(there.url, APP_PASSWORD, None)
        with pytest.raises(Refused, match="not renewed"):
            await BlueskyPasswords(http).renewed(there.url, APP_PASSWORD)


async def test_a_token_of_mastodon_says_whose_it_is_and_what_it_may() -> None:
    async with other_platforms() as there, PlatformHttp(TIMEOUT_S) as http:
        grant = await MastodonTokens(http).grant(there.url, MASTODON_TOKEN, None)
        assert (grant.user_id, grant.username, grant.scopes) == ("14715", "ada", ("read", "write"))
        there.scopes = None  # as servers before 4.3 answer
        older = await MastodonTokens(http).grant(there.url, MASTODON_TOKEN, None)
        assert missing_permissions("mastodon", older.scopes) == {}
        with pytest.raises(TokenRejected, match="The access token is invalid"):
            await MastodonTokens(http).grant(there.url, "another", None)


async def test_an_address_that_is_no_platforms_says_so() -> None:
    async with other_platforms() as there, PlatformHttp(TIMEOUT_S) as http:
        with pytest.raises(Refused, match="status 404"):
            await MastodonTokens(http).grant(f"{there.url}/elsewhere", MASTODON_TOKEN, None)
    async with PlatformHttp(TIMEOUT_S) as http:
        with pytest.raises(PlatformAway, match="can't be reached"):
            await MastodonTokens(http).grant(there.url, MASTODON_TOKEN, None)
