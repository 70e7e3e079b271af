from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.deduplication.accepted_drafts import AcceptedDrafts, Resemblance, Wording
from agents.deduplication.partition_memory import ExactTexts, PartitionMemory
from agents.deduplication.verdict import Verdict
from agents.embedding.embedders import OFFLINE
from agents.embedding.embedding import negations, normalised, text_hash
from tests.support.drafting import NOW


@pytest.mark.parametrize("name", OFFLINE)
async def test_embeddings_have_length_1_and_survive_float16(name: str) -> None:
    embedder = OFFLINE[name]()
    vectors = (await embedder.embed(["I sleep at noon.", "", "🙂", "Я сплю опівдні. \x00"])).vectors
    assert vectors.shape == (4, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, vectors.astype(np.float16).astype(np.float32))
    assert np.linalg.norm(vectors[0]) == pytest.approx(1.0, abs=2e-3)
    assert np.isfinite(vectors).all()
    assert (await embedder.embed([])).vectors.shape == (0, embedder.dimensions)
    await embedder.close()


@pytest.mark.parametrize("name", OFFLINE)
async def test_a_text_has_the_same_vector_whatever_is_embedded_with_it(name: str) -> None:
    embedder = OFFLINE[name]()
    texts = ["I sleep at noon.", "Borscht tastes better on the second day, and that is no legend.", "Ну й добре."]
    together = (await embedder.embed(texts)).vectors
    alone = np.concatenate([(await embedder.embed([text])).vectors for text in texts])
    assert np.array_equal(together, alone)


def test_case_signs_blanks_and_emoji_make_no_other_text() -> None:
    assert normalised("I  SLEEP\n at noon!! 🙂") == "i sleep at noon"
    assert text_hash("I sleep at noon.") == text_hash("i sleep   at NOON 🙂")
    assert text_hash("I sleep at noon.") != text_hash("I sleep at one.")
    assert text_hash("🙂") != text_hash("🚲")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("I never sleep, I don’t even lie down.", 2),
        ("Nichts hilft, und keiner kommt.", 2),
        ("No duermo nunca.", 2),
        ("Я НЕ сплю, і ніхто не спить.", 3),
        ("Knotted notes annoy everyone.", 0),
    ],
)
def test_words_that_deny_are_counted_in_four_languages(text: str, count: int) -> None:
    assert negations(text) == count


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.array(values, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def wording(draft_id: str, text: str = "h", persona_id: str = "p", denied: int = 0) -> Wording:
    return Wording(draft_id, persona_id, text, denied)


def test_a_draft_is_not_compared_with_another_wording_of_itself() -> None:
    accepted = AcceptedDrafts(2)
    accepted.put(wording("a", "first"), unit(1, 0))
    accepted.put(wording("a", "second"), unit(1, 0.1))
    assert accepted.nearest(wording("a", "third"), unit(1, 0)).own is None
    accepted.put(wording("b"), unit(1, 1))
    found = accepted.nearest(wording("a", "third"), unit(1, 0)).own
    assert found is not None
    assert found == Resemblance("b", "p", 0.707107)


def test_own_and_other_personas_are_told_apart() -> None:
    accepted = AcceptedDrafts(2)
    accepted.put(wording("mine", persona_id="p"), unit(1, 1))
    accepted.put(wording("theirs", persona_id="q"), unit(1, 0.5))
    found = accepted.nearest(wording("x"), unit(1, 0))
    assert (found.own and found.own.draft_id, found.other and found.other.draft_id) == ("mine", "theirs")
    assert accepted.nearest(wording("x", persona_id="new"), unit(1, 0)).own is None
    assert AcceptedDrafts(2).nearest(wording("x"), unit(1, 0)).other is None


@pytest.mark.parametrize(("by_negations", "nearest"), [(True, "affirmed"), (False, "denied")])
def test_texts_that_deny_differently_are_compared_only_where_vectors_tell_them_apart(
    by_negations: bool, nearest: str
) -> None:
    memory = PartitionMemory("m", 2, by_negations=by_negations)
    memory.remember(wording("affirmed", "h1"), Verdict("accepted"), NOW, unit(1, 1))
    memory.remember(wording("denied", "h2", denied=1), Verdict("accepted"), NOW, unit(1, 0))
    found = memory.nearest(wording("x"), unit(1, 0)).own
    assert found is not None
    assert found.draft_id == nearest


def test_the_nearest_is_the_same_in_whatever_order_drafts_came_and_went() -> None:
    there, back = AcceptedDrafts(2), AcceptedDrafts(2)
    for number in range(40):
        there.put(wording(f"d{number:02}"), unit(1, number))
    for number in reversed(range(60)):
        back.put(wording(f"d{number:02}"), unit(1, number))
    for number in (45, 40, 59, *range(46, 59), 41, 42, 43, 44):
        back.remove(wording(f"d{number:02}"))
    there.put(wording("twin"), unit(1, 7))
    back.put(wording("twin"), unit(1, 7))
    assert len(there) == len(back) == 41
    for number in range(60):
        asked = unit(1, number)
        assert there.nearest(wording("x"), asked) == back.nearest(wording("x"), asked)
    vector = back.vector_of(wording("d07"))
    assert vector is not None
    assert np.array_equal(vector, unit(1, 7))
    assert back.vector_of(wording("d59")) is None


def test_the_same_text_is_found_by_its_hash_in_the_own_persona_first() -> None:
    texts = ExactTexts()
    texts.put(wording("theirs", "h1", "q"))
    texts.put(wording("mine", "h1", "p"))
    assert texts.same_as(wording("x", "h1", "p")) == Resemblance("mine", "p", 1.0)
    assert texts.same_as(wording("mine", "h1", "p")) == Resemblance("theirs", "q", 1.0)
    texts.remove(wording("mine", "h1", "p"))
    texts.remove(wording("never there", "h9"))
    assert texts.same_as(wording("x", "h1", "p")) == Resemblance("theirs", "q", 1.0)
    texts.remove(wording("theirs", "h1", "q"))
    assert texts.same_as(wording("x", "h1", "p")) is None
