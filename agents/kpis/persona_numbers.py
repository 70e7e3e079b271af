"""Numbers of personas: what arrays index by instead of text. They live as long as the process."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class PersonaNumbers:
    """Number personas from 0 in the order they come."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def of(self, personas: Iterable[str]) -> NDArray[np.int64]:
        """Return the numbers of personas, in their order; new ones are numbered."""
        return np.array([self._of(persona) for persona in personas], dtype=np.int64)

    def _of(self, persona: str) -> int:
        number = self._number.get(persona)
        if number is None:
            number = self._number[persona] = len(self._names)
            self._names.append(persona)
        return number

    def name(self, number: int) -> str:
        """Return the persona of a number."""
        return self._names[number]
