"""The quality of a draft: features in [0, 1] with reasons, their weighted mean, and gates that nothing outweighs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agents.guard.findings import GuardPolicy, text_findings
from agents.scoring.hook_strength import hook_strength
from agents.scoring.novelty import NOTHING_SAID
from agents.scoring.weights import GATES, WEIGHTS
from agents.scoring.words import Lexicon, language_match, lexicons, sentences_of, words_of
from schemas.records import DraftGenerated, Quality, QualityFeature

Scored = tuple[float, str]
_DIGIT = re.compile(r"\d")
_INNER_NAME = re.compile(r"(?<=[a-zà-ÿа-яєіїґ,;] )[A-ZÀ-ÞА-ЯЄІЇҐ][\w'’-]+")
_CONTENT_LETTERS = 5
_TERSE, _SHORT, _LONG, _LIMIT = 40, 90, 420, 500
_GRAM = 3
_FEWEST_WORDS = 6
_LONGEST_WORD = 30


def score_draft(
    draft: DraftGenerated,
    *,
    banned_phrases: Sequence[str],
    threshold: float,
    novelty: Scored = NOTHING_SAID,
    weights: Mapping[str, float] = WEIGHTS,
) -> Quality:
    """Return the quality of a draft in [0, 1]; it passes at the threshold or above it with every gate met.

    `novelty` says how new it is against what its persona said lately (novelty.py), and why. `weights` has one for each
    feature, 1 together.
    """
    found = {
        "hook_strength": hook_strength(draft.hook, draft.language),
        "readability": readability(draft.text, is_whole=ends_whole(draft.body or draft.hook)),
        "specificity": specificity(draft.text, draft.language),
        "length_fit": length_fit(draft.text),
        "coherence": coherence(draft.text),
        "language_match": language_match(draft.text, draft.language),
        "novelty": novelty,
        "safety": safety(draft.text, banned_phrases),
    }
    score = sum(weights[name] * value for name, (value, _) in found.items())
    gated = all(found[name][0] >= least for name, least in GATES.items())
    return Quality(
        score=round(score, 6),
        threshold=threshold,
        passed=gated and round(score, 6) >= threshold,
        features=tuple(
            QualityFeature(name=name, value=round(value, 6), weight=weights[name], reason=reason)
            for name, (value, reason) in found.items()
        ),
    )


def failures(quality: Quality) -> tuple[str, ...]:
    """Return why a quality does not pass, one reason each; empty when it passes."""
    if quality.passed:
        return ()
    reasons = [
        f"quality: {each.name} {each.value:.2f} is under {GATES[each.name]:.2f}: {each.reason}"
        for each in quality.features
        if each.name in GATES and each.value < GATES[each.name]
    ]
    if quality.score < quality.threshold:
        reasons.append(f"quality: score {quality.score:.2f} is under {quality.threshold:.2f}{_weakest(quality)}")
    return tuple(reasons) or (f"quality: did not pass with score {quality.score:.2f}",)


def _weakest(quality: Quality) -> str:
    if not quality.features:  # a foreign producer may leave them out
        return ", and no features say why"
    weakest = min(quality.features, key=lambda each: (each.value - 1.0) * each.weight)
    return f", mostly for {weakest.name} {weakest.value:.2f}: {weakest.reason}"


def _rising(value: float, worst: float, best: float) -> float:
    return min(max((value - worst) / (best - worst), 0.0), 1.0)


def _lexicon(language: str) -> Lexicon | None:
    return lexicons().get(language)


def ends_whole(body: str) -> bool:
    """Tell whether a body ends as a sentence does, or with a sign such as an emoji, and not within its words."""
    end = body.rstrip()[-1:]
    return bool(end) and not (end.isalnum() or end in ",;:-–—")


def readability(text: str, *, is_whole: bool = True) -> Scored:
    """Score short sentences of plain words: best at 6 to 18 words a sentence and under 5.5 letters a word.

    A text that breaks off is hard to read whatever its words.
    """
    words, sentences = words_of(text), sentences_of(text)
    if not words or not sentences:
        return 0.0, "no whole sentence"
    if not is_whole:
        return 0.0, "breaks off within a sentence"
    per_sentence = len(words) / len(sentences)
    letters = sum(map(len, words)) / len(words)
    value = min(
        _rising(per_sentence, 2.0, 6.0),
        _rising(per_sentence, 40.0, 18.0),
        _rising(letters, 9.0, 5.5),
        _rising(letters, 1.5, 3.0),
    )
    return value, f"{per_sentence:.1f} words a sentence, {letters:.1f} letters a word"


def specificity(text: str, language: str) -> Scored:
    """Score concrete detail: numbers, names and different content words; vague words count against it."""
    words, lexicon = words_of(text), _lexicon(language)
    if not words:
        return 0.0, "no words"
    plain = lexicon.function_words if lexicon else frozenset[str]()
    content = {word for word in words if word not in plain and len(word) >= _CONTENT_LETTERS}
    numbers = sum(1 for word in words if _DIGIT.search(word) or (lexicon and word in lexicon.number_words))
    vague = sum(1 for word in words if lexicon and word in lexicon.vague_words)
    names = len(_INNER_NAME.findall(text)) if language != "de" else 0  # German writes every noun with a capital
    details = 0.08 * len(content) + 0.15 * min(numbers, 3) + 0.1 * min(names, 2) - 0.12 * vague
    return min(max(details, 0.0), 1.0), f"{len(content)} content words, {numbers} numbers, {vague} vague words"


def length_fit(text: str) -> Scored:
    """Score the length of the post: best from 90 to 420 characters of the 500 that Threads takes."""
    length = len(text)
    value = _rising(length, _TERSE, _SHORT) if length <= _LONG else _rising(length, _LIMIT + 1, _LONG)
    return value, f"{length} characters"


def safety(text: str, banned_phrases: Sequence[str]) -> Scored:
    """Score 1 when the guard finds nothing that forbids publishing, else 0 with every finding."""
    found = text_findings(text, GuardPolicy(banned_phrases=banned_phrases))
    return (0.0, "; ".join(map(str, found))) if found else (1.0, "nothing found")


def repeated_share(words: Sequence[str]) -> float:
    """Return the share of three-word runs that occurred before in the text, in [0, 1]."""
    grams = [tuple(words[start : start + _GRAM]) for start in range(len(words) - _GRAM + 1)]
    return 1.0 - len(set(grams)) / len(grams) if grams else 0.0


def distinct_share(words: Sequence[str]) -> float:
    """Return distinct words / words, 0 for no words (type-token ratio)."""
    return len(set(words)) / len(words) if words else 0.0


def coherence(text: str) -> tuple[float, str]:
    """Return how free of repetition a text is, in [0, 1], and why.

    A fifth of the three-word runs repeated, or less than 45 % distinct words, or two sentences of three alike, is 0.
    """
    words = words_of(text)
    if len(words) < _FEWEST_WORDS:
        return 0.0, f"only {len(words)} words"
    if max(map(len, words)) > _LONGEST_WORD:
        return 0.0, "a word of over 30 letters"
    sentences = [" ".join(words_of(sentence)) for sentence in sentences_of(text)]
    alike = 1.0 - len(set(sentences)) / len(sentences) if sentences else 0.0
    repeated, distinct = repeated_share(words), distinct_share(words)
    value = min(
        _falling(repeated, best=0.04, worst=0.20),
        _falling(1.0 - distinct, best=0.35, worst=0.55),
        _falling(alike, best=0.0, worst=0.5),
    )
    return value, f"{repeated:.0%} of three-word runs repeated, {distinct:.0%} of words distinct"


def _falling(value: float, *, best: float, worst: float) -> float:
    return min(max((worst - value) / (worst - best), 0.0), 1.0)
