"""The routes of the Threads API, with and without the version, and those of its OAuth."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import RedirectResponse
from yarl import URL

from agents.simulator.calls import Call, Calls
from agents.simulator.graph_errors import media_not_found, not_there
from agents.simulator.media import Media, chosen_quota, shown_container, shown_post
from agents.simulator.publishing import Publishing
from agents.simulator.tokens import Tokens, need
from agents.simulator.webhooks import Webhooks

BASIC, PUBLISHING, DELETE = "threads_basic", "threads_content_publish", "threads_delete"
MANAGE_INSIGHTS, READ_REPLIES, MANAGE_REPLIES = (
    "threads_manage_insights",
    "threads_read_replies",
    "threads_manage_replies",
)
PREFIXES = ("/v1.0", "")


class GraphRoutes:
    """What each route does."""

    def __init__(self, calls: Calls, publishing: Publishing, media: Media, webhooks: Webhooks) -> None:
        self._calls = calls
        self._publishing = publishing
        self._media = media
        self._webhooks = webhooks
        self._insights = calls.insights
        self._truth = calls.world.truth

    def router(self) -> APIRouter:
        """Return all routes."""
        router, graph, tokens = APIRouter(), self._calls.graph, self._calls.tokens
        for prefix in PREFIXES:
            for method, path, endpoint in (
                ("GET", "/{post_id}/insights", graph("insights", MANAGE_INSIGHTS, self.post_insights)),
                ("POST", "/{user_id}/threads", graph("create", PUBLISHING, self.create)),
                ("POST", "/{user_id}/threads_publish", graph("publish", PUBLISHING, self.publish)),
                ("GET", "/{user_id}/threads", graph("threads", BASIC, self.threads)),
                ("GET", "/{thing_id}/replies", graph("replies", READ_REPLIES, self.replies)),
                ("GET", "/{user_id}/threads_insights", graph("threads_insights", MANAGE_INSIGHTS, self.user_insights)),
                ("GET", "/{user_id}/threads_publishing_limit", graph("publishing_limit", PUBLISHING, self.limit)),
                ("GET", "/{post_id}/conversation", graph("conversation", READ_REPLIES, self.conversation)),
            ):
                router.add_api_route(prefix + path, endpoint, methods=[method])
            _add_oauth(router, prefix, self._calls, tokens)
            router.add_api_route(prefix + "/{thing_id}", graph("object", BASIC, self.thing), methods=["GET"])
            router.add_api_route(prefix + "/{post_id}", graph("delete", DELETE, self.delete), methods=["DELETE"])
        return router

    def create(self, call: Call) -> Any:  # noqa: ANN401 - JSON, here and below
        """Make a container, or a post at once."""
        if call.params.get("reply_to_id"):
            need(call.caller, MANAGE_REPLIES)
        made = self._publishing.create(call.caller, call.params, call.fate)
        post = self._truth.one("post", post_id=made)
        if post is not None:
            self._webhooks.published(post)
        return {"id": made}

    def publish(self, call: Call) -> Any:  # noqa: ANN401
        """Make a post of a container."""
        post_id = self._publishing.publish(call.caller, call.params.get("creation_id", ""))
        post = self._media.post(post_id)
        assert post is not None
        self._webhooks.published(post)
        return {"id": post_id}

    def thing(self, call: Call) -> Any:  # noqa: ANN401
        """Return a user, a post or a container, whichever the id is of."""
        thing_id, caller = call.path["thing_id"], call.caller
        if thing_id in ("me", caller.user_id):
            return self._media.profile(self._truth.all("user", user=caller.user_id)[0], call.params)
        container = self._publishing.container(caller, thing_id)
        if container is not None:
            return shown_container(container, self._publishing.status(container), call.params)
        post = self._media.post(thing_id)
        if post is not None:
            return shown_post(post, call.params, caller.user_id)
        if self._truth.one("container", container_id=thing_id) is not None:
            raise media_not_found(thing_id)
        raise not_there(thing_id)

    def delete(self, call: Call) -> Any:  # noqa: ANN401
        """Delete a post."""
        post_id = call.path["post_id"]
        post = self._media.post(post_id)
        self._publishing.delete(call.caller, post_id)
        assert post is not None
        self._webhooks.deleted(post)
        return {"success": True, "deleted_id": post_id}

    def threads(self, call: Call) -> Any:  # noqa: ANN401
        """Return a page of the user's posts."""
        return self._media.page(call.path["user_id"], call, replies=False)

    def replies(self, call: Call) -> Any:  # noqa: ANN401
        """Return a page of the user's replies, or of those to a post itself."""
        thing_id = call.path["thing_id"]
        if thing_id in ("me", call.caller.user_id):
            return self._media.page(call.caller.user_id, call, replies=True)
        return self._conversation(call, thing_id, nested=False)

    def conversation(self, call: Call) -> Any:  # noqa: ANN401
        """Return a page of all replies below a post."""
        return self._conversation(call, call.path["post_id"], nested=True)

    def post_insights(self, call: Call) -> Any:  # noqa: ANN401
        """Return the totals of a post of the caller's."""
        post = self._truth.one("post", post_id=call.path["post_id"])
        if post is None or post["deleted_ms"] is not None or post["user_id"] != call.caller.user_id:
            raise not_there(call.path["post_id"])
        return {"data": self._insights.of_post(post, call.params)}

    def user_insights(self, call: Call) -> Any:  # noqa: ANN401
        """Return the numbers of the caller."""
        user = self._truth.all("user", user=call.caller.user_id)[0]
        return {"data": self._insights.of_user(user, call.params)}

    def limit(self, call: Call) -> Any:  # noqa: ANN401
        """Return the quotas of the caller."""
        return {"data": [chosen_quota(self._publishing.limits(call.caller), call.params)]}

    def _conversation(self, call: Call, post_id: str, *, nested: bool) -> Any:  # noqa: ANN401
        post = self._media.post(post_id)
        if post is None:
            raise not_there(post_id)
        return self._media.conversation(post, call, call.caller.user_id, nested=nested)


def _add_oauth(router: APIRouter, prefix: str, calls: Calls, tokens: Tokens) -> None:
    def authorize(params: dict[str, str]) -> RedirectResponse:
        code, back = tokens.authorize(params)
        state = {"state": params["state"]} if "state" in params else {}
        return RedirectResponse(str(URL(back).update_query(code=code, **state).with_fragment("_")), 302)

    for method, path, endpoint in (
        ("GET", "/oauth/authorize", calls.open("authorize", authorize)),
        ("POST", "/oauth/access_token", calls.open("oauth_access_token", tokens.exchange_code)),
        ("GET", "/access_token", calls.open("access_token", tokens.exchange_token)),
        ("GET", "/refresh_access_token", calls.open("refresh_access_token", tokens.refresh)),
        ("GET", "/debug_token", calls.open("debug_token", tokens.debug)),
    ):
        router.add_api_route(prefix + path, endpoint, methods=[method])
