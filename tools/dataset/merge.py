"""Joining stores: counts of patient-disjoint shards or sites add up to those of all their patients."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from tools.dataset import arrays, store
from tools.dataset.arrays import ArrayRecord, ArrayWriter, blocks
from tools.dataset.clinical import ClinicalDataset
from tools.dataset.columns import DTYPES, Columns, Int32, Int64
from tools.dataset.parts import Part, joined_vocabulary
from tools.dataset.transitions import refuse_too_many
from tools.numerics.runs import offsets, spans
from tools.safety.errors import InputError

_CELLS = 1 << 22  # of dense rows held at a time: 16 MiB
_ENTRIES = 1 << 20  # of columns of A_D held at a time, more where one code has more


def merge(
    stores: Sequence[Path | str], folder: Path | str, verify: bool = True, credentialed: bool = False
) -> ClinicalDataset:
    """Join stores into one, as if their patients had been counted together, one store's after the other's.

    The vocabularies may differ; a code that several name keeps its first name. Memory does not grow with
    the number of patients. Nobody may be in two of the stores: ids are not kept, so that cannot be checked.

    Args:
        stores: one or more, in the order in which their patients are numbered.
        folder: where the joint store goes, see `store.replacing`.
        verify: check each store's hashes and values first.
        credentialed: whether the joint store is, also where none of the stores is; it is if one of them is.

    Returns:
        The joint store, opened.

    Raises:
        InputError: no store is given, one is damaged, they have too many visits for one store, or the
            disk refuses.
    """
    if not stores:
        raise InputError("stores", "name one or more stores to join")
    parts = [Part.open(Path(path), verify) for path in stores]
    refuse_too_many(sum(part.n_visits for part in parts))
    vocabulary, columns = joined_vocabulary([part.vocabulary for part in parts])
    source = "+".join(sorted({name for part in parts for name in part.manifest.source.split("+")}))
    with store.replacing(Path(folder)) as fresh:
        written = _Joining(parts, columns, len(vocabulary), fresh).write()
        credentialed = credentialed or any(part.manifest.credentialed for part in parts)
        store.write(fresh, vocabulary, written, source, credentialed)
    return ClinicalDataset.open(folder)


class _Joining:
    """Writes the arrays of a joint store, one or a few at a time.

    Args:
        parts: what is joined.
        columns: for each part the joint column of each of its own, increasing; so a run of joint columns is
            a run of the part's, and what belongs to it lies in one piece.
        n_codes: size of the joint vocabulary.
        fresh: folder to write to.
    """

    def __init__(self, parts: Sequence[Part], columns: Sequence[Int64], n_codes: int, fresh: Path) -> None:
        self.parts = parts
        self.columns = columns
        self.n_codes = n_codes
        self.fresh = fresh

    def write(self) -> dict[str, ArrayRecord]:
        """All arrays of `Columns`."""
        records: dict[str, ArrayRecord] = {}
        records |= self._cuts("visit_offsets") | self._cuts("code_offsets")
        records |= self._appended("codes", renumber=True) | self._appended("onsets_per_visit")
        records |= self._added("denominators") | self._added("arrivals")
        records |= self._rows("union") | self._rows("next") | self._diagnoses()
        return {name: records[name] for name in Columns._fields}

    @contextmanager
    def _writers(self, *names: str) -> Iterator[list[ArrayWriter]]:
        with ExitStack() as stack:
            yield [stack.enter_context(ArrayWriter(self.fresh, name, DTYPES[name])) for name in names]

    def _cuts(self, name: str) -> dict[str, ArrayRecord]:
        end = np.int64(0)
        with self._writers(name) as (writer,):
            writer.append(np.zeros(1, dtype=np.int64))
            for part in self.parts:
                cuts = part.array(name)
                for block in blocks(len(cuts) - 1):
                    writer.append(cuts[1:][block] + end)
                end += cuts[-1]
        return {name: writer.record}

    def _appended(self, name: str, renumber: bool = False) -> dict[str, ArrayRecord]:
        with self._writers(name) as (writer,):
            for part, columns in zip(self.parts, self.columns, strict=True):
                values = part.array(name)
                for block in blocks(len(values)):
                    writer.append(columns[values[block]] if renumber else values[block])
        return {name: writer.record}

    def _added(self, name: str) -> dict[str, ArrayRecord]:
        total = np.zeros(self.n_codes, dtype=DTYPES[name])
        for part, columns in zip(self.parts, self.columns, strict=True):
            total[columns] += part.array(name)
        return {name: arrays.save(self.fresh, name, total)}

    def _rows(self, kind: str) -> dict[str, ArrayRecord]:
        """Rows of counts, some at a time: added up densely, then written as a sparse matrix's."""
        cut, *names = (f"{kind}_{what}" for what in ("offsets", "columns", "counts"))
        cuts = [part.array(cut) for part in self.parts]
        lengths = np.zeros(self.n_codes, dtype=np.int64)
        with self._writers(*names) as writers:
            for block in blocks(self.n_codes, max(_CELLS // max(self.n_codes, 1), 1)):
                dense = self._summed(block, cuts, names).ravel()
                cells = np.flatnonzero(dense)
                lengths[block] = np.bincount(cells // self.n_codes, minlength=block.stop - block.start)
                writers[0].append(cells % self.n_codes)
                writers[1].append(dense[cells])
        records = {name: writer.record for name, writer in zip(names, writers, strict=True)}
        return records | {cut: arrays.save(self.fresh, cut, offsets(lengths))}

    def _summed(self, block: slice, cuts: Sequence[Int64], names: Sequence[str]) -> Int32:
        """Dense rows of the joint counts, shape (rows of the block, n_codes)."""
        dense = np.zeros((block.stop - block.start, self.n_codes), dtype=np.int32)
        for part, columns, cut in zip(self.parts, self.columns, cuts, strict=True):
            first, end = np.searchsorted(columns, (block.start, block.stop))
            of_entry, counts = (part.read(name, slice(cut[first], cut[end])) for name in names)
            row = np.repeat((columns[first:end] - block.start) * self.n_codes, np.diff(cut[first : end + 1]))
            # A part has each pair once, so that the addition meets no cell twice.
            dense.ravel()[row + columns[of_entry]] += counts
        return dense

    def _diagnoses(self) -> dict[str, ArrayRecord]:
        """Columns of A_D, some at a time: those of the parts behind each other."""
        cut, *names = (f"diagnosis_{what}" for what in ("offsets", "patients", "visits"))
        cuts = [part.array(cut) for part in self.parts]
        lengths = np.zeros(self.n_codes, dtype=np.int64)
        for columns, of_part in zip(self.columns, cuts, strict=True):
            lengths[columns] += np.diff(of_part)
        ends = offsets(lengths)
        stops = np.searchsorted(ends, np.arange(_ENTRIES, ends[-1], _ENTRIES))
        edges = np.unique(np.r_[0, stops, self.n_codes])
        with self._writers(*names) as writers:
            for block in map(slice, edges[:-1], edges[1:]):
                gathered = self._gathered(block, ends[block.start : block.stop + 1], cuts, names)
                for writer, values in zip(writers, gathered, strict=True):
                    writer.append(values)
        records = {name: writer.record for name, writer in zip(names, writers, strict=True)}
        return records | {cut: arrays.save(self.fresh, cut, ends)}

    def _gathered(self, block: slice, ends: Int64, cuts: Sequence[Int64], names: Sequence[str]) -> Int32:
        """Patients and first visits of some codes, shape (2, n_entries)."""
        filled = ends[:-1] - ends[0]
        gathered = np.empty((2, int(ends[-1] - ends[0])), dtype=np.int32)
        n_before = 0
        for part, columns, cut in zip(self.parts, self.columns, cuts, strict=True):
            first, end = np.searchsorted(columns, (block.start, block.stop))
            here, lengths = columns[first:end] - block.start, np.diff(cut[first : end + 1])
            place = spans(filled[here], lengths)
            for row, name in zip(gathered, names, strict=True):
                row[place] = part.read(name, slice(cut[first], cut[end]))
            gathered[0, place] += np.int32(n_before)
            filled[here] += lengths
            n_before += part.n_patients
        return gathered
