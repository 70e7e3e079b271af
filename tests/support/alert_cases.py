"""When each alert fires and when it does not: series as promtool writes them, a value a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Series = dict[str, str]
Labels = dict[str, str]

SINK_UP = 'up{job="threads-agent", instance="a", role="sink-prometheus"}'
SINK_MOVED = 'up{job="threads-agent", instance="b", role="sink-prometheus"}'
ACCEPTED = 'posts_generated_total{persona_id="ada", status="accepted", instance="a"}'


@dataclass(frozen=True, slots=True)
class Case:
    """At a time, an alert fires for these labels and no others; `step` is the time between two values of a series."""

    alert: str
    promise: str
    at: str
    series: Series
    fires_for: tuple[Labels, ...]
    step: str = "1m"

    def as_promtool_has_it(self) -> dict[str, Any]:
        firing = f'ALERTS{{alertname="{self.alert}", alertstate="firing"}}'
        labels = [", ".join(f'{name}="{value}"' for name, value in each.items()) for each in self.fires_for]
        return {
            "name": f"{self.alert}: {self.promise}",
            "interval": self.step,
            "input_series": [{"series": name, "values": values} for name, values in self.series.items()],
            "promql_expr_test": [
                {
                    "expr": f"max without (alertstate, severity) ({firing})",
                    "eval_time": self.at,
                    "exp_samples": [
                        {"labels": f'{{alertname="{self.alert}"{", " if each else ""}{each}}}', "value": 1}
                        for each in labels
                    ],
                }
            ],
        }


def fires(alert: str, promise: str, at: str, series: Series, *labels: Labels, step: str = "1m") -> Case:
    return Case(alert, f"fires {promise}", at, series, labels or ({},), step)


def quiet(alert: str, promise: str, at: str, series: Series, step: str = "1m") -> Case:
    return Case(alert, f"stays quiet {promise}", at, series, (), step)


def rate_of(persona: str, instance: str = "a") -> str:
    return f'posts_engagement_rate{{persona_id="{persona}", instance="{instance}"}}'


BUSINESS = (
    fires(
        "EngagementRateLow",
        "for the persona that is low, after half an hour",
        "31m",
        {rate_of("ada"): "0.039x60", rate_of("nova"): "0.041x60"},
        {"persona_id": "ada"},
    ),
    quiet("EngagementRateLow", "before half an hour is over", "28m", {rate_of("ada"): "0.01x60"}),
    quiet("EngagementRateLow", "at the threshold itself", "60m", {rate_of("ada"): "0.04x60"}),
    quiet("EngagementRateLow", "when the rate recovered in between", "50m", {rate_of("ada"): "0.01x25 0.05 0.01x30"}),
    quiet("EngagementRateLow", "without views, when there is no rate", "60m", {SINK_UP: "1x60"}),
    fires(
        "EngagementRateLow",
        "in time although the sink moved to another address for three minutes",
        "31m",
        {rate_of("ada"): "0.01x15 stale", rate_of("ada", "b"): "_x18 0.01x40"},
        {"persona_id": "ada"},
    ),
    fires(
        "CostPerFollowHigh",
        "after half an hour over two cents",
        "31m",
        {'cost_per_follow_dollars{persona_id="ada"}': "0.021x60", 'cost_per_follow_dollars{persona_id="b"}': "0.02x60"},
        {"persona_id": "ada"},
    ),
    quiet(
        "CostPerFollowHigh", "for a short peak", "31m", {'cost_per_follow_dollars{persona_id="ada"}': "3x10 0.01x50"}
    ),
    quiet("CostPerFollowHigh", "without follows, when there is no cost of one", "60m", {SINK_UP: "1x60"}),
    fires("RevenueLow", "after an hour under 80 % of the target", "62m", {"revenue_projection_monthly": "15999x90"}),
    quiet("RevenueLow", "before the hour is over", "58m", {"revenue_projection_monthly": "100x90"}),
    quiet("RevenueLow", "at 80 % of the target", "90m", {"revenue_projection_monthly": "16000x90"}),
    quiet(
        "RevenueLow",
        "when two sinks have it together",
        "90m",
        {
            'revenue_projection_monthly{instance="a"}': "9000x90",
            'revenue_projection_monthly{instance="b"}': "9000x90",
        },
    ),
    quiet("RevenueLow", "without any revenue event, when nothing is projected", "90m", {SINK_UP: "1x90"}),
    fires("NoPosts", "when none came for half an hour", "45m", {SINK_UP: "1x60", ACCEPTED: "5+1x5 10x60"}),
    fires("NoPosts", "when there never was one", "31m", {SINK_UP: "1x60"}),
    fires(
        "NoPosts",
        "although drafts are rejected",
        "40m",
        {SINK_UP: "1x60", 'posts_generated_total{persona_id="ada", status="rejected", instance="a"}': "0+1x60"},
    ),
    quiet(
        "NoPosts",
        "while one comes every four minutes",
        "60m",
        {SINK_UP: "1x90", ACCEPTED: "1x3 2x3 3x3 4x3 5x3 6x3 7x3 8x3 9x3 10x3 11x3 12x3 13x3 14x3 15x3 16x3"},
    ),
    quiet(
        "NoPosts", "when the first post of a persona began its series", "45m", {SINK_UP: "1x60", ACCEPTED: "_x20 1x40"}
    ),
    quiet("NoPosts", "when the sink is away, which other alerts tell", "60m", {SINK_UP: "0x60"}),
    fires(
        "NoPosts",
        "although the sink was restarted and shows its counters again at another address",
        "45m",
        {
            SINK_UP: "1x20 stale",
            SINK_MOVED: "_x22 1x60",
            ACCEPTED: "10x20 stale",
            ACCEPTED.replace('"a"', '"b"'): "_x22 10x60",
        },
    ),
    fires(
        "QualityLow",
        "after an hour of bad drafts",
        "75m",
        {"draft_quality_score_sum": "0+0.5x90", "draft_quality_score_count": "0+1x90"},
    ),
    quiet(
        "QualityLow",
        "for good drafts",
        "75m",
        {"draft_quality_score_sum": "0+0.61x90", "draft_quality_score_count": "0+1x90"},
    ),
    quiet(
        "QualityLow",
        "when nothing is decided any more",
        "120m",
        {"draft_quality_score_sum": "0+0.1x10 1x120", "draft_quality_score_count": "0+1x10 10x120"},
    ),
    quiet(
        "QualityLow",
        "when the counters began anew and drafts are good",
        "90m",
        {"draft_quality_score_sum": "1000+0.9x30 0+0.9x60", "draft_quality_score_count": "1000+1x30 0+1x60"},
    ),
    fires("SpendHigh", "over five dollars in an hour", "70m", {"llm_cost_dollars_total": "100+0.1x90"}),
    fires("SpendHigh", "already within the first hour", "25m", {"llm_cost_dollars_total": "100+1x90"}),
    quiet("SpendHigh", "under five dollars an hour", "90m", {"llm_cost_dollars_total": "100+0.08x90"}),
    quiet("SpendHigh", "for what was spent before anybody looked", "30m", {"llm_cost_dollars_total": "900x60"}),
    quiet("SpendHigh", "when the log was made anew", "70m", {"llm_cost_dollars_total": "900x30 0+0.01x60"}),
    quiet(
        "SpendHigh",
        "when partitions move from one sink to another",
        "40m",
        {
            'llm_cost_dollars_total{instance="a"}': "100x20 40x60",
            'llm_cost_dollars_total{instance="b"}': "100x21 160x60",
        },
    ),
    quiet(
        "SpendHigh",
        "when the sink is started again at another address",
        "40m",
        {
            'llm_cost_dollars_total{instance="a"}': "100x20 stale",
            'llm_cost_dollars_total{instance="b"}': "_x22 100x60",
        },
    ),
)

WORKER = 'up{job="threads-agent", instance="w", role="kpis"}'
AGE = 'worker_checkpoint_age_seconds{stage="kpis", role="kpis"}'
READS = 'worker_records_total{stage="kpis", topic="engagement.events", role="kpis"}'
WAITED = 'kafka_consumergroup_lag_seconds{consumergroup="kpis", topic="engagement.events", partition="0"}'
LAG = 'kafka_consumergroup_lag{consumergroup="kpis", topic="engagement.events", partition="%d", instance="%s"}'
LETTERS = 'dead_letters_total{consumer="kpis", topic="engagement.events", reason="refused", instance="%s"}'
STOPPED = (
    'worker_stopped_at_offset{role="kpis", stage="kpis", topic="engagement.events", partition="1", reason="r", '
    'instance="a"}'
)
STOPPED_KPIS = {"role": "kpis", "topic": "engagement.events", "partition": "1", "reason": "r"}
STARTED = 'process_start_time_seconds{instance="%s"}'
OF_KPIS = {"consumergroup": "kpis", "topic": "engagement.events"}
LETTERS_OF_KPIS = {"consumer": "kpis", "topic": "engagement.events"}

ENGINE = (
    fires(
        "TargetDown",
        "after two minutes",
        "3m",
        {WORKER: "0x10"},
        {"job": "threads-agent", "instance": "w", "role": "kpis"},
    ),
    quiet("TargetDown", "during a restart", "10m", {WORKER: "1x3 0 1x10"}),
    quiet("TargetDown", "for a target that is no target any more", "10m", {WORKER: "0 stale"}),
    fires("RoleGone", "when its worker is no target any more", "9m", {WORKER: "1x5 stale"}, {"role": "kpis"}),
    quiet(
        "RoleGone",
        "when another worker took over",
        "9m",
        {WORKER: "1x5 stale", WORKER.replace('"w"', '"v"'): "_x6 1x20"},
    ),
    quiet("RoleGone", "when the role has been gone for long", "30m", {WORKER: "1x5 stale"}),
    quiet("RoleGone", "for a worker that does not answer, which TargetDown tells", "20m", {WORKER: "1x5 0x20"}),
    fires(
        "WorkerRoleFailing",
        "at once",
        "1m",
        {'worker_role_failing{role="kpis", exported_role="kpis"}': "1x5"},
        {"role": "kpis"},
    ),
    quiet("WorkerRoleFailing", "while it runs", "5m", {'worker_role_failing{role="kpis"}': "0x5"}),
    quiet("WorkerRoleFailing", "once it was started again", "10m", {'worker_role_failing{role="kpis"}': "1x5 0x5"}),
    fires(
        "WorkerWaiting",
        "although the breaker tries again now and then",
        "8m",
        {
            'worker_breaker_state{role="r", stage="s", state="closed"}': "1 0x10",
            'worker_breaker_state{role="r", stage="s", state="open"}': "0 1 0 1 0 1 0 1",
            'worker_breaker_state{role="r", stage="s", state="half-open"}': "0 0 1 0 1 0 1 0",
        },
        {"role": "r", "stage": "s"},
    ),
    quiet(
        "WorkerWaiting",
        "for a short outage",
        "10m",
        {'worker_breaker_state{role="r", stage="s", state="closed"}': "1 0x3 1x10"},
    ),
    quiet("WorkerWaiting", "where nothing tells of a breaker", "10m", {WORKER: "1x10"}),
    fires(
        "WorkerStuck",
        "when it makes no progress while its records wait",
        "6m",
        {AGE: "0+60x10", READS: "500x10", WAITED: "0+60x10"},
        {"role": "kpis", "stage": "kpis"},
    ),
    quiet("WorkerStuck", "for an idle worker", "10m", {AGE: "0+60x10", READS: "500x10", WAITED: "0x10"}),
    quiet("WorkerStuck", "for a busy worker that is behind", "10m", {AGE: "1x10", READS: "0+500x10", WAITED: "900x10"}),
    quiet(
        "WorkerStuck",
        "when records of another topic wait, for another stage",
        "10m",
        {AGE: "0+60x10", READS: "500x10", WAITED.replace("engagement.events", "kpi.partials"): "900x10"},
    ),
    quiet(
        "WorkerStuck",
        "when records wait for another role",
        "10m",
        {AGE: "0+60x10", READS: "500x10", WAITED.replace('"kpis"', '"sink-postgres"'): "900x10"},
    ),
    quiet("WorkerStuck", "when nobody tells how long records wait", "10m", {AGE: "0+60x10", READS: "500x10"}),
    quiet(
        "WorkerStuck", "once it was started again", "12m", {AGE: "0+60x7 1x10", READS: "500x20", WAITED: "0+60x7 0x10"}
    ),
    fires(
        "ConsumerLag",
        "when partitions together are over the threshold for two minutes",
        "4m",
        {LAG % (0, "a"): "600x10", LAG % (1, "a"): "600x10"},
        OF_KPIS,
    ),
    quiet(
        "ConsumerLag",
        "when two processes tell of the same lag",
        "9m",
        {LAG % (0, "a"): "600x10", LAG % (0, "b"): "600x10"},
    ),
    quiet("ConsumerLag", "at the threshold", "9m", {LAG % (0, "a"): "1000x10"}),
    quiet("ConsumerLag", "for a burst", "9m", {LAG % (0, "a"): "0 90000 0x10"}),
    quiet("ConsumerLag", "where nobody tells of it", "9m", {WORKER: "1x10"}),
    fires("ConsumerLagTime", "after five minutes behind and two more", "9m", {WAITED: "0+61x20"}, OF_KPIS),
    quiet("ConsumerLagTime", "when it catches up", "9m", {WAITED: "0+61x6 1x20"}),
    quiet("ConsumerLagTime", "five minutes behind", "9m", {WAITED: "300x20"}),
    fires(
        "DeadLetters",
        "at the first letter of a worker that has run for long",
        "21m",
        {LETTERS % "w": "0x20 1x20", STARTED % "w": "-9000x60"},
        LETTERS_OF_KPIS,
    ),
    fires(
        "DeadLetters",
        "for letters of a new worker that were there before anybody looked",
        "3m",
        {LETTERS % "w": "_ _ 4x20", STARTED % "w": "_ _ 60x20"},
        LETTERS_OF_KPIS,
    ),
    quiet(
        "DeadLetters",
        "for letters from before the last ten minutes",
        "40m",
        {LETTERS % "w": "0x5 9x60", STARTED % "w": "-9000x60"},
    ),
    quiet(
        "DeadLetters",
        "when Prometheus is new, and the letters are old",
        "15m",
        {LETTERS % "w": "9x60", STARTED % "w": "-9000x60"},
    ),
    quiet(
        "DeadLetters",
        "when the worker is started again and its counters begin anew",
        "40m",
        {
            LETTERS % "w": "9x20 stale",
            LETTERS % "v": "_x22 0x60",
            STARTED % "w": "-9000x20 stale",
            STARTED % "v": "_x22 1300x60",
        },
    ),
    quiet(
        "DeadLetters",
        "when a counter begins anew under the same address",
        "40m",
        {LETTERS % "w": "9x35 0x20", STARTED % "w": "-9000x35 2090x20"},
    ),
    quiet("DeadLetters", "where nothing tells of letters", "20m", {WORKER: "1x20"}),
    fires("PartitionStopped", "at once, at offset 0 too", "3m", {STOPPED: "_ _ 0x20"}, STOPPED_KPIS),
    quiet("PartitionStopped", "when it goes on", "9m", {STOPPED: "17x5 stale"}),
)


def requests_of(status: str) -> str:
    return f'http_requests_total{{service="gateway", method="GET", endpoint="/v1/kpis", status="{status}"}}'


def answers(le: str) -> str:
    return f'http_request_duration_seconds_bucket{{service="gateway", method="GET", endpoint="/v1/kpis", le="{le}"}}'


ANSWERED = 'http_request_duration_seconds_count{service="gateway", method="GET", endpoint="/v1/kpis"}'
OF_GATEWAY = {"service": "gateway"}

HTTP = (
    fires(
        "HttpSlow",
        "when a tenth takes longer than two seconds",
        "17m",
        {answers("1.0"): "0+80x30", answers("2.5"): "0+90x30", answers("+Inf"): "0+100x30"},
        OF_GATEWAY,
    ),
    quiet(
        "HttpSlow",
        "when four of a hundred do",
        "17m",
        {answers("1.0"): "0+96x30", answers("2.5"): "0+100x30", answers("+Inf"): "0+100x30"},
    ),
    quiet(
        "HttpSlow",
        "without requests",
        "20m",
        {answers("1.0"): "90x30", answers("2.5"): "100x30", answers("+Inf"): "100x30"},
    ),
    fires(
        "HttpErrors",
        "at six of a hundred",
        "12m",
        {requests_of("200"): "0+94x30", requests_of("503"): "0+6x30"},
        OF_GATEWAY,
    ),
    quiet("HttpErrors", "at five of a hundred", "12m", {requests_of("200"): "0+95x30", requests_of("503"): "0+5x30"}),
    quiet(
        "HttpErrors", "for what clients do wrong", "12m", {requests_of("200"): "0+10x30", requests_of("422"): "0+90x30"}
    ),
    quiet("HttpErrors", "for a burst", "12m", {requests_of("200"): "0+94x30", requests_of("500"): "0x3 500x30"}),
    quiet("HttpErrors", "without requests", "12m", {requests_of("200"): "5x30", requests_of("500"): "5x30"}),
    quiet(
        "HttpErrors",
        "when the gateway is started again",
        "12m",
        {requests_of("200"): "900+90x5 0+90x20", requests_of("500"): "900x5 0x20"},
    ),
    fires(
        "HttpErrorBurnFast",
        "when 15 of a hundred fail for an hour",
        "70m",
        {requests_of("200"): "0+85x90", requests_of("500"): "0+15x90"},
        OF_GATEWAY,
    ),
    fires(
        "HttpErrorBurnFast",
        "when 7 of a hundred fail for six hours",
        "7h",
        {requests_of("200"): "0+93x500", requests_of("500"): "0+7x500"},
        OF_GATEWAY,
    ),
    quiet(
        "HttpErrorBurnFast",
        "when 5 of a hundred fail",
        "7h",
        {requests_of("200"): "0+95x500", requests_of("500"): "0+5x500"},
    ),
    quiet(
        "HttpErrorBurnFast",
        "once nothing fails any more",
        "95m",
        {requests_of("200"): "0+80x120", requests_of("500"): "0+20x60 1200x60"},
    ),
    quiet(
        "HttpErrorBurnFast",
        "for three failures at night",
        "50m",
        {requests_of("200"): "0x90", requests_of("500"): "0x40 1 2 3x60"},
    ),
    quiet("HttpErrorBurnFast", "where there is no gateway", "70m", {WORKER: "1x90"}),
    fires(
        "HttpErrorBurnSlow",
        "when 4 of a hundred fail for a day",
        "25h",
        {requests_of("200"): "0+960x160", requests_of("500"): "0+40x160"},
        OF_GATEWAY,
        step="10m",
    ),
    fires(
        "HttpErrorBurnSlow",
        "when 2 of a hundred fail for three days",
        "73h",
        {requests_of("200"): "0+980x450", requests_of("500"): "0+20x450"},
        OF_GATEWAY,
        step="10m",
    ),
    quiet(
        "HttpErrorBurnSlow",
        "within the objective",
        "73h",
        {requests_of("200"): "0+995x450", requests_of("500"): "0+5x450"},
        step="10m",
    ),
    quiet(
        "HttpErrorBurnSlow",
        "once a bad day is over",
        "32h",
        {requests_of("200"): "0+960x250", requests_of("500"): "0+40x144 5760x100"},
        step="10m",
    ),
    fires(
        "HttpLatencyBurnFast",
        "when 20 of a hundred are late for an hour",
        "70m",
        {requests_of("200"): "0+100x90", answers("0.5"): "0+80x90", ANSWERED: "0+100x90"},
        OF_GATEWAY,
    ),
    quiet(
        "HttpLatencyBurnFast",
        "when 2 of a hundred are late",
        "7h",
        {requests_of("200"): "0+100x500", answers("0.5"): "0+98x500", ANSWERED: "0+100x500"},
    ),
    quiet(
        "HttpLatencyBurnFast",
        "without requests",
        "70m",
        {requests_of("200"): "9x90", answers("0.5"): "1x90", ANSWERED: "9x90"},
    ),
    fires(
        "HttpLatencyBurnSlow",
        "when 4 of a hundred are late for a day",
        "25h",
        {requests_of("200"): "0+100x160", answers("0.5"): "0+96x160", ANSWERED: "0+100x160"},
        OF_GATEWAY,
        step="10m",
    ),
    quiet(
        "HttpLatencyBurnSlow",
        "within the objective",
        "73h",
        {requests_of("200"): "0+1000x450", answers("0.5"): "0+995x450", ANSWERED: "0+1000x450"},
        step="10m",
    ),
)


def ended(outcome: str, instance: str = "a") -> str:
    return f'generation_requests_total{{outcome="{outcome}", instance="{instance}"}}'


def used(persona: str, instance: str = "a") -> str:
    return f'budget_used_ratio{{persona_id="{persona}", period="day", instance="{instance}"}}'


def budget(alert: str, reached: str, below: str) -> tuple[Case, ...]:
    """Return the cases of a level: from its share on, for whom it concerns, until the period is over."""
    return (
        fires(
            alert,
            "at its share",
            "3m",
            {used("*"): f"{reached}x9", used("b"): f"{below}x9"},
            {"persona_id": "*", "period": "day"},
        ),
        quiet(alert, "when the next period has begun", "6m", {used("*"): f"{reached}x4 0x9"}),
        quiet(alert, "without a limit", "6m", {WORKER: "1x9"}),
    )


AGENTS = (
    fires(
        "RequestBurnFast",
        "when one of five is late",
        "70m",
        {ended("in_time"): "0+8x90", ended("late"): "0+2x90", ended("dead_lettered"): "0x90"},
    ),
    fires(
        "RequestBurnFast",
        "when one of five is dead-lettered",
        "70m",
        {ended("in_time"): "0+8x90", ended("dead_lettered"): "0+2x90"},
    ),
    quiet("RequestBurnFast", "when all are in time", "70m", {ended("in_time"): "0+8x90", ended("late"): "0x90"}),
    quiet(
        "RequestBurnFast", "for a handful of requests", "70m", {ended("in_time"): "0x90", ended("late"): "0x20 3x90"}
    ),
    quiet(
        "RequestBurnFast",
        "when the worker is started again",
        "70m",
        {
            ended("in_time"): "900+8x30 stale",
            ended("late"): "900x30 stale",
            ended("in_time", "b"): "_x32 0+8x60",
            ended("late", "b"): "_x32 0x60",
        },
    ),
    quiet("RequestBurnFast", "without requests", "70m", {ended("in_time"): "0x90", ended("late"): "0x90"}),
    fires(
        "RequestBurnSlow",
        "when one of twenty is late for a day",
        "25h",
        {ended("in_time"): "0+95x160", ended("late"): "0+5x160"},
        step="10m",
    ),
    quiet(
        "RequestBurnSlow",
        "within the objective",
        "73h",
        {ended("in_time"): "0+995x450", ended("late"): "0+5x450"},
        step="10m",
    ),
    fires(
        "ModelNoCredit", "after a minute", "3m", {'llm_waits{model="gpt", reason="no credit"}': "1x9"}, {"model": "gpt"}
    ),
    quiet(
        "ModelNoCredit",
        "when the provider is only away",
        "5m",
        {'llm_waits{model="gpt", reason="away"}': "1x9", 'llm_waits{model="gpt", reason="no credit"}': "0x9"},
    ),
    *budget("BudgetWarning", "0.8", "0.79"),
    *budget("BudgetDowngrade", "0.85", "0.84"),
    *budget("BudgetPause", "0.95", "0.94"),
    fires(
        "BudgetPause",
        "when a worker that lost the partition still tells the old figure",
        "3m",
        {used("*"): "0.2x9", used("*", "b"): "0.96x9"},
        {"persona_id": "*", "period": "day"},
    ),
)

OVERDUE = 'posts_overdue{instance="%s"}'
STUCK = 'posts_stuck{state="%s", instance="%s"}'
LAST_POST = 'posts_last_published_timestamp_seconds{instance="%s"}'
LOOKED = 'posts_watchdog_round_timestamp_seconds{instance="%s"}'
TOKEN = 'platform_account_token_expiry_seconds{account_id="%s", platform="threads", instance="a"}'
ACCOUNT = 'platform_account_state{account_id="%s", platform="threads", state="%s", instance="a"}'
DAY_S = 86_400

PUBLISHING = (
    fires("PostsOverdue", "when healing did not help for five minutes", "8m", {OVERDUE % "a": "0x1 2x20"}),
    fires(
        "PostsOverdue",
        "although the watchdog moved to another address meanwhile",
        "12m",
        {OVERDUE % "a": "1x8 stale", OVERDUE % "b": "_x8 1x20"},
    ),
    quiet("PostsOverdue", "while the heal of a late post helps", "20m", {OVERDUE % "a": "1x3 0x20"}),
    quiet("PostsOverdue", "while nothing is late", "20m", {OVERDUE % "a": "0x20"}),
    fires(
        "PostsStuck",
        "for the state in which posts are",
        "8m",
        {STUCK % ("publishing", "a"): "1x20", STUCK % ("container_created", "a"): "0x20"},
        {"state": "publishing"},
    ),
    quiet(
        "PostsStuck", "for what is unconfirmed, which has its own alert", "20m", {STUCK % ("unconfirmed", "a"): "1x20"}
    ),
    fires("PostsUnconfirmed", "after ten minutes", "12m", {STUCK % ("unconfirmed", "a"): "1x20"}),
    quiet("PostsUnconfirmed", "when reading back told it in time", "20m", {STUCK % ("unconfirmed", "a"): "1x8 0x20"}),
    fires(
        "PublishingStandstill",
        "when the last post is older than half an hour",
        "40m",
        {OVERDUE % "a": "0x5 3x60", LAST_POST % "a": "120x60"},
    ),
    fires("PublishingStandstill", "when there never was a post", "8m", {OVERDUE % "a": "1x20"}),
    quiet(
        "PublishingStandstill",
        "while others are published",
        "60m",
        {OVERDUE % "a": "1x90", LAST_POST % "a": "0+60x90"},
    ),
    quiet("PublishingStandstill", "when nothing is due", "90m", {OVERDUE % "a": "0x90", LAST_POST % "a": "0x90"}),
    fires("PostsUnwatched", "when it hangs", "10m", {LOOKED % "a": "0+60x3 180x20"}),
    quiet(
        "PostsUnwatched",
        "while another watchdog looks",
        "20m",
        {LOOKED % "a": "0x30", LOOKED % "b": "0+60x30"},
    ),
    quiet("PostsUnwatched", "where there is none, which is told by RoleGone", "20m", {SINK_UP: "1x20"}),
    fires(
        "TokenExpires",
        "for the account whose token is not refreshed",
        "12m",
        {TOKEN % "ada": f"{7 * DAY_S - 60}x20", TOKEN % "nova": f"{7 * DAY_S}x20"},
        {"account_id": "ada", "platform": "threads"},
    ),
    fires(
        "TokenExpires",
        "for one that has ended",
        "12m",
        {TOKEN % "ada": "-60-60x20"},
        {"account_id": "ada", "platform": "threads"},
    ),
    quiet("TokenExpires", "when it is refreshed", "20m", {TOKEN % "ada": f"{6 * DAY_S}x5 {60 * DAY_S}x30"}),
    fires(
        "AccountBlocked",
        "for the account and what is wrong with it",
        "3m",
        {
            ACCOUNT % ("ada", "active"): "0x9",
            ACCOUNT % ("ada", "token_rejected"): "1x9",
            ACCOUNT % ("nova", "active"): "1x9",
            ACCOUNT % ("nova", "restricted"): "0x9",
        },
        {"account_id": "ada", "platform": "threads", "state": "token_rejected"},
    ),
    fires("InsightsOverdue", "after a quarter of an hour", "20m", {'insights_overdue_seconds{instance="a"}': "901x30"}),
    quiet(
        "InsightsOverdue",
        "while polls are late but made",
        "40m",
        {'insights_overdue_seconds{instance="a"}': "901x10 0x3 901x10 0x30"},
    ),
    quiet("AccountBlocked", "while all are active", "9m", {ACCOUNT % ("ada", "active"): "1x9"}),
)

CASES = (*BUSINESS, *ENGINE, *HTTP, *AGENTS, *PUBLISHING)
