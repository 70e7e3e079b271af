"""The table of tools: which operation of the HTTP API each is, and what an assistant should know of it."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.types import ToolAnnotations


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: an operation by method and path template. Its arguments are the operation's parameters and body fields.

    `body` names the argument that is the whole body, where it is no object of fields. `checks` says that it changes
    nothing though it is a POST, `destroys` that something is lost by it, `repeats` that calling it again with the same
    arguments does no more than once.
    """

    name: str
    method: str
    path: str
    described: str
    body: str | None = None
    checks: bool = False
    destroys: bool = False
    repeats: bool = False

    @property
    def reads(self) -> bool:
        """Tell whether it changes nothing."""
        return self.method == "GET" or self.checks

    def annotations(self) -> ToolAnnotations:
        """Return the hints for assistants, all of them said."""
        return ToolAnnotations(
            title=self.name.replace("_", " ").capitalize(),
            read_only_hint=self.reads,
            destructive_hint=self.destroys,
            idempotent_hint=self.reads or self.repeats,
            open_world_hint=self.path.startswith("/v1/webhooks") and not self.reads,
        )


TOOLS = (
    Tool("whoami", "GET", "/v1/me", "Tell who the token is taken for: role and tenant."),
    Tool(
        "send_requests",
        "POST",
        "/v1/requests",
        "Ask personas for drafts. Costs money where a provider writes. Give an idempotency_key, so that it can be "
        "called again when no answer came.",
        body="requests",
    ),
    Tool("list_requests", "GET", "/v1/requests", "List requests and where each is."),
    Tool("get_request", "GET", "/v1/requests/{request_id}", "Tell where a request is: drafts, steps, costs, reasons."),
    Tool("list_drafts", "GET", "/v1/drafts", "List drafts with score, decision and reasons."),
    Tool("get_draft", "GET", "/v1/drafts/{draft_id}", "Show a draft whole: text, score by feature, near-duplicate."),
    Tool("accept_draft", "POST", "/v1/drafts/{draft_id}/accept", "Accept a draft by hand.", repeats=True),
    Tool(
        "reject_draft",
        "POST",
        "/v1/drafts/{draft_id}/reject",
        "Reject a draft by hand, with a reason.",
        destroys=True,
        repeats=True,
    ),
    Tool("list_posts", "GET", "/v1/posts", "List posts with counters, engagement rate and whether they are viral."),
    Tool("get_post", "GET", "/v1/posts/{persona_id}/{post_id}", "Show a post with its counters."),
    Tool("list_post_events", "GET", "/v1/posts/{persona_id}/{post_id}/events", "List the engagement events of a post."),
    Tool("list_publications", "GET", "/v1/publications", "List what is to be published and was: state, reason, link."),
    Tool("get_publication", "GET", "/v1/publications/{publication_id}", "Show a publication with all its parts."),
    Tool(
        "cancel_publication",
        "POST",
        "/v1/publications/{publication_id}/cancel",
        "Take a publication back while it is not published; what of a thread is public stays.",
        destroys=True,
        repeats=True,
    ),
    Tool(
        "retry_publication",
        "POST",
        "/v1/publications/{publication_id}/retry",
        "Try a publication again that failed in a way that can be mended.",
    ),
    Tool(
        "approve_publication",
        "POST",
        "/v1/publications/{publication_id}/approve",
        "Approve the text of a publication as it is now; it may be public soon after.",
        repeats=True,
    ),
    Tool(
        "reject_publication",
        "POST",
        "/v1/publications/{publication_id}/reject",
        "Reject the text of a publication, with a reason.",
        destroys=True,
        repeats=True,
    ),
    Tool("list_personas", "GET", "/v1/personas", "List the personas in force."),
    Tool("get_persona", "GET", "/v1/personas/{persona_id}", "Show a persona's definition."),
    Tool(
        "check_persona",
        "POST",
        "/v1/personas/check",
        "Check a persona's definition; every problem is named.",
        body="definition",
        checks=True,
    ),
    Tool(
        "apply_persona",
        "PUT",
        "/v1/personas/{persona_id}",
        "Put a persona in force, or another version of it.",
        body="definition",
        destroys=True,
        repeats=True,
    ),
    Tool(
        "remove_persona",
        "DELETE",
        "/v1/personas/{persona_id}",
        "Put a persona out of force; later requests for it are dead letters.",
        destroys=True,
        repeats=True,
    ),
    Tool("get_kpis", "GET", "/v1/kpis", "Show KPIs with numerator, denominator and target."),
    Tool("get_kpi_history", "GET", "/v1/kpis/history", "Show how the KPIs of a window went."),
    Tool("get_kpi_days", "GET", "/v1/kpis/daily", "Show KPIs by day."),
    Tool("get_costs", "GET", "/v1/costs", "Show calls, tokens and cost by persona and model."),
    Tool("get_savings", "GET", "/v1/costs/saved", "Show what tiers, cache, templates, bursts and batches spared."),
    Tool("get_budgets", "GET", "/v1/budgets", "Show what was spent of each budget."),
    Tool("list_dead_letters", "GET", "/v1/dead-letters", "List what could not be processed, and why."),
    Tool("get_dead_letter", "GET", "/v1/dead-letters/{letter_id}", "Show one dead letter with its bytes."),
    Tool(
        "send_engagement",
        "POST",
        "/v1/engagement",
        "Send engagement events; one under an event_id that is known counts once.",
        body="events",
    ),
    Tool("list_topics", "GET", "/v1/topics", "List topics."),
    Tool(
        "read_topic",
        "GET",
        "/v1/topics/{topic}/records",
        "Read records of a topic, decoded; `complete` says whether all was looked at.",
    ),
    Tool("get_lag", "GET", "/v1/lag", "Show how far consumers are behind, in records and seconds."),
    Tool("list_webhooks", "GET", "/v1/webhooks", "List who is told of which events."),
    Tool(
        "add_webhook",
        "POST",
        "/v1/webhooks",
        "Have events posted to a url, signed. The answer holds the secret, told this once.",
    ),
    Tool(
        "remove_webhook",
        "DELETE",
        "/v1/webhooks/{subscription_id}",
        "End a webhook; what waits for it is dropped.",
        destroys=True,
        repeats=True,
    ),
    Tool("test_webhook", "POST", "/v1/webhooks/{subscription_id}/test", "Post one test event and tell the answer."),
    Tool(
        "list_webhook_deliveries",
        "GET",
        "/v1/webhooks/{subscription_id}/deliveries",
        "List the latest attempts to deliver to a webhook, with what went wrong.",
    ),
)

NO_TOOLS = {
    ("GET", "/v1/stream"): "a stream for pages; read_topic reads",
    ("POST", "/v1/session"): "signs a browser in",
    ("DELETE", "/v1/session"): "signs a browser out",
    ("GET", "/v1/platforms/threads/webhook"): "the platform calls it",
    ("POST", "/v1/platforms/threads/webhook"): "the same",
    ("GET", "/v1/tokens"): "an assistant has no business with tokens, its own included",
    ("POST", "/v1/tokens"): "the same",
    ("POST", "/v1/tokens/{token_id}/rotate"): "the same",
    ("DELETE", "/v1/tokens/{token_id}"): "the same",
}
"""Operations under /v1 that are no tools, and why."""
