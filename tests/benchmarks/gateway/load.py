"""The client: so many connections that ask one after the other, or so many requests a second.

At a rate the time of a request counts from when it was due, so a server that stalls is not spared those that waited.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles

import aiohttp

TIMEOUT_S = 30.0
ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` is in requests a second; 0 is as fast as the connections go. The warm-up is not counted."""

    url: str
    token: str
    body: str
    connections: int
    seconds: float
    warm_up_s: float
    rate: float = 0.0


@dataclass(slots=True)
class Answers:
    """What came: the seconds of each accepted request, and how many others there were, by status."""

    seconds: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load came to; times in milliseconds."""

    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    others: dict[str, int]


async def run(load: Load) -> Outcome:
    """Put the load on a server and return what it came to."""
    answers = Answers()
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {load.token}"} if load.token else {})}
    connector = aiohttp.TCPConnector(limit=load.connections)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        start = time.perf_counter()
        begin, end = start + load.warm_up_s, start + load.warm_up_s + load.seconds
        due = _due(load.rate, start, end)
        await asyncio.gather(*(_asking(session, load, due, (begin, end), answers) for _ in range(load.connections)))
        took = time.perf_counter() - begin
    return _outcome(answers, took)


def _due(rate: float, start: float, end: float) -> Iterator[float | None]:
    """Yield when each request is due: at its time in turn, or at once."""
    number = 0
    while rate == 0 or start + number / rate < end:
        yield start + number / rate if rate else None
        number += 1


async def _asking(
    session: aiohttp.ClientSession,
    load: Load,
    due: Iterator[float | None],
    span: tuple[float, float],
    answers: Answers,
) -> None:
    begin, end = span
    for moment in due:
        if moment is not None:
            await asyncio.sleep(max(moment - time.perf_counter(), 0))
        began = time.perf_counter() if moment is None else moment
        if began >= end:
            return
        status = await _status(session, load)
        if began < begin:
            continue
        if status == ACCEPTED:
            answers.seconds.append(time.perf_counter() - began)
        else:
            answers.others[str(status)] += 1


async def _status(session: aiohttp.ClientSession, load: Load) -> int | str:
    try:
        async with session.post(load.url, data=load.body) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__


def _outcome(answers: Answers, took_s: float) -> Outcome:
    times = [1_000 * each for each in answers.seconds] or [0.0]
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return Outcome(
        requests_per_second=round(len(answers.seconds) / took_s, 1),
        p50_ms=round(cuts[49], 1),
        p95_ms=round(cuts[94], 1),
        p99_ms=round(cuts[98], 1),
        max_ms=round(max(times), 1),
        others=dict(answers.others),
    )


def main() -> None:
    """Run the load of a JSON file, and write the outcome to another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--load", type=Path, required=True)
    parser.add_argument("--outcome", type=Path, required=True)
    arguments = parser.parse_args()
    load = Load(**json.loads(arguments.load.read_text(encoding="utf-8")))
    arguments.outcome.write_text(json.dumps(asdict(asyncio.run(run(load)))), encoding="utf-8")


if __name__ == "__main__":
    main()
