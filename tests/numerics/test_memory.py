import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.causal.cohorts import random_matrix
from tools.causal.fitting import fit
from tools.causal.search import hill_climb
from tools.numerics.memory import Memory, size_of


def test_answers_are_kept_and_the_longest_unused_are_forgotten():
    memory, asked = Memory(4 * size_of("a")), []
    for key in ("a", "b", "a", "c", "a", "b"):
        assert memory.recall(key, lambda key=key: asked.append(key) or key) == key
    assert asked == ["a", "b", "c", "b"]
    assert len(memory) == 2


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 300), st.integers(0, 5))))
def test_answers_and_keys_never_take_more_than_they_may_whatever_their_sizes(answers):
    memory = Memory(1_000)
    for number, n_bytes, length in answers:
        key = (number,) * length
        memory.keep(key, np.zeros(n_bytes, np.uint8))
        assert sum(size_of(key) + size_of(answer) for key, answer in memory._answers.items()) <= 1_000
        assert len(memory.recall(key, pytest.fail)) == n_bytes


def test_an_answer_too_large_to_keep_is_given_all_the_same():
    memory = Memory(200)
    memory.keep("small", np.zeros(50, np.uint8))
    assert len(memory.recall("large", lambda: np.zeros(201))) == 201
    assert memory.recall("large", lambda: "again") == "again"


@given(st.lists(st.lists(st.sampled_from("abcde")), max_size=6))
def test_missing_answers_are_computed_once_and_all_come_in_the_order_asked_for(requests):
    memory, computed = Memory(10_000), []
    for keys in requests:

        def compute(places, keys=keys):
            computed.extend(keys[place] for place in places)
            return [keys[place] * 2 for place in places]

        assert memory.recall_all(keys, compute) == [key * 2 for key in keys]
        assert len(memory) == len(computed) == len(set(computed))


def test_the_size_of_an_answer_is_that_of_the_arrays_in_it():
    assert size_of((np.zeros(10), (np.zeros(5), "x"))) >= 120
    assert size_of((np.zeros(10), (np.zeros(5), "x"))) < 120 + 500
    assert size_of(tuple(range(100))) >= 800


def test_a_failed_computation_leaves_nothing_behind():
    memory = Memory(1_000)
    with pytest.raises(ZeroDivisionError):
        memory.recall("a", lambda: 1 // 0)
    assert len(memory) == 0
    assert memory.recall("a", lambda: None) is None


def test_none_is_an_answer_too():
    memory, asked = Memory(1_000), []
    for _ in range(2):
        memory.recall("a", lambda: asked.append("a"))
    assert asked == ["a"]


def test_a_matrix_dies_with_all_that_was_computed_about_it():
    matrix = random_matrix(0)
    fit(hill_climb(matrix), matrix)
    assert len(matrix.memory)
    watched = weakref.ref(matrix)
    del matrix
    assert watched() is None


def test_threads_that_share_a_matrix_get_what_one_alone_gets():
    alone = hill_climb(random_matrix(1), method="loglik")
    shared = random_matrix(1)
    with ThreadPoolExecutor(8) as pool:
        graphs = list(pool.map(lambda _: hill_climb(shared, method="loglik"), range(8)))
    assert set(graphs) == {alone}


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("ab"), min_size=1), st.permutations(range(6)), st.integers(1, 6))
    )
)
def test_rows_of_tables_are_computed_once_and_come_in_the_order_asked_for(requests):
    memory, computed = Memory(100_000), []
    for keys, order, n in requests:
        wanted, numbers = sorted(keys), np.array(order[:n])

        def compute(missing, wanted=wanted, numbers=numbers):
            cells = [(wanted[table], int(numbers[row])) for table, row in np.argwhere(missing)]
            computed.extend(cells)
            return np.array([[ord(key), number] for key, number in cells], dtype=float)

        for key, rows in zip(
            wanted, memory.recall_rows(wanted, [numbers] * len(wanted), compute), strict=True
        ):
            assert rows.tolist() == [[ord(key), number] for number in numbers.tolist()]
    assert len(computed) == len(set(computed))
