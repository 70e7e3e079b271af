from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from agents.deduplication.commands import deduplication
from agents.deduplication.draft_vectors import token_shares
from agents.deduplication.verdict import FITTED


def test_the_report_prints_the_figures_of_every_offline_embedder_as_json() -> None:
    result = CliRunner().invoke(deduplication, ["report", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert {name: (both["own"]["limit"], both["across"]["limit"]) for name, both in found.items()} == {
        name: (limits.own, limits.across) for name, limits in FITTED.items()
    }
    assert set(found["blend"]["own"]["held_out"]) == {"precision", "recall", "f1"}
    assert found["blend"]["own"]["caught"]["unrelated"]["caught"] == 0


def test_the_report_reads_the_pairs_it_is_given(tmp_path: Path) -> None:
    path = tmp_path / "my pairs.yaml"
    path.write_text('pairs: {near-copy: [["I sleep at noon.", "I sleep at noon!"]]}', encoding="utf-8")
    result = CliRunner().invoke(deduplication, ["report", "--embedder", "ngram", "--pairs", str(path)])
    assert result.exit_code == 0, result.output
    assert "near-copy" in result.output
    assert "1/1" in result.output


def test_the_tokens_of_a_call_are_shared_out_by_length_and_add_up() -> None:
    assert token_shares(10, [1, 1, 1]) == [3, 3, 4]
    assert token_shares(7, [100, 0, 40]) == [5, 0, 2]
    assert token_shares(3, [0, 0]) == [1, 2]
    assert token_shares(0, [5]) == [0]
