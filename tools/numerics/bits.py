"""Binary columns packed 64 rows to a word, so that a word's worth of patients is counted at once."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]

WORD = 64


def n_words(n_rows: int) -> int:
    """How many words hold a column of `n_rows`."""
    return -(-n_rows // WORD)


def pack(values: npt.NDArray[np.bool_]) -> Words:
    """Pack a column, shape (n_rows,), into words, shape (n_words,): row r is bit r % 64 of word r // 64."""
    padded = np.zeros(n_words(len(values)) * WORD, dtype=np.bool_)
    padded[: len(values)] = values
    return np.packbits(padded, bitorder="little").view(np.uint64)


def pack_rows(rows: Iterable[npt.NDArray[np.integer]], n_columns: int, n_rows: int) -> Words:
    """Pack columns from the rows in which each is 1, shape (n_columns, n_words)."""
    columns = np.empty((n_columns, n_words(n_rows)), dtype=np.uint64)
    values = np.zeros(columns.shape[1] * WORD, dtype=np.bool_)
    for column, ones in zip(columns, rows, strict=True):
        values[ones] = True
        column[:] = np.packbits(values, bitorder="little").view(np.uint64)
        values[ones] = False
    return columns


def unpack(words: Words, n_rows: int) -> npt.NDArray[np.uint8]:
    """The column behind some words: 0 or 1, shape (..., n_rows)."""
    flat = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(flat, axis=-1, count=n_rows, bitorder="little")


def planes(numbers: npt.NDArray[np.integer], size: int) -> Words:
    """The binary digits of some numbers below `size` as columns, lowest digit first.

    A variable of `size` values joins a count of binary columns as these (size - 1).bit_length() columns.

    Returns:
        Shape (n_digits, n_words); no rows where `size` is 1.
    """
    digits = (size - 1).bit_length()
    return (
        np.array([pack((numbers >> digit & 1).astype(np.bool_)) for digit in range(digits)])
        .reshape(digits, n_words(len(numbers)))
        .astype(np.uint64)
    )
