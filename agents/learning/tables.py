"""What `learning` prints for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agents.learning.bandit.arms_record import arms_in
from agents.learning.bandit.choosing import likely_rates, propensities
from agents.learning.evaluation import Evaluation, Share
from agents.learning.judge_gain import Gain
from agents.learning.llm_judge import Judged
from agents.learning.ranking import Ranking
from schemas.records import HookArms
from streams.cli.table import Cell, Column, Table, count

Row = tuple[Cell, ...]
_SHARES = [
    Column("pairs of hooks"),
    Column("pairs", "number"),
    Column("right", "number"),
    Column("95 % interval", "number"),
]


def share_table(found: Evaluation) -> Table:
    """Return how often the predictor is right, by kind of pair."""
    seen = f"{found.seen_tests:,} of {found.tests:,} tests cross-validated" if found.seen_tests else "no test seen"
    rows = [_row(each) for each in (found.significant, *found.parts, found.every)]
    return Table(_SHARES, rows, title=f"Right on tests not seen ({seen})")


def figure_lines(found: Evaluation, model_bytes: int) -> Iterator[str]:
    """Yield the other figures, a line each."""
    yield f"ceiling of significant pairs, by their counts  {_per_cent(found.ceiling)}"
    yield f"expected calibration error, significant pairs  {_per_cent(found.ece)}"
    yield f"predictions a second of one core               {found.predictions_per_second:,.0f}"
    yield f"bytes of the model and its encoder             {model_bytes:,}"
    for reason, arms in found.left_out.items():
        yield f"left out: {arms:,} x {reason}"


def baseline_table(shares: Sequence[Share]) -> Table:
    """Return the baselines on the same significant pairs."""
    return Table(_SHARES, [_row(each) for each in shares], title="Baselines on the same significant pairs")


def judge_table(gain: Gain) -> Table:
    """Return what a judge and the predictor did on the same pairs."""
    shares = (gain.predictor, gain.judge, gain.together)
    return Table(_SHARES, [_row(each) for each in shares], title="A judge on some of the significant pairs")


def judge_lines(gain: Gain) -> Iterator[str]:
    """Yield what a judge gained and cost, a line each."""
    judged, (low, high) = gain.judged, gain.gained_interval
    unanswered = int((~judged.answered).sum())
    gained = f"{100 * gain.gained:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    yield f"gained by asking the judge too                 {gained}"
    yield f"cost of {judged.calls:,} calls                               {bill(judged)}"
    yield f"seconds                                        {judged.seconds:.1f}"
    if unanswered:
        yield f"without a usable answer: {unanswered:,} pairs, taken as .5"


def bill(judged: Judged) -> str:
    """Return the bill of a judge: tokens, and dollars where their price is known."""
    tokens = f"{judged.prompt_tokens:,} + {judged.completion_tokens:,} tokens"
    if judged.cost_micros is None:
        return f"{tokens}, price not known"
    return f"{tokens}, {judged.cost_micros / 1e6:.4f} dollars"


def arms_table(records: Sequence[HookArms]) -> Table:
    """Return what the hook styles of personas are worth, and how probable each is for the next draft."""
    columns = [
        Column("persona", "id"),
        Column("style", "text"),
        Column("posts", "number"),
        Column("views", "number"),
        Column("rate", "number"),
        Column("80 % interval", "number"),
        Column("chosen", "number"),
        Column("capped", "number"),
    ]
    return Table(columns, [row for each in records for row in _arm_rows(each)])


def _arm_rows(record: HookArms) -> Iterator[Row]:
    shares = propensities(arms_in(record), tuple(each.style for each in record.arms))
    for arm in record.arms:
        low, high = likely_rates(arm)
        rate = arm.alpha / (arm.alpha + arm.beta)
        posts = (count(arm.posts), count(arm.views), f"{rate:.1%}", f"{low:.1%} to {high:.1%}")
        yield record.persona_id, arm.style, *posts, f"{shares[arm.style]:.0%}", count(arm.capped_posts)


def ranking_table(ranking: Ranking) -> Table:
    """Return hooks ranked, with reasons."""
    columns = [Column("beats another", "number"), Column("hook", "text"), Column("why, in log odds", "text")]
    rows = [(f"{each.beats_another:.0%}", each.hook, "; ".join(each.reasons)) for each in ranking.hooks]
    return Table(columns, rows)


def _row(share: Share) -> tuple[str, ...]:
    interval = "-" if share.interval is None else f"{share.interval[0]:.1%} to {share.interval[1]:.1%}"
    return share.name, f"{share.pairs:,}", _per_cent(share.accuracy), interval


def _per_cent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
