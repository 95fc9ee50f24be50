"""Compiled counting of transitions and first diagnoses; `tools.dataset.transitions` says what is counted.

Codes are increasing within a visit. No array here may be read-only (see `jit.compiled`).
"""

import numpy as np
import numpy.typing as npt

from tools.numerics.jit import compiled

Int32 = npt.NDArray[np.int32]
UInt32 = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]


# Place of a lone bit of a word: by the six highest bits of its product with a de Bruijn sequence, in which
# every group of six bits comes once (Leiserson, Prokop, Randall 1998).
DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
PLACES = np.zeros(64, dtype=np.uint64)
for place in range(64):
    PLACES[((0x03F79D71B4CB0A89 << place) & 0xFFFFFFFFFFFFFFFF) >> 58] = place


@compiled
def holders(visit_offsets: Int64, code_offsets: Int64, codes: Int32, offsets: Int64, visits: Int32) -> None:
    """Visits with a successor that hold each code, a counting sort.

    Args:
        visit_offsets: see `Columns`.
        code_offsets: see `Columns`.
        codes: see `Columns`.
        offsets: where each code's visits begin, and the end, shape (n_codes + 1,).
        visits: to be filled, shape (offsets[-1],), increasing within a code.
    """
    place = offsets[:-1].copy()
    for p in range(len(visit_offsets) - 1):
        for v in range(visit_offsets[p], visit_offsets[p + 1] - 1):
            for e in range(code_offsets[v], code_offsets[v + 1]):
                visits[place[codes[e]]] = v
                place[codes[e]] += 1


@compiled
def unions(visit_offsets: Int64, code_offsets: Int64, codes: Int32, offsets: Int64, marked: UInt32) -> None:
    """The rows of W: the codes of each visit that has a successor, or of the successor.

    Args:
        visit_offsets: see `Columns`.
        code_offsets: see `Columns`.
        codes: see `Columns`.
        offsets: to be filled, shape (n_visits + 1,); a patient's last visit has no entries.
        marked: to be filled, twice the code, plus one where the successor has it, in order; shape
            (2 n_entries,) is enough.
    """
    n = 0
    for p in range(len(visit_offsets) - 1):
        for v in range(visit_offsets[p], visit_offsets[p + 1]):
            offsets[v] = n
            if v + 1 == visit_offsets[p + 1]:
                break
            later, end = code_offsets[v + 1], code_offsets[v + 2]
            for e in range(code_offsets[v], code_offsets[v + 1]):
                while later < end and codes[later] < codes[e]:
                    marked[n] = 2 * codes[later] + 1
                    later += 1
                    n += 1
                if later == end or codes[later] != codes[e]:
                    marked[n] = 2 * codes[e]
                    n += 1
            for e in range(later, end):
                marked[n] = 2 * codes[e] + 1
                n += 1
    offsets[len(code_offsets) - 1] = n


@compiled
def row_bound(starts: Int64, visits: Int32, offsets: Int64) -> int:
    """The most entries that `rows` can write.

    Args:
        starts: of `visits`, see `holders`.
        visits: see `holders`.
        offsets: see `unions`.
    """
    n_codes, total = len(starts) - 1, 0
    for a in range(n_codes):
        held = 0
        for h in range(starts[a], starts[a + 1]):
            held += offsets[visits[h] + 1] - offsets[visits[h]]
            if held >= n_codes:
                break
        total += min(held, n_codes)
    return total


@compiled
def rows(
    starts: Int64,
    visits: Int32,
    offsets: Int64,
    marked: UInt32,
    ends: Int64,
    union_columns: Int32,
    union_counts: Int32,
    next_columns: Int32,
    next_counts: Int32,
) -> None:
    """The rows of X^T W and of X^T (next visit), one code after the other, columns in order.

    A row is counted densely, two counts a column, and its columns found again by a bit each.

    Args:
        starts: of `visits`, see `holders`.
        visits: see `holders`.
        offsets: of `marked`, see `unions`.
        marked: see `unions`.
        ends: zeros, to be filled, shape (2, n_codes + 1): row offsets of the union and of the next visit.
        union_columns: to be filled, as long as `row_bound` says, like the other three.
        union_counts: to be filled.
        next_columns: to be filled.
        next_counts: to be filled.
    """
    # Unsigned numbers all through: a signed index would be checked for counting from the end.
    one, n_codes, n_union, n_next = np.uint64(1), len(starts) - 1, 0, 0
    counts = np.zeros(2 * n_codes, dtype=np.int32)
    touched = np.zeros((n_codes >> 6) + 1, dtype=np.uint64)
    for a in range(n_codes):
        for h in range(starts[a], starts[a + 1]):
            v = np.uint64(visits[h])
            for e in range(np.uint64(offsets[v]), np.uint64(offsets[v + one])):
                mark = np.uint64(marked[e])
                counts[mark] += 1
                touched[mark >> np.uint64(7)] |= one << ((mark >> one) & np.uint64(63))
        for strip in range(len(touched)):
            word = touched[strip]
            touched[strip] = 0
            while word:
                rest = word & (word - one)
                b = np.uint64(strip << 6) + PLACES[((word ^ rest) * DE_BRUIJN) >> np.uint64(58)]
                word = rest
                came = counts[2 * b + 1]
                union_columns[n_union] = b
                union_counts[n_union] = counts[2 * b] + came
                next_columns[n_next] = b
                next_counts[n_next] = came
                counts[2 * b] = counts[2 * b + 1] = 0
                n_union += 1
                n_next += came > 0
        ends[0, a + 1], ends[1, a + 1] = n_union, n_next


@compiled
def onsets(
    visit_offsets: Int64, code_offsets: Int64, codes: Int32, onsets_per_visit: Int32, tallies: Int64
) -> None:
    """First diagnoses by visit, and visits and patients by code.

    Args:
        visit_offsets: see `Columns`.
        code_offsets: see `Columns`.
        codes: see `Columns`.
        onsets_per_visit: zeros, to be counted into; see `Columns`.
        tallies: zeros, to be counted into, shape (3, n_codes): visits with a successor that hold the code,
            visits with a predecessor that do, patients who ever have it.
    """
    last_seen = np.full(tallies.shape[1], -1, dtype=np.int64)
    for p in range(len(visit_offsets) - 1):
        begin, end = visit_offsets[p], visit_offsets[p + 1]
        for v in range(begin, end):
            for e in range(code_offsets[v], code_offsets[v + 1]):
                c = codes[e]
                tallies[0, c] += v + 1 < end
                tallies[1, c] += v > begin
                if last_seen[c] != p:
                    last_seen[c] = p
                    tallies[2, c] += 1
                    onsets_per_visit[v] += 1


@compiled
def diagnoses(
    visit_offsets: Int64,
    code_offsets: Int64,
    codes: Int32,
    offsets: Int64,
    patients: Int32,
    visits: Int32,
) -> None:
    """The columns of A_D, one code after the other, with the visit of first diagnosis.

    Args:
        visit_offsets: see `Columns`.
        code_offsets: see `Columns`.
        codes: see `Columns`.
        offsets: see `Columns.diagnosis_offsets`.
        patients: to be filled, shape (offsets[-1],), like the other.
        visits: to be filled, visit of first diagnosis.
    """
    last_seen = np.full(len(offsets) - 1, -1, dtype=np.int64)
    place = offsets[:-1].copy()
    for p in range(len(visit_offsets) - 1):
        begin = visit_offsets[p]
        for v in range(begin, visit_offsets[p + 1]):
            for e in range(code_offsets[v], code_offsets[v + 1]):
                c = codes[e]
                if last_seen[c] != p:
                    last_seen[c] = p
                    patients[place[c]] = p
                    visits[place[c]] = v - begin
                    place[c] += 1
