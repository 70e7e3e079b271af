"""The embedders, offline and paid for, and which of them a setting names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from agents.embedding.embedding import Embedded, Embedder, Vectors, normalised, unit_rows
from agents.embedding.settings import EmbeddingSettings
from agents.llm.client import LanguageModelClient
from agents.llm.provider import provider_of
from agents.llm.settings import CallSettings
from streams.errors import SettingsError
from streams.settings import Settings

WORDLLAMA_DIMENSIONS = 256
NGRAM_DIMENSIONS = 512
RUNS = (3, 4, 5)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_SIGN = np.uint64(1)
_WORD_DIMENSIONS, _NGRAM_DIMENSIONS = 128, 256  # more raise no figure of the report and cost time for each draft


class WordLlamaEmbedder:
    """WordLlama's leading dimensions, up to 256: .1 ms a text, no network.

    Good for English; its tokens of other scripts are so short that all Ukrainian posts look alike (similarity over .8).
    """

    blind_to_negation = True

    def __init__(self, dimensions: int = WORDLLAMA_DIMENSIONS) -> None:
        import wordllama  # noqa: PLC0415 - importing it sets up logging: only where it is used, and after ours

        folder = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=folder, dim=WORDLLAMA_DIMENSIONS, disable_download=True)
        self.dimensions = dimensions
        self.model = f"wordllama-l2-supercat-{dimensions}"

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text, shape (texts, dimensions)."""
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        found = np.asarray(self._model.embed(list(texts), norm=False), dtype=np.float32)
        return unit_rows(found[:, : self.dimensions])  # trained so that a leading part is an embedding (Matryoshka)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts."""
        return Embedded(self.vectors(texts))

    async def close(self) -> None:
        """Nothing is open."""


class NgramEmbedder:
    """Signed feature hashing of the runs of 3 to 5 characters of the normalised text, by the roots of their counts.

    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009). Similar texts share many runs.
    """

    blind_to_negation = True

    def __init__(self, dimensions: int = NGRAM_DIMENSIONS) -> None:
        self.dimensions = dimensions
        self.model = f"character-ngrams-3-5-{dimensions}"

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text, shape (texts, dimensions)."""
        found = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            hashes, counts = np.unique(_hashed_runs(f" {normalised(text) or text} "), return_counts=True)
            signs = np.where(hashes & _SIGN, 1.0, -1.0)
            places = (hashes >> _HALF) % np.uint64(self.dimensions)
            weights = signs * np.sqrt(counts)
            found[row] = np.bincount(places.astype(np.int64), weights=weights, minlength=self.dimensions)
        return unit_rows(found)

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts."""
        return Embedded(self.vectors(texts))

    async def close(self) -> None:
        """Nothing is open."""


def _hashed_runs(text: str) -> NDArray[np.uint64]:
    """Return a 64-bit hash for each run of characters, the same on every machine."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    hashed = []
    for length in RUNS:
        count = max(0, len(codes) - length + 1)
        value = np.full(count, length, dtype=np.uint64)
        for place in range(length):
            value = (value ^ codes[place : place + count]) * _MULTIPLIER
            value ^= value >> _HALF
        hashed.append(value * _MIX)
    return np.concatenate(hashed)


class BlendedEmbedder:
    """WordLlama's vector and that of character runs side by side: their dot product is the mean of the two cosines.

    A draft must resemble in both: a pattern of words filled with another thing differs in meaning, and two Ukrainian
    posts that WordLlama takes for one differ in form.
    """

    blind_to_negation = True

    def __init__(self) -> None:
        self._parts = (WordLlamaEmbedder(_WORD_DIMENSIONS), NgramEmbedder(_NGRAM_DIMENSIONS))
        self.dimensions = _WORD_DIMENSIONS + _NGRAM_DIMENSIONS
        self.model = "+".join(part.model for part in self._parts)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a row a text, shape (texts, dimensions)."""
        return unit_rows(np.concatenate([part.vectors(texts) for part in self._parts], axis=1))

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts."""
        return Embedded(self.vectors(texts))

    async def close(self) -> None:
        """Nothing is open."""


class OpenAIEmbedder:
    """A provider's embeddings, cut to their leading `dimensions`.

    The models of the text-embedding-3 family are made to be cut (Matryoshka; OpenAI's guide to embeddings); for one
    that is not, `dimensions` must be its full length.
    """

    blind_to_negation = False

    def __init__(self, client: LanguageModelClient, model: str, dimensions: int) -> None:
        self._client = client
        self._asked = model
        self.dimensions = dimensions
        self.model = f"{model}-{dimensions}"

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the vectors of some texts; the client's faults pass through."""
        if not texts:
            return Embedded(np.empty((0, self.dimensions), dtype=np.float32))
        started = time.monotonic()
        answer = await self._client.embed(self._asked, texts)
        latency_ms = round((time.monotonic() - started) * 1000)
        length = answer.vectors.shape[1]
        if length < self.dimensions:
            raise SettingsError(
                f"{self._asked} gives {length} numbers a text, fewer than the {self.dimensions} asked for; "
                f"set THREADS_EMBEDDING_DIMENSIONS={length}"
            )
        return Embedded(unit_rows(answer.vectors[:, : self.dimensions]), answer.usage, answer.model, latency_ms)

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.close()


OFFLINE: Mapping[str, Callable[[], Embedder]] = MappingProxyType(
    {"blend": BlendedEmbedder, "wordllama": WordLlamaEmbedder, "ngram": NgramEmbedder}
)
"""The embedders that run in this process, by the name in THREADS_EMBEDDER."""


def embedder_of(settings: Settings) -> Embedder:
    """Return the embedder that THREADS_EMBEDDER names.

    Raises:
        SettingsError: it needs a provider and none is configured.
    """
    wanted = settings.of(EmbeddingSettings)
    if wanted.embedder in OFFLINE:
        return OFFLINE[wanted.embedder]()
    if not (settings.openai_api_key or settings.openai_base_url):
        raise SettingsError(
            "THREADS_EMBEDDER=openai needs a provider: set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server, "
            f"or choose one that runs here: {', '.join(OFFLINE)}"
        )
    client = LanguageModelClient(provider_of(settings), timeout_s=settings.of(CallSettings).llm_timeout_s)
    return OpenAIEmbedder(client, wanted.embedding_model, wanted.embedding_dimensions)
