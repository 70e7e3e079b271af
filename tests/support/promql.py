"""What a PromQL expression names, by a parser of it (promql-parser), not by its letters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import promql_parser

from streams.metrics import Metric, catalogue

COMPARISONS = {"<", "<=", ">", ">=", "=="}


def nodes(expression: str) -> list[Any]:
    """Return all nodes of an expression, an outer one before those in it.

    Raises:
        ValueError: it is no PromQL.
    """
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return found


def selectors(expression: str) -> list[Any]:
    """Return the vector selectors of an expression: each has a name and matchers."""
    return [node for node in nodes(expression) if isinstance(node, promql_parser.VectorSelector)]


def grouping_labels(expression: str) -> set[str]:
    """Return the labels that an expression keeps by `by`."""
    aggregates = [node for node in nodes(expression) if isinstance(node, promql_parser.AggregateExpr)]
    return {label for node in aggregates if node.modifier is not None for label in node.modifier.labels}


def compared_with(expression: str) -> list[float]:
    """Return the numbers that an expression compares with, the innermost last."""
    return [
        node.rhs.val
        for node in nodes(expression)
        if isinstance(node, promql_parser.BinaryExpr)
        and str(node.op) in COMPARISONS
        and isinstance(node.rhs, promql_parser.NumberLiteral)
    ]


def _series_of(metric: Metric) -> Iterator[tuple[str, set[str]]]:
    if metric.type == "histogram":
        yield f"{metric.name}_bucket", {*metric.labels, "le"}
        yield from ((f"{metric.name}{suffix}", set(metric.labels)) for suffix in ("_sum", "_count"))
    else:
        yield metric.name, set(metric.labels)


SERIES = dict(series for metric in catalogue() for series in _series_of(metric))
"""The labels of every series of the catalogue, by the name that it is queried by."""
