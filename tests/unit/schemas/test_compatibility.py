"""`schemas check` lets through what can read old records, and refuses the rest with the reason."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable

import pytest

from schemas.catalogue import CATALOGUE, topic_named
from schemas.changes import compare
from schemas.compatibility import InvalidSchema, backward_faults
from schemas.definitions import AvroSchema, definition, definitions
from schemas.registries.file_registry import FileRegistry

Change = Callable[[AvroSchema], None]


def _field(schema: AvroSchema, name: str) -> AvroSchema:
    found: AvroSchema = next(field for field in schema["fields"] if field["name"] == name)
    return found


def _add(field: AvroSchema) -> Change:
    return lambda schema: schema["fields"].append(field)


def _remove(name: str) -> Change:
    return lambda schema: schema["fields"].remove(_field(schema, name))


def _set(name: str, key: str, value: object) -> Change:
    return lambda schema: _field(schema, name).__setitem__(key, value)


def _symbols(change: Callable[[list[str]], None]) -> Change:
    return lambda schema: change(_field(schema, "kind")["type"]["symbols"])


GOOD: dict[str, Change] = {
    "a field with a default": _add({"name": "country", "type": ["null", "string"], "default": None}),
    "a field removed": _remove("source"),
    "a wider type": _set("post_id", "type", ["null", "string", "long"]),
    "a new symbol": _symbols(lambda symbols: symbols.append("save")),
    "another text": _set("count", "doc", "How many."),
    "a field renamed with an alias": lambda schema: _field(schema, "source").update(name="origin", aliases=["source"]),
}
BAD: dict[str, tuple[Change, str]] = {
    "a field without a default": (_add({"name": "country", "type": "string"}), "'country' is new and has no default"),
    "another type": (_set("count", "type", "string"), "'count' changed its type"),
    "no more null": (_set("post_id", "type", "string"), "'post_id'"),
    "a narrower type": (_set("count", "type", "int"), "'count' changed its type"),
    "a symbol removed": (_symbols(lambda symbols: symbols.remove("like")), "'kind' lacks symbols.*like"),
    "a required field renamed": (_set("persona_id", "name", "persona"), "'persona' is new and has no default"),
}


def _changed(change: Change) -> AvroSchema:
    schema = copy.deepcopy(definition("EngagementEvent"))
    change(schema)
    return schema


@pytest.mark.parametrize("name", GOOD)
def test_a_change_that_reads_old_records_is_compatible(name: str) -> None:
    changed = _changed(GOOD[name])
    topic = topic_named("engagement.events")
    (result,) = compare(FileRegistry(), {"EngagementEvent": changed}, [topic])
    assert (result.state, result.refusals) == ("compatible", ())
    assert result.changes


@pytest.mark.parametrize("name", BAD)
def test_a_change_that_can_not_read_old_records_is_refused_with_the_reason(name: str) -> None:
    change, reason = BAD[name]
    topic = topic_named("engagement.events")
    (result,) = compare(FileRegistry(), {"EngagementEvent": _changed(change)}, [topic])
    assert result.state == "refused"
    assert result.changes
    assert re.search(reason, "; ".join(result.refusals))


def test_the_place_of_a_change_in_a_nested_record_is_named() -> None:
    old = definition("DraftDecided")
    new = copy.deepcopy(old)
    _field(new, "quality")["type"]["fields"].append({"name": "grade", "type": "string"})
    assert backward_faults(new, old) == ["field 'quality.grade' is new and has no default"]


def test_a_schema_file_that_is_gone_is_refused() -> None:
    working = {name: schema for name, schema in definitions().items() if name != "CostEvent"}
    refused = [change.subject for change in compare(FileRegistry(), working, CATALOGUE) if change.state == "refused"]
    assert refused == ["cost.events-value"]


def test_what_is_no_avro_is_told_so() -> None:
    with pytest.raises(InvalidSchema, match="no valid Avro"):
        backward_faults(_changed(_set("count", "type", "number")), definition("EngagementEvent"))


def test_the_committed_schemas_are_unchanged_since_they_were_registered() -> None:
    assert {change.state for change in compare(FileRegistry(), definitions(), CATALOGUE)} == {"unchanged"}
