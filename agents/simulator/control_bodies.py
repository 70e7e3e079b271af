"""What the controls take, checked before anything is done."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.simulator.faults import FAULTS

READER = "simulated-reader"  # who replies where nobody is named
MOST = 10**12
Whole = Annotated[int, Field(strict=True, ge=-MOST, le=MOST)]


class Body(BaseModel):
    """A JSON object without unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Body):
    """No fields at all."""


class AskedTruth(Body):
    """`user`, by id or name: only what is of that one."""

    user: str | None = None


class WantedFault(Body):
    """A fault for the next call that it can befall: of the route `on` and of `user`, where they are named."""

    fault: str
    on: str | None = None
    user: str | None = None


class AskedFaults(Body):
    """`next` is added to what waits; `rates`, shares of calls by fault, take the place of those there are."""

    next: tuple[str | WantedFault, ...] = ()
    rates: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = {each if isinstance(each, str) else each.fault for each in self.next} | set(self.rates or {})
        unknown = sorted(named - set(FAULTS))
        if unknown:
            raise ValueError(f"no fault is named {', '.join(unknown)}; choose from: {', '.join(FAULTS)}")
        return self


class TokenChange(Body):
    """What is done with one token, or all of a user; `scopes` are those that it has from then on."""

    change: Literal["revoke", "restore", "expire", "scopes"]
    user: str | None = None
    token: str | None = None
    scopes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _of_one(self) -> Self:
        if (self.user is None) is (self.token is None):
            raise ValueError("name either a user or a token")
        return self


class Reply(Body):
    """What a reader replies."""

    text: str = "Simulated reply"
    username: str = READER


class Engagement(Body):
    """What is added to totals, or taken from them; clicks by link."""

    views: Whole = 0
    likes: Whole = 0
    replies: Whole = 0
    reposts: Whole = 0
    quotes: Whole = 0
    shares: Whole = 0
    follows: Whole = 0
    clicks: dict[str, Whole] = Field(default_factory=dict)


class Restriction(Body):
    """Whether an account is restricted, or by which subcode."""

    restricted: bool | Literal["4279013", "2207051"] = True


class Following(Body):
    """Followers who came, or went, for no post."""

    followers: Whole


class Failure(Body):
    """Why a container failed."""

    message: str = "The media could not be processed"


class AskedWebhooks(Body):
    """Where webhooks are posted to, and the token of the handshake, without which none is made."""

    url: str = Field(pattern=r"^https?://[^/@\s]+")
    verify_token: str | None = None
