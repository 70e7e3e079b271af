"""Records are held to the rules beside their schemas, and the faults of schemas/ are made those of the platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import polars as pl

from schemas.catalogue import Topic
from schemas.errors import DecodeFault, EncodeFault, RegistryUnavailable, SchemaError
from schemas.record_rules import RULES
from schemas.records import Record
from schemas.rules import Rule, shown
from streams.errors import RecordFault, SettingsError, Unavailable


@contextmanager
def schema_faults() -> Iterator[None]:
    """Turn the block's schema errors into ours.

    Raises:
        RecordFault: a value or a record does not fit its schema.
        Unavailable: the registry does not answer.
        SettingsError: anything else, such as a schema that was never registered.
    """
    try:
        yield
    except (DecodeFault, EncodeFault) as fault:
        raise RecordFault(str(fault)) from fault
    except RegistryUnavailable as error:
        raise Unavailable(str(error)) from error
    except SchemaError as error:
        raise SettingsError(str(error)) from error


def validate(record: Record) -> None:
    """Check a record against the rules of its class.

    Raises:
        RecordFault: names the first field that breaks a rule, what it must be and what it is.
    """
    for rule in RULES[record.schema_name]:
        if rule.breaks(record):
            raise RecordFault(_reason(record.schema_name, rule, getattr(record, rule.field)))


def invalid_rows(topic: Topic, frame: pl.DataFrame) -> list[tuple[int, str]]:
    """Return the rows of a column frame that break a rule, in order, each with the reason of the first one broken."""
    schema_name = topic.record.schema_name
    suspects = frame.select(_any_broken(schema_name)).to_series().arg_true().to_list()
    if not suspects:
        return []
    rules = RULES[schema_name]
    checks = frame[suspects].select(rule.broken().fill_null(value=False).alias(str(i)) for i, rule in enumerate(rules))
    found = []
    for row, broken in zip(suspects, checks.rows(), strict=True):
        rule = rules[broken.index(True)]
        found.append((row, _reason(schema_name, rule, frame[rule.field][row])))
    return found


@cache
def _any_broken(schema_name: str) -> pl.Expr:
    return pl.any_horizontal(rule.broken().fill_null(value=False) for rule in RULES[schema_name]).alias("broken")


def _reason(schema_name: str, rule: Rule, value: object) -> str:
    return f"{schema_name}.{rule.field} must {rule.wanted()}, got {shown(value)}; correct it at the producer"
