from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.scoring.novelty import LATELY, NOTHING_SAID, SaidLately, grams_of, novelty
from agents.scoring.stage import ScoreStage
from schemas.records import DraftGenerated, DraftScored
from streams.engine.batch import TopicPartition
from tests.support.drafting import NOW, draft, outputs_to, rows, sample_directory
from tests.support.stage_driver import DrivenStage

SOURCE = TopicPartition("drafts.generated", 1)
TEXT = "My tomatoes died on a Tuesday. Too much water, a pot without holes, and me being sure that love is enough."


def test_a_copy_is_not_new_a_near_copy_hardly_and_another_text_is() -> None:
    said = [grams_of(TEXT)]
    assert novelty(grams_of(TEXT), said)[0] == 0.0
    assert novelty(grams_of(TEXT.replace("Tuesday", "Monday")), said)[0] < 0.25
    other = "I slept six hours after a night shift. A blanket over the window was all it took."
    assert novelty(grams_of(other), said)[0] > 0.85
    assert novelty(grams_of(other), []) == NOTHING_SAID


@given(st.lists(st.text(alphabet="abc xyz", max_size=60), max_size=6), st.text(alphabet="abc xyz", max_size=60))
def test_novelty_is_one_less_the_greatest_jaccard_similarity(lately: list[str], text: str) -> None:
    grams = grams_of(text)
    expected = [
        len(set(grams.tolist()) & set(each.tolist())) / len(set(grams.tolist()) | set(each.tolist()))
        for each in map(grams_of, lately)
        if grams.size
    ]
    assert novelty(grams, [grams_of(each) for each in lately])[0] == pytest.approx(1 - max(expected, default=0.0))


def fold(said: SaidLately, drafts: list[DraftGenerated], first: int = 0) -> tuple[list[float], dict[bytes, bytes]]:
    """Judge drafts as the stage does, all of them passing; return how new they are and the state that is left."""
    values: list[float] = []
    state: dict[bytes, bytes] = {}
    for offset, each in enumerate(drafts, start=first):
        new = said.novelty_of(each, offset)
        values.append(new[0])
        for key, value in said.remember(each, offset, new, passed=True):
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
    return values, state


def test_a_persona_is_compared_with_itself_only() -> None:
    drafts = [draft("A hook.", TEXT, draft_id=f"d{number}", persona_id=name) for number, name in enumerate("abab")]
    assert fold(SaidLately(), drafts)[0] == [1.0, 1.0, 0.0, 0.0]


def test_what_did_not_pass_was_not_said() -> None:
    said = SaidLately()
    first, second = draft("A hook.", TEXT, draft_id="d1"), draft("A hook.", TEXT, draft_id="d2")
    said.remember(first, 0, said.novelty_of(first, 0), passed=False)
    assert said.novelty_of(second, 1) == NOTHING_SAID


def test_only_the_last_20_of_a_persona_are_compared() -> None:
    said = SaidLately()
    drafts = [draft("A hook.", f"word{number} " * 5, draft_id=f"d{number}") for number in range(LATELY + 1)]
    drafts = [replace(each, text=each.body.replace("word", "")) for each in drafts]
    fold(said, drafts)
    assert said.novelty_of(replace(drafts[0], draft_id="again"), 99)[0] == 1.0
    assert said.novelty_of(replace(drafts[1], draft_id="again"), 99)[0] == 0.0


texts = st.lists(st.text(alphabet="ab cd", min_size=1, max_size=20), min_size=1, max_size=40)


@given(texts, st.data())
@settings(max_examples=60)
def test_a_replay_after_any_crash_finds_the_same(bodies: list[str], data: st.DataObject) -> None:
    drafts = [
        draft("H.", body, draft_id=f"d{number}", persona_id="ab"[number % 2]) for number, body in enumerate(bodies)
    ]
    values, state = fold(SaidLately(), drafts)
    reached = data.draw(st.integers(0, len(drafts)), label="durable up to")
    _, durable = fold(SaidLately(), drafts[:reached])
    assert fold(SaidLately(durable.items()), drafts)[0] == values
    assert fold(SaidLately(state.items()), drafts)[0] == values
    assert fold(SaidLately(state.items()), drafts, first=1_000)[0] == values  # sent again behind all others


def test_a_draft_that_is_rewritten_is_not_compared_with_itself() -> None:
    said = SaidLately()
    fold(said, [draft("A hook.", TEXT)])
    assert said.novelty_of(draft("A hook.", f"{TEXT} More."), 1) == NOTHING_SAID


def test_only_the_newest_drafts_are_kept_and_an_old_one_pushes_none_out() -> None:
    said = SaidLately(limit=3)
    drafts = [draft("A hook.", f"{TEXT} {number}", draft_id=f"d{number}") for number in range(5)]
    _, state = fold(said, drafts)
    assert sorted(state) == [b"d2", b"d3", b"d4"]
    assert said.remember(drafts[0], 0, said.novelty_of(drafts[0], 0), passed=True) == []


def test_what_was_pushed_out_is_compared_with_no_more_than_after_a_restart() -> None:
    said = SaidLately(limit=2)
    drafts = [draft("A hook.", f"{TEXT} {number}" * (number + 1), draft_id=f"d{number}") for number in range(4)]
    _, state = fold(said, drafts)
    restarted = SaidLately(state.items(), limit=2)
    copy = draft("A hook.", TEXT + " 0", draft_id="copy")
    assert said.novelty_of(copy, 9) == restarted.novelty_of(copy, 9)


async def test_the_stage_gives_a_repeated_post_a_lower_score_and_a_replayed_draft_the_same() -> None:
    stage = DrivenStage(ScoreStage(sample_directory(), threshold=0.5, clock=lambda: NOW))
    await stage.restore(SOURCE, [])
    batch = rows(SOURCE, [draft("A hook.", TEXT, draft_id="d1"), draft("A hook.", TEXT, draft_id="d2")])
    await stage.add(batch)
    effects = await stage.flush()
    scored = [each for each in outputs_to(effects, "drafts.scored") if isinstance(each, DraftScored)]
    assert scored[0].quality.score > scored[1].quality.score
    await stage.drop(SOURCE)
    await stage.restore(SOURCE, [(change.key, change.value) for change in effects.state if change.value is not None])
    await stage.add(batch)
    again = await stage.flush()
    assert outputs_to(again, "drafts.scored") == scored
    assert again.state == []
