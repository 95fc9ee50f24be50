"""Whether the values of a store's arrays stay inside their bounds, so that no index can point outside."""

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np

from tools.dataset.arrays import Array, blocks
from tools.dataset.columns import Columns, ends
from tools.safety.errors import InputError

_BY_DIAGNOSIS = ("diagnosis_patients", "diagnosis_visits")


class Integrity:
    """Looks at an array when it is first used, once; a store is not read to be opened.

    Bounds are checked, not contents: a change that stays within them shows in the sha256 only.

    Args:
        columns: of a store, see `columns.fit_together`.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._sound: set[str] = set()

    def require(self, *names: str) -> None:
        """Refuse arrays with values out of bounds.

        Args:
            names: fields of `Columns`, but the two that lie beside `diagnosis_patients`; for their slices
                see `require_diagnoses`.

        Raises:
            InputError: such an array.
        """
        for name in names:
            if name not in self._sound:
                _refuse_unless(self._checks[name]())
                self._sound.add(name)

    def require_diagnoses(self, entries: slice) -> None:
        """Refuse a slice of `diagnosis_patients` and what lies beside it with values out of bounds.

        Raises:
            InputError: such a slice.
        """
        self.require("visit_offsets")
        c = self._columns
        for block in blocks(entries.stop - entries.start):
            part = slice(entries.start + block.start, entries.start + block.stop)
            patients, visits = (getattr(c, name)[part] for name in _BY_DIAGNOSIS)
            _refuse_unless(_within(patients, 0, len(c.visit_offsets) - 1))
            length = c.visit_offsets[1:][patients] - c.visit_offsets[patients]
            _refuse_unless(_within(visits, 0) and bool(np.all(visits < length)))

    def require_rows(self, columns: Array, counts: Array) -> None:
        """Refuse some entries of the union's rows, or of the next visit's, with values out of bounds.

        Args:
            columns: of `union_columns` or `next_columns`.
            counts: those beside them.

        Raises:
            InputError: a column outside the vocabulary, or a count that is none.
        """
        _refuse_unless(_within(columns, 0, len(self._columns.denominators)))
        _refuse_unless(_within(counts, 1, len(self._columns.onsets_per_visit) + 1))

    def require_all(self) -> None:
        """Refuse the store where any array has values out of bounds.

        Raises:
            InputError: it has.
        """
        self.require(*self._checks)
        self.require_diagnoses(slice(0, len(self._columns.diagnosis_patients)))

    @cached_property
    def _checks(self) -> Mapping[str, Callable[[], bool]]:
        c, arrays = self._columns, self._columns._asdict()
        n_codes, n_visits = len(c.denominators), len(c.onsets_per_visit)
        bounds = {
            **dict.fromkeys(("codes", "union_columns", "next_columns"), (0, n_codes)),
            **dict.fromkeys(("union_counts", "next_counts"), (1, n_visits + 1)),
            **dict.fromkeys(("denominators", "arrivals"), (0, n_visits + 1)),
            "onsets_per_visit": (0, n_codes + 1),
        }
        within = {name: partial(_within, arrays[name], *bound) for name, bound in bounds.items()}
        rising = {name: partial(_rises_to, arrays[name], end) for name, end in ends(c).items()}
        return within | rising


def _refuse_unless(sound: bool) -> None:
    if not sound:
        raise InputError("store", "the arrays do not belong together; fit the records again")


def _within(values: Array, least: int, end: int | None = None) -> bool:
    if not len(values):
        return True
    return int(values.min()) >= least and (end is None or int(values.max()) < end)


def _rises_to(offsets: Array, end: int) -> bool:
    if offsets[0] != 0 or offsets[-1] != end:
        return False
    return all(
        bool(np.all(offsets[block.start + 1 : block.stop + 1] >= offsets[block]))
        for block in blocks(len(offsets) - 1)
    )
