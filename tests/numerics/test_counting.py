import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.causal import tables
from tools.causal.strata import Groups
from tools.causal.tables import Family
from tools.numerics import bits, counting
from tools.numerics.counting import Packed

both_kernels = pytest.mark.parametrize("kernels", ["numba", "numpy"])


def columns(seed, n_rows, n_columns):
    """Random columns, rare and frequent, one never and one always 1."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0, 1, n_columns) ** 2
    share[:2] = 0.0, 1.0
    return rng.random((n_columns, n_rows)) < share[:, None]


def packed(values, kernels):
    words = np.array([bits.pack(value) for value in values]).reshape(len(values), -1)
    return Packed(words, values.shape[1], kernels)


def slow_counts(values, family):
    counts = np.zeros(2 ** len(family), np.int64)
    for row in values.T.astype(int):
        counts[sum(row[column] << place for place, column in enumerate(family))] += 1
    return counts


sizes = st.tuples(st.integers(0, 10_000), st.integers(1, 300), st.integers(2, 8))
drawn_columns = st.lists(st.integers(0, 7), max_size=6)


@given(sizes)
def test_packing_and_unpacking_give_the_columns_back(size):
    values = columns(*size)
    words = packed(values, "numpy").bits
    np.testing.assert_array_equal(bits.unpack(words, size[1]), values)
    np.testing.assert_array_equal(bits.pack_rows(map(np.flatnonzero, values), size[2], size[1]), words)
    assert int(np.bitwise_count(words).sum()) == values.sum()


@given(st.lists(st.integers(0, 15), min_size=1, max_size=200))
def test_binary_digits_give_the_numbers_back(numbers):
    numbers = np.array(numbers, np.int8)
    groups = Groups.of(numbers)
    assert groups.size == numbers.max() + 1
    np.testing.assert_array_equal(groups.numbers(len(numbers)), numbers)


@both_kernels
@settings(max_examples=60)
@given(sizes, st.lists(drawn_columns, min_size=1, max_size=5))
def test_family_counts_equal_a_slow_loop(kernels, size, families):
    values = columns(*size)
    families = [tuple(c % size[2] for c in family) for family in families]
    found = counting.family_counts(packed(values, kernels), families)
    for place, family in enumerate(families):
        np.testing.assert_array_equal(found.family(place), slow_counts(values, family))


@both_kernels
@settings(max_examples=60)
@given(sizes, drawn_columns)
def test_cells_and_added_columns_equal_a_slow_loop(kernels, size, family):
    values, family = columns(*size), tuple(c % size[2] for c in family)
    data = packed(values, kernels)
    cell = sum(
        (values[column].astype(int) << place for place, column in enumerate(family)), np.zeros(size[1], int)
    )
    np.testing.assert_array_equal(counting.cells(data, family), cell)
    found = counting.addition_counts(data, family, tuple(range(size[2])))
    for column in range(size[2]):
        np.testing.assert_array_equal(
            found[column], np.bincount(cell[values[column]], minlength=1 << len(family))
        )


@both_kernels
@pytest.mark.parametrize("n_rows", [1, 64, 4_097, 70_000])
@pytest.mark.parametrize("width", [0, 3, 8])
def test_counts_past_a_block_of_words_equal_a_bincount(kernels, n_rows, width):
    values = columns(n_rows, n_rows, 10)
    data, family = packed(values, kernels), tuple(range(1, 1 + width))
    cell = counting.cells(data, family)
    counts = np.bincount(cell, minlength=1 << width)
    np.testing.assert_array_equal(counting.family_counts(data, [family]).counts, counts)
    found = counting.addition_counts(data, family, (0, 1, 9))
    for place, column in enumerate((0, 1, 9)):
        np.testing.assert_array_equal(found[place], np.bincount(cell[values[column]], minlength=1 << width))


@both_kernels
@settings(max_examples=40)
@given(sizes, st.integers(0, 100), st.integers(0, 4))
def test_pairs_by_range_equal_a_product(kernels, size, seed, cut):
    values, others = columns(*size), columns(seed, size[1], 5)
    words = bits.n_words(size[1])
    starts = np.array([0, min(cut, words), words])
    found = counting.pair_counts(packed(values, kernels), packed(others, kernels), starts)
    for part, (begin, end) in enumerate(((starts[0], starts[1]), (starts[1], starts[2]))):
        rows = slice(64 * begin, 64 * end)
        expected = values[:, rows].astype(int) @ others[:, rows].T.astype(int)
        np.testing.assert_array_equal(found[part], expected)


def slow_table(values, family, numbers):
    """A family's table, one row after the other; `numbers` is the group of each row in each partition."""
    n_parents = len(family.parents)
    table = np.zeros((family.n_groups << n_parents, 2), int)
    for row in range(values.shape[1]):
        group = 0
        for partition, members in reversed(list(zip(family.groups, numbers, strict=True))):
            group = group * partition.size + int(members[row])
        pattern = sum(int(values[parent, row]) << place for place, parent in enumerate(family.parents))
        table[(group << n_parents) + pattern, int(values[family.effect, row])] += 1
    return table


@both_kernels
@settings(max_examples=60)
@given(sizes, st.integers(0, 3), st.lists(st.integers(1, 6), max_size=2), st.integers(0, 99))
def test_tables_by_group_equal_a_slow_loop(kernels, size, n_parents, groups, seed):
    values, rng = columns(*size), np.random.default_rng(seed)
    numbers = [rng.integers(0, n_groups, size[1]).astype(np.int8) for n_groups in groups]
    partitions = tuple(Groups.of(some, n) for some, n in zip(numbers, groups, strict=True))
    order = rng.permutation(size[2]).tolist()
    family = Family(order[0], tuple(order[1 : 1 + n_parents]), partitions)
    data = packed(values, kernels)
    expected = slow_table(values, family, numbers)
    np.testing.assert_array_equal(tables.table(data, family), expected)
    several = tables.count(data, [family, Family(order[0], ()), family])
    np.testing.assert_array_equal(family.trim(several.family(2)[None])[0], expected)
    candidates = tuple(order[1 + n_parents :])
    around = tables.neighbours(data, family, candidates)
    np.testing.assert_array_equal(around.own, expected)
    for candidate, found in zip(candidates, around.more, strict=True):
        larger = family._replace(parents=(*family.parents, candidate))
        np.testing.assert_array_equal(found, slow_table(values, larger, numbers))
    for place, found in enumerate(around.fewer):
        smaller = family._replace(parents=tuple(p for i, p in enumerate(family.parents) if i != place))
        np.testing.assert_array_equal(found, slow_table(values, smaller, numbers))
