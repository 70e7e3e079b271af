"""Files of costs, revenue and posts, from their bytes to the records that would be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.costs.prices import read_prices
from agents.importing.cells.visible_text import ImportFault
from agents.importing.records.kinds import KINDS
from agents.importing.records.known import KnownRecords
from agents.importing.records.layout import RecordRequest
from agents.importing.records.presets import load_preset, preset_names
from agents.importing.records.reading import RecordReading, reading_of, survey_records
from agents.importing.records.report import described
from agents.importing.records.run import new_of
from agents.importing.records.usage_pages import UsagePages, usage_pages_of
from agents.importing.rejects import Rejects
from agents.importing.sources.opening import source_of
from agents.importing.sources.source import Source
from schemas.catalogue import topic_named
from schemas.codec.column_encoder import ColumnEncoder
from schemas.codec.rows import RowCodec
from schemas.codec.wire_format import header
from schemas.definitions import definition
from schemas.registries.file_registry import FileRegistry
from schemas.registries.known_writers import KnownWriters
from streams.identity import derived_id

NOW_MS = 1_790_000_000_000
PRICES = read_prices()
Found = tuple[list[dict[str, Any]], RecordReading]


def read(file: Source | Path, kind: str, *said: str, known: KnownRecords | None = None, **more: Any) -> Found:
    """Read a file as an import does, with --set FIELD=VALUE; return the new records, and the reading."""
    source = source_of(file) if isinstance(file, Path) else file
    request = RecordRequest(KINDS[kind], sets=said, **more)
    reading = reading_of(survey_records(source, request), PRICES, NOW_MS, Rejects())
    known = known or KnownRecords(topic_named(request.kind.topic))
    records = []
    with reading.blocks() as blocks:
        for made in blocks:
            new = new_of(reading, made, known)
            records += decoded(reading, [each.record for each in new])
    known.settle()
    return records, reading


def decoded(reading: RecordReading, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records as a consumer reads them."""
    if not records:
        return []
    events, registry = reading.maker.columns(records, range(len(records))), FileRegistry()
    frame = header(KnownWriters(registry).written_id(events.topic))
    values = ColumnEncoder(definition(events.topic.record.schema_name)).encode(events.columns, frame)
    return [RowCodec(registry).decode_plain(events.topic, value) for value in values]


def write(folder: Path, text: str, name: str = "x.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


OPENAI_COSTS = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,project_name\n"
    '1730419200,1730505600,2024-11-01,2024-11-02,0.0128943,usd,"gpt-4o-mini, input",proj_1,ada\n'
    "1730505600,1730592000,2024-11-02,2024-11-03,2,usd,,proj_1,bo\n"
)


def test_openai_costs_are_known_by_their_header_and_a_mapped_project_is_the_persona(tmp_path: Path) -> None:
    records, reading = read(write(tmp_path, OPENAI_COSTS), "costs", maps=("persona_id=project_name",))
    assert reading.survey.layout.preset == "openai-costs"
    assert [(each["persona_id"], each["model"], each["cost_micros"]) for each in records] == [
        ("ada", "gpt-4o-mini", 12_894),
        ("bo", "unknown", 2_000_000),
    ]
    assert records[0] | {"event_id": ""} == {
        "event_id": "",
        "occurred_at": 1_730_419_200_000,
        "persona_id": "ada",
        "causation_id": None,
        "request_id": None,
        "step": "imported",
        "model": "gpt-4o-mini",
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "completion_tokens": 0,
        "reasoning_tokens": 0,
        "cost_micros": 12_894,
        "latency_ms": 0,
        "source": "import:x.csv",
        "backfilled": True,
    }
    assert "1 amounts have more than six decimals and are rounded to the micro-dollar" in list(
        described(reading.report)
    )


def test_pages_of_the_usage_api_are_priced_by_the_price_list(tmp_path: Path) -> None:
    result = {"input_tokens": 1_000_000, "output_tokens": 0, "input_cached_tokens": 0, "num_model_requests": 5}
    results = [result | {"model": "gpt-4.1-2025-04-14"}, result | {"model": "nobody-knows"}]
    bucket = {"object": "bucket", "start_time": 1_750_000_000, "end_time": 1_750_086_400, "results": results}
    path = write(tmp_path, json.dumps({"object": "page", "data": [bucket], "has_more": False}, indent=1), "page.json")
    pages = usage_pages_of(path)
    assert isinstance(pages, UsagePages)
    records, reading = read(pages, "costs", "persona_id=ada")
    assert [each["cost_micros"] for each in records] == [2_000_000, None]
    assert (reading.report.priced, reading.report.unpriced) == (1, 1)
    assert usage_pages_of(write(tmp_path, OPENAI_COSTS)) is None


def test_a_bucket_that_is_not_over_is_a_bad_row_for_it_would_grow(tmp_path: Path) -> None:
    end = NOW_MS // 1000 + 60
    path = write(tmp_path, f"start_time,end_time,amount_value,line_item\n{end - 3600},{end},1.5,gpt\n")
    records, reading = read(path, "costs", "persona_id=ada", time_format="epoch")
    assert records == []
    assert "export it when it is over" in reading.report.faults[0]


STRIPE = (
    "id,Created (UTC),Amount,Amount Refunded,Currency,Status\n"
    'ch_1,2024-03-01 12:30,"1,234.56",0.00,usd,Paid\n'
    "ch_2,2024-03-02 12:30,9.99,0.00,usd,Failed\n"
)


def test_stripe_payments_that_were_paid_are_sales_and_the_others_are_told(tmp_path: Path) -> None:
    [record], reading = read(write(tmp_path, STRIPE), "revenue", "persona_id=ada")
    assert (record["kind"], record["amount_micros"], record["backfilled"]) == ("sale", 1_234_560_000, True)
    assert reading.report.left_out == {"Failed": 1}
    [other], _ = read(write(tmp_path, STRIPE), "revenue", "persona_id=ada", "kind=renewal")
    assert other["kind"] == "subscription_payment"


def test_a_stripe_balance_tells_charges_and_no_payouts(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC)\n"
        "txn_1,charge,ch_1,10.00,0.59,9.41,usd,2024-03-01 12:30\n"
        "txn_2,payout,po_1,-9.41,0.00,-9.41,usd,2024-03-02 12:30\n",
    )
    [record], reading = read(path, "revenue", "persona_id=ada")
    assert (reading.survey.layout.preset, record["amount_micros"]) == ("stripe-balance", 10_000_000)


def test_another_currency_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    path = write(tmp_path, STRIPE.replace('1,234.56",0.00,usd', '5.00",0.00,eur'))
    with pytest.raises(ImportFault, match=r"x\.csv, line 2: the currency is 'eur', and only USD is counted"):
        read(path, "revenue", "persona_id=ada")


def test_a_european_table_in_utf_16_with_semicolons_and_local_times_is_read(tmp_path: Path) -> None:
    text = "Datum;Art;Betrag\n2026-01-05T09:00;Order;1.234,50 $\n2026-01-06T09:00;churn;0,99\n"
    maps = ("occurred_at=Datum", "kind=Art", "amount=Betrag")
    records, reading = read(
        write(tmp_path, "\ufeff" + text, encoding="utf-16-le"),
        "revenue",
        "persona_id=ada",
        maps=maps,
        timezone="Europe/Berlin",
    )
    assert [(each["kind"], each["amount_micros"]) for each in records] == [
        ("sale", 1_234_500_000),
        ("subscription_ended", 990_000),
    ]
    assert reading.report.first_ms == 1_767_600_000_000


def test_times_that_clocks_skip_are_bad_rows_and_those_they_show_twice_are_told(tmp_path: Path) -> None:
    text = "id,time,text\n1,2026-03-29T02:30,gap\n2,2025-10-26T02:30,overlap\n"
    records, reading = read(write(tmp_path, text), "posts", "persona_id=ada", timezone="Europe/Berlin")
    assert [each["post_id"] for each in records] == ["2"]
    assert reading.report.first_ms == 1_761_438_600_000
    assert "clocks of Europe/Berlin skip" in reading.report.faults[0]
    assert "2025-10-26T02:30: the first of the two was taken" in reading.report.warnings[0]


def test_the_same_row_in_a_longer_export_is_the_same_record_and_a_repeated_row_another(tmp_path: Path) -> None:
    row = "2026-01-05T09:00,gpt,0.5\n"
    known = KnownRecords(topic_named("cost.events"))
    first, _ = read(write(tmp_path, "time,model,cost\n" + row * 2), "costs", "persona_id=ada", known=known)
    longer = "time,model,cost\n2026-01-04T09:00,gpt,0.5\n" + row * 3
    second, reading = read(write(tmp_path, longer, "y.csv"), "costs", "persona_id=ada", known=known)
    assert len({each["event_id"] for each in first}) == 2
    assert (len(second), reading.report.known) == (2, 2)


def test_an_own_id_counts_once_and_one_that_says_something_else_is_told(tmp_path: Path) -> None:
    text = "id,time,amount\na,2026-01-05T09:00,5\na,2026-01-05T09:00,5\na,2026-01-05T09:00,6\n"
    records, reading = read(write(tmp_path, text), "revenue", "persona_id=ada", "kind=sale")
    assert (len(records), reading.report.known, reading.report.bad_rows) == (1, 1, 1)
    assert reading.report.faults == [
        "line 4: its id is known with other values: what is in stays; a correction needs an id of its own"
    ]


def test_posts_have_the_ids_that_imports_of_engagement_give_them(tmp_path: Path) -> None:
    [record], _ = read(write(tmp_path, "id,time,text\np1,2026-01-05,Hi\n"), "posts", "persona_id=ada", source="x")
    assert record["event_id"] == derived_id("imported post", "x", "ada", "p1")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("2026-01-05,gpt,-5,1,0", "negative"),
        ("2026-01-05,gpt,5,1,2", "cached_tokens 2 are more than prompt_tokens 1"),
        ("2026-01-05,,5,1,0", "model"),
        ("2090-01-05,gpt,5,1,0", "lies in the future"),
        ("2026-01-05,gpt,9999999,1,0", "too much for one record"),
        ("2026-01-05,gpt,,0,0", "says neither a cost nor tokens"),
        ("2026-01-05,gpt", "has 2 cells, the header 5"),
    ],
)
def test_a_row_that_is_no_cost_is_told_with_its_line(tmp_path: Path, row: str, why: str) -> None:
    path = write(tmp_path, f"time,model,cost,prompt_tokens,cached_tokens\n2026-01-04,gpt,1,0,0\n{row}\n")
    records, reading = read(path, "costs", "persona_id=ada")
    assert len(records) == 1
    [fault] = reading.report.faults
    assert fault.startswith("line 3: ")
    assert why in fault


def test_what_a_file_lacks_is_told_all_at_once_with_what_to_say(tmp_path: Path) -> None:
    with pytest.raises(ImportFault) as fault:
        read(write(tmp_path, "when,how much\n2026-01-05,5\n"), "revenue", maps=("amount=total", "mood=how much"))
    told = str(fault.value)
    for part in ("'mood' is no field", "no persona", "kind is not mapped", "occurred_at", "'when', 'how much'"):
        assert part in told


def test_every_preset_names_fields_of_its_kind() -> None:
    for kind in KINDS.values():
        for name in preset_names(kind.name):
            preset = load_preset(name)
            assert {*preset.columns, *preset.constants, *preset.defaults, *preset.optional} <= set(kind.names)
    assert preset_names("costs") == ["openai-costs", "openai-usage"]
