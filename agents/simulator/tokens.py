"""Who calls: users, their tokens with scopes and ends, and the OAuth exchanges they come from."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from agents.platforms.threads_ids import simulated_user_id
from agents.simulator.graph_errors import GraphError, parameter, permission_missing, token_invalid
from agents.simulator.truth import Row
from agents.simulator.world import DAY_MS, HOUR_MS, Params, World

PREFIX = "SIMULATED-"  # of the token of a persona's simulated account, whose user is made at first sight
SCOPES = (
    "threads_basic",
    "threads_content_publish",
    "threads_delete",
    "threads_manage_insights",
    "threads_manage_mentions",
    "threads_manage_replies",
    "threads_read_replies",
    "threads_keyword_search",
)
SHORT_MS = HOUR_MS
LONG_MS = 60 * DAY_MS
LEAST_AGE_MS = DAY_MS  # of a token that is refreshed
GRANT_MS = 90 * DAY_MS
CODE_MS = HOUR_MS
EXPIRED, REVOKED = 463, 458
MOST_FOLLOWERS = 5_000  # that a user begins with
_USERNAME = re.compile(r"[\w.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which permissions; `restricted` is the subcode of the restriction, if any."""

    user_id: str
    username: str
    scopes: frozenset[str]
    restricted: str | None


class Tokens:
    """Tokens of all users; those of simulated accounts have every scope and no end, for nobody could refresh them."""

    def __init__(self, world: World, app_secret: str | None) -> None:
        self._world = world
        self._truth = world.truth
        self._app_secret = app_secret

    def caller(self, token: str | None) -> Caller:
        """Return who a token belongs to.

        Raises:
            GraphError: there is none (104), or it is unknown, expired or revoked (190).
        """
        row = self._row(token)
        self._check(row)
        return Caller(row["user_id"], row["username"], frozenset(row["scopes"].split(",")), row["restricted"])

    def user(self, username: str) -> Row:
        """Return a user, who is made at first sight.

        Raises:
            GraphError: no user can be named so.
        """
        found = self._truth.one("user", user=username)
        if found is not None:
            return found
        if not _USERNAME.fullmatch(username):
            raise parameter(f"No user can be named {username!r}")
        user_id = simulated_user_id(username)
        followers = int(MOST_FOLLOWERS * self._world.chance("followers", user_id))
        self._truth.run(
            "add_user", user_id=user_id, username=username, followers=followers, made_ms=self._world.now_ms()
        )
        made = self._truth.one("user", user=user_id)
        assert made is not None
        return made

    def authorize(self, params: Params) -> tuple[str, str]:
        """Return a code for `simulated_user` (or the user `simulated`), and where to send it."""
        redirect_uri = params.get("redirect_uri", "")
        if not params.get("client_id") or not redirect_uri.startswith(("http://", "https://")):
            raise parameter("Params client_id and redirect_uri are required")
        if params.get("response_type") != "code":
            raise parameter("Param response_type must be code")
        scopes = [each for each in re.split(r"[ ,]+", params.get("scope", "")) if each]
        if "threads_basic" not in scopes:
            raise parameter("Param scope must include threads_basic")
        code = secrets.token_urlsafe(32)
        self._truth.run(
            "add_code",
            code=code,
            user_id=self.user(params.get("simulated_user", "simulated"))["user_id"],
            client_id=params["client_id"],
            redirect_uri=redirect_uri,
            scopes=",".join(_known(scopes)),
            made_ms=self._world.now_ms(),
        )
        return code, redirect_uri

    def exchange_code(self, params: Params) -> dict[str, object]:
        """Return a short-lived token for a code, which is good once.

        Raises:
            GraphError: something of it does not fit.
        """
        if params.get("grant_type") != "authorization_code":
            raise parameter("Param grant_type must be authorization_code")
        self._check_secret(params)
        code = params.get("code", "").removesuffix("#_")
        found = self._truth.one("take_code", code=code)
        if found is None or found["made_ms"] + CODE_MS < self._world.now_ms():
            raise parameter("This authorization code has been used or has expired")
        if found["redirect_uri"] != params.get("redirect_uri") or found["client_id"] != params.get("client_id"):
            raise parameter(
                "Error validating verification code: redirect_uri is not identical to the authorize request's"
            )
        token = self._issue(found["user_id"], "short", found["scopes"].split(","))
        return {"access_token": token, "user_id": int(found["user_id"])}  # a number, as the platform answers it

    def exchange_token(self, params: Params) -> dict[str, object]:
        """Return a long-lived token for a short-lived one.

        Raises:
            GraphError: it is not that, or the secret is not the app's.
        """
        if params.get("grant_type") != "th_exchange_token":
            raise parameter("Param grant_type must be th_exchange_token")
        self._check_secret(params)
        row = self._row(params.get("access_token"))
        self._check(row)
        if row["kind"] != "short":
            raise parameter("Only short-lived tokens can be exchanged")
        return self._long(row)

    def refresh(self, params: Params) -> dict[str, object]:
        """Return a new long-lived token for one that is at least a day old and not expired.

        Raises:
            GraphError: it is not that.
        """
        if params.get("grant_type") != "th_refresh_token":
            raise parameter("Param grant_type must be th_refresh_token")
        row = self._row(params.get("access_token"))
        self._check(row)
        if row["kind"] == "short":
            raise parameter("Only long-lived tokens can be refreshed")
        if row["issued_ms"] + LEAST_AGE_MS > self._world.now_ms():
            raise parameter("The token can't be refreshed yet: it must be at least 24 hours old")
        if row["kind"] == "simulated":
            return {"access_token": row["token"], "token_type": "bearer", "expires_in": LONG_MS // 1000}
        return self._long(row)

    def debug(self, params: Params) -> dict[str, object]:
        """Return what is known of a token: scopes, ends, whether it is good."""
        self.caller(params.get("access_token"))
        row = self._row(params.get("input_token"))
        error = self._fault(row)
        expires_ms = row["expires_ms"] or 0
        data: dict[str, object] = {
            "type": "USER",
            "application": "simulated",
            "data_access_expires_at": (row["issued_ms"] + GRANT_MS) // 1000,
            "expires_at": expires_ms // 1000,
            "is_valid": error is None,
            "issued_at": row["issued_ms"] // 1000,
            "scopes": row["scopes"].split(","),
            "user_id": row["user_id"],
        }
        return {"data": data}

    def change(self, user_or_token: str, change: str, scopes: Iterable[str] = ()) -> int:
        """Revoke, restore or expire a token or all of a user, or set scopes; return how many were changed."""
        if user_or_token.startswith(PREFIX):
            self._row(user_or_token)  # made, if it was never seen
        now_ms, changed = self._world.now_ms(), 0
        user = self._truth.one("user", user=user_or_token)
        if user is not None:
            self._row(PREFIX + user["username"])
        for row in self._truth.all("tokens"):
            if row["token"] != user_or_token and (user is None or row["user_id"] != user["user_id"]):
                continue
            revoked_ms, expires_ms, of_token = row["revoked_ms"], row["expires_ms"], row["scopes"]
            if change == "revoke":
                revoked_ms = now_ms
            elif change == "restore":
                revoked_ms, expires_ms = None, None if row["kind"] == "simulated" else now_ms + LONG_MS
            elif change == "expire":
                expires_ms = now_ms
            else:
                of_token = ",".join(_known(scopes))
            self._truth.run(
                "change_tokens", token=row["token"], revoked_ms=revoked_ms, expires_ms=expires_ms, scopes=of_token
            )
            changed += 1
        return changed

    def _long(self, row: Row) -> dict[str, object]:
        token = self._issue(row["user_id"], "long", row["scopes"].split(","))
        return {"access_token": token, "token_type": "bearer", "expires_in": LONG_MS // 1000}

    def _issue(self, user_id: str, kind: str, scopes: Iterable[str]) -> str:
        token, now_ms = "THSIM" + secrets.token_urlsafe(40), self._world.now_ms()
        ends_ms = now_ms + (SHORT_MS if kind == "short" else LONG_MS)
        self._add(token, user_id, kind, ",".join(scopes), ends_ms)
        return token

    def _add(self, token: str, user_id: str, kind: str, scopes: str, expires_ms: int | None) -> None:
        self._truth.run(
            "add_token",
            token=token,
            user_id=user_id,
            kind=kind,
            scopes=scopes,
            issued_ms=self._world.now_ms(),
            expires_ms=expires_ms,
        )

    def _row(self, token: str | None) -> Row:
        if not token:
            raise GraphError("An access token is required to request this resource.", 104)
        row = self._truth.one("token", token=token)
        if row is None and token.startswith(PREFIX):
            user = self.user(token.removeprefix(PREFIX))
            self._add(token, user["user_id"], "simulated", ",".join(SCOPES), None)
            row = self._truth.one("token", token=token)
        if row is None:
            raise token_invalid("Invalid OAuth access token - Cannot parse access token")
        return row

    def _check(self, row: Row) -> None:
        error = self._fault(row)
        if error is not None:
            raise error

    def _fault(self, row: Row) -> GraphError | None:
        if row["revoked_ms"] is not None:
            return token_invalid(
                "Error validating access token: The user has not authorized application.", subcode=REVOKED
            )
        if row["expires_ms"] is not None and row["expires_ms"] <= self._world.now_ms():
            return token_invalid("Error validating access token: Session has expired.", subcode=EXPIRED)
        return None

    def _check_secret(self, params: Params) -> None:
        shown = params.get("client_secret", "")
        wrong = self._app_secret is not None and not secrets.compare_digest(shown.encode(), self._app_secret.encode())
        if not shown or wrong:
            raise parameter("Error validating client secret.")


def need(caller: Caller, scope: str) -> None:
    """Check a permission.

    Raises:
        GraphError: the caller lacks it (10).
    """
    if scope not in caller.scopes:
        raise permission_missing(scope)


def _known(scopes: Iterable[str]) -> list[str]:
    return [each for each in SCOPES if each in set(scopes)]
