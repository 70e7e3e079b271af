"""Values of JSON that a server may send: nested, of every type, with texts that are no text and numbers beyond use."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from((0, -1, 2**31, 2**63, 10**30, 1e300)),
)
TEXTS = st.one_of(
    st.text(st.characters(), max_size=40),
    st.sampled_from(("\ud83d", "a\udc00b", "\x00", "\ud83d\ude00", "7", "-7", "7.5", "NaN", "", " ", "x" * 5_000)),
)
NAMES = st.sampled_from(
    (
        *(
            "error",
            "message",
            "code",
            "type",
            "param",
            "detail",
            "loc",
            "msg",
            "status",
            "metadata",
            "reasons",
            "details",
        ),
        *("choices", "content", "text", "model", "usage", "finish_reason", "refusal", "delta", "parts", "candidates"),
        *("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens", "answers"),
    )
)


def json_values() -> st.SearchStrategy[Any]:
    """Return any value of JSON, the names in it mostly those that are read."""
    leaves = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.one_of(NAMES, TEXTS), inner, max_size=5)
        ),
        max_leaves=25,
    )
