"""What the platform has not: its truth told whole, and faults and events on demand. On loopback only, for everyone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from agents.simulator.calls import Endpoint, answered, encodable, json_object
from agents.simulator.control_bodies import (
    AskedFaults,
    AskedTruth,
    AskedWebhooks,
    Body,
    Engagement,
    Failure,
    Following,
    Nothing,
    Reply,
    Restriction,
    TokenChange,
)
from agents.simulator.faults import FAULTS, Faults, Wanted
from agents.simulator.graph_errors import GraphError, not_there, parameter
from agents.simulator.insights import CLICKS, Insights
from agents.simulator.media import permalink
from agents.simulator.publishing import Publishing
from agents.simulator.tokens import Tokens
from agents.simulator.truth import Row
from agents.simulator.webhooks import Subscription, Webhooks
from agents.simulator.world import World, exact_time

RESTRICTED = "4279013"
Path = Mapping[str, str]
Given = TypeVar("Given", bound=Body)


class ControlRoutes:
    """What each of them does; bodies are JSON objects."""

    def __init__(
        self,
        world: World,
        tokens: Tokens,
        publishing: Publishing,
        insights: Insights,
        *,
        faults: Faults,
        webhooks: Webhooks,
    ) -> None:
        self._world = world
        self._truth = world.truth
        self._tokens = tokens
        self._publishing = publishing
        self._insights = insights
        self._faults = faults
        self._webhooks = webhooks

    def router(self) -> APIRouter:
        """Return all of them."""
        router = APIRouter()
        for method, path, endpoint in (
            ("GET", "/truth", _endpoint(self.truth, AskedTruth)),
            ("GET", "/control/faults", _endpoint(self.pending_faults, Nothing)),
            ("POST", "/control/faults", _endpoint(self.ask_faults, AskedFaults)),
            ("DELETE", "/control/faults", _endpoint(self.clear_faults, Nothing)),
            ("POST", "/control/tokens", _endpoint(self.change_tokens, TokenChange)),
            ("POST", "/control/posts/{post_id}/delete", _endpoint(self.delete, Nothing)),
            ("POST", "/control/posts/{post_id}/reply", _endpoint(self.reply, Reply)),
            ("POST", "/control/posts/{post_id}/engage", _endpoint(self.engage, Engagement)),
            ("POST", "/control/users/{user}/restrict", _endpoint(self.restrict, Restriction)),
            ("POST", "/control/users/{user}/follow", _endpoint(self.follow, Following)),
            ("POST", "/control/containers/{container_id}/fail", _endpoint(self.fail_container, Failure)),
            ("POST", "/control/webhooks", _endpoint(self.subscribe, AskedWebhooks)),
            ("DELETE", "/control/webhooks", _endpoint(self.unsubscribe, Nothing)),
        ):
            router.add_api_route(path, endpoint, methods=[method])
        return router

    def truth(self, _: Path, body: AskedTruth) -> Any:  # noqa: ANN401 - JSON, here and below
        """Return everything there is, of one user where the query names one."""
        user = self._user(body.user) if body.user else None
        user_id = None if user is None else user["user_id"]
        users = [user] if user is not None else self._truth.all("users")
        return {
            "simulated": True,
            "now": exact_time(self._world.now_ms()),
            "users": [self._shown_user(each) for each in users],
            "posts": [self._shown_post(each) for each in self._truth.all("posts", user_id=user_id)],
            "containers": [self._shown_container(each) for each in self._truth.all("containers", user_id=user_id)],
            "calls": self._calls(),
            "faults": {row["name"]: row["number"] for row in self._truth.all("faults")},
            "pending_faults": self._faults.pending(),
            "webhooks": {"delivered": self._webhooks.delivered, "failed": self._webhooks.failed},
        }

    def pending_faults(self, _: Path, __: Nothing) -> Any:  # noqa: ANN401
        """Return what goes wrong, and what could."""
        return {**self._faults.pending(), "possible": list(FAULTS)}

    def ask_faults(self, _: Path, body: AskedFaults) -> Any:  # noqa: ANN401
        """Let things go wrong."""
        wanted = [Wanted(each) if isinstance(each, str) else Wanted(**each.model_dump()) for each in body.next]
        self._faults.ask(wanted, body.rates)
        return self._faults.pending()

    def clear_faults(self, _: Path, __: Nothing) -> Any:  # noqa: ANN401
        """Let nothing go wrong any more."""
        self._faults.clear()
        return self._faults.pending()

    def change_tokens(self, _: Path, body: TokenChange) -> Any:  # noqa: ANN401
        """Revoke, restore or expire tokens, or set their scopes."""
        whose = body.token or self._user(str(body.user))["user_id"]
        return {"changed": self._tokens.change(whose, body.change, body.scopes)}

    def delete(self, path: Path, _: Nothing) -> Any:  # noqa: ANN401
        """Delete a post, as its owner does in the app; no quota counts it."""
        post = self._post(path["post_id"])
        if self._publishing.remove(post["post_id"], "control"):
            self._webhooks.deleted(post)
        return {"deleted_id": post["post_id"]}

    def reply(self, path: Path, body: Reply) -> Any:  # noqa: ANN401
        """Let a reader reply to a post."""
        reader = self._tokens.user(body.username)
        post_id = self._publishing.answer(reader["user_id"], path["post_id"], body.text)
        self._webhooks.replied(self._post(post_id))
        return {"id": post_id}

    def engage(self, path: Path, body: Engagement) -> Any:  # noqa: ANN401
        """Add to totals of a post, or take from them."""
        post_id = self._post(path["post_id"])["post_id"]
        for metric, amount in body.model_dump(exclude={CLICKS}).items():
            if amount:
                self._insights.correct(post_id, metric, amount)
        for link, amount in body.clicks.items():
            self._insights.correct(post_id, CLICKS, amount, link)
        return self._shown_post(self._post(post_id))

    def restrict(self, path: Path, body: Restriction) -> Any:  # noqa: ANN401
        """Restrict an account, or lift that."""
        user = self._user(path["user"])
        subcode = (RESTRICTED if body.restricted is True else body.restricted) or None
        self._truth.run("restrict", user_id=user["user_id"], restricted=subcode)
        return self._shown_user(self._user(user["user_id"]))

    def follow(self, path: Path, body: Following) -> Any:  # noqa: ANN401
        """Add followers who came for no post, or take them."""
        user = self._user(path["user"])
        self._truth.run("add_followers", user_id=user["user_id"], number=body.followers)
        return self._shown_user(self._user(user["user_id"]))

    def fail_container(self, path: Path, body: Failure) -> Any:  # noqa: ANN401
        """Let a container that was not published become ERROR."""
        if not self._truth.run("fail_container", container_id=path["container_id"], error=body.message):
            raise not_there(path["container_id"])
        return self._shown_container(self._truth.all("container", container_id=path["container_id"])[0])

    def subscribe(self, _: Path, body: AskedWebhooks) -> Any:  # noqa: ANN401
        """Post webhooks to an address from now on."""
        self._webhooks.subscribe(Subscription(body.url, body.verify_token))
        return {"url": body.url}

    def unsubscribe(self, _: Path, __: Nothing) -> Any:  # noqa: ANN401
        """Post no webhooks any more."""
        self._webhooks.subscribe(None)
        return {"url": None}

    def _user(self, named: str) -> Row:
        return self._truth.one("user", user=named) or self._tokens.user(named)

    def _post(self, post_id: str) -> Row:
        post = self._truth.one("post", post_id=post_id)
        if post is None:
            raise not_there(post_id)
        return post

    def _calls(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for row in self._truth.all("calls"):
            found.setdefault(row["user_id"], {})[row["route"]] = row["number"]
        return found

    def _shown_user(self, user: Row) -> dict[str, Any]:
        return {
            "id": user["user_id"],
            "username": user["username"],
            "restricted": user["restricted"],
            "followers": self._insights.followers(user),
            "quota": self._publishing.usage(user["user_id"]),
        }

    def _shown_post(self, post: Row) -> dict[str, Any]:
        return {
            "id": post["post_id"],
            "user_id": post["user_id"],
            "username": post["username"],
            "container_id": post["container_id"],
            "text": post["text"],
            "reply_to": post["reply_to"],
            "root": post["root"],
            "reply_control": post["reply_control"],
            "link_attachment": post["link"],
            "links": json.loads(post["links"]),
            "topic_tag": post["topic_tag"],
            "permalink": permalink(post),
            "published_at": exact_time(post["published_ms"]),
            "deleted_at": None if post["deleted_ms"] is None else exact_time(post["deleted_ms"]),
            "totals": self._insights.totals(post),
            "clicks": self._insights.clicks(post),
            "follows": self._insights.follows(post),
        }

    def _shown_container(self, container: Row) -> dict[str, Any]:
        return {
            "id": container["container_id"],
            "user_id": container["user_id"],
            "text": container["text"],
            "reply_to": container["reply_to"],
            "status": self._publishing.status(container),
            "error": container["error"],
            "post_id": container["post_id"],
            "made_at": exact_time(container["made_ms"]),
        }


def _endpoint(act: Callable[[Path, Given], Any], kind: type[Given]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            given = json_object(await request.body()) if request.method == "POST" else dict(request.query_params)
            return answered(act(request.path_params, _checked(kind, given)))
        except GraphError as error:
            return answered(error.body(), error.status)

    return endpoint


def _checked(kind: type[Given], given: Mapping[str, Any]) -> Given:
    try:
        encodable(json.dumps(given, ensure_ascii=False))
        return kind.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors())
        raise parameter(wrong) from error
