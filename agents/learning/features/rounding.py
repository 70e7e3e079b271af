"""Rounding of a layer's matrices so that what it says of headlines stays: closed form, no training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.floating[Any]]
_DAMPING = 0.01
_AT_ONCE = 64
_PARTS, _MOST_DROPPED = 16, 32


class Moments:
    """Sums of what goes into a matrix and what should come out, over many tokens."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.count = 0
        self._sums = np.zeros(inputs), np.zeros(outputs)
        self._products = np.zeros((inputs, inputs)), np.zeros((inputs, outputs))

    def add(self, given: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
        """Add tokens: `given` (..., inputs), `wanted` (..., outputs)."""
        given, wanted = given.reshape(-1, given.shape[-1]), wanted.reshape(-1, wanted.shape[-1])
        self.count += len(given)
        for number, each in enumerate((given, wanted)):
            np.add(self._sums[number], each.sum(axis=0), out=self._sums[number])
            np.add(self._products[number], given.T @ each, out=self._products[number])

    def centred(self) -> tuple[Matrix, Matrix]:
        """Return covariances of inputs, and of inputs with outputs."""
        given = self._sums[0] / self.count
        squares, crossed = (
            products / self.count - np.outer(given, sums / self.count)
            for sums, products in zip(self._sums, self._products, strict=True)
        )
        return squares, crossed

    def shift(self, matrix: Matrix, kept: NDArray[np.int64]) -> Matrix:
        """Return what is to be added after the matrix so that the mean is right."""
        given, wanted = self._sums
        return np.asarray((wanted - given[kept] @ matrix) / self.count)


@dataclass(frozen=True, slots=True)
class Rounded:
    """A matrix of small whole numbers times a step; `kept` are the inputs it still has."""

    codes: NDArray[np.int32]
    step: float
    shift: Matrix
    kept: NDArray[np.int64]


def rounded(moments: Moments, matrix: NDArray[np.float32], coarseness: float, keep: int | None = None) -> Rounded:
    """Return the matrix refitted to the wanted outputs, with `keep` of its inputs, rounded to steps.

    A step is `coarseness` of the root mean square of the weights. Inputs are dropped in the order of what their loss
    costs the outputs (optimal brain surgeon: Hassibi and Stork, 1993), and each rounding's error is made up for by the
    weights not yet rounded (Frantar et al., "GPTQ", 2023).
    """
    squares, crossed = moments.centred()
    damping = _DAMPING * np.trace(squares) / len(squares)
    inverse = np.linalg.inv(squares + damping * np.eye(len(squares)))
    weights = matrix + inverse @ (crossed - squares @ matrix)
    kept = np.arange(len(weights))
    while keep is not None and len(kept) > keep:
        cost = np.square(weights).sum(axis=1) / np.diag(inverse)
        number = int(np.clip((len(kept) - keep) // _PARTS, 1, _MOST_DROPPED))
        gone, left = np.split(np.argsort(cost, kind="stable"), [number])
        left.sort()
        made_up = inverse[np.ix_(left, gone)] @ np.linalg.inv(inverse[np.ix_(gone, gone)])
        weights = weights[left] - made_up @ weights[gone]
        inverse = inverse[np.ix_(left, left)] - made_up @ inverse[np.ix_(gone, left)]
        kept = kept[left]
    step = coarseness * float(np.sqrt(np.square(weights).mean()))
    codes = _rounded_in_turn(weights, inverse, step, np.argsort(np.diag(inverse), kind="stable"))
    return Rounded(codes, step, moments.shift(codes * step, kept), kept)


def _rounded_in_turn(weights: Matrix, inverse: Matrix, step: float, order: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the codes; `order` says which input's weights are rounded first: those that vary most."""
    left, upper = weights[order], np.linalg.cholesky(inverse[np.ix_(order, order)]).T
    codes = np.zeros(left.shape, dtype=np.int32)
    for start in range(0, len(left), _AT_ONCE):
        end = min(start + _AT_ONCE, len(left))
        errors = np.zeros((end - start, left.shape[1]))
        for row in range(start, end):
            codes[row] = np.rint(left[row] / step)
            errors[row - start] = (left[row] - codes[row] * step) / upper[row, row]
            left[row + 1 : end] -= np.outer(upper[row, row + 1 : end], errors[row - start])
        left[end:] -= upper[start:end, end:].T @ errors
    found = np.empty_like(codes)
    found[order] = codes
    return found
