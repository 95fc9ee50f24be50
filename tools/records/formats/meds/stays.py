"""When the events of a stay other than its diagnoses were, to tell diagnoses that came with its end."""

import numpy as np
import numpy.typing as npt

from tools.records.build import grouped, stacked
from tools.records.cohort import IntArray


class StayTimes:
    """First and last time of each (patient, stay), collected batch by batch."""

    def __init__(self) -> None:
        self._parts: list[tuple[IntArray, IntArray, IntArray, IntArray]] = []

    def add(self, patient: IntArray, stay: IntArray, time: IntArray) -> None:
        """Add events.

        Args:
            patient: number of the patient, shape (n_events,).
            stay: number of the stay, shape (n_events,).
            time: seconds, shape (n_events,).
        """
        if len(time):
            self._parts.append(_spans(patient, stay, time, time))

    def ended_by(self, patient: IntArray, stay: IntArray, time: IntArray) -> npt.NDArray[np.bool_]:
        """Whether stays had events before a time and none after it.

        Args:
            patient: number of the patient, shape (n,).
            stay: number of the stay, shape (n,).
            time: seconds, shape (n,).
        """
        if not (len(self._parts) and len(time)):
            return np.zeros(len(time), dtype=bool)
        who, where, first, last = _spans(*(stacked(column) for column in zip(*self._parts, strict=True)))
        width = int(max(where.max(), stay.max())) + 1
        keys, wanted = who * width + where, patient * width + stay
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.asarray((keys[at] == wanted) & (first[at] < time) & (last[at] <= time), dtype=bool)


def _spans(
    patient: IntArray, stay: IntArray, first: IntArray, last: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Each (patient, stay) once, in order, with the least of its first times and the greatest of its last."""
    who, where, pair = grouped(patient, stay)
    earliest = np.full(len(who), np.iinfo(np.int64).max)
    latest = np.full(len(who), np.iinfo(np.int64).min)
    np.minimum.at(earliest, pair, first)
    np.maximum.at(latest, pair, last)
    return who, where, earliest, latest
