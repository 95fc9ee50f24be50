import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.causal.cohorts import random_matrix
from tools.causal.fitting import fit
from tools.causal.memory import Memory
from tools.causal.search import hill_climb


def test_answers_are_kept_and_the_longest_unused_are_forgotten():
    memory, asked = Memory(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        assert memory.recall(key, lambda key=key: asked.append(key) or key) == key
    assert asked == ["a", "b", "c", "b"]
    assert len(memory) == 2


def test_a_failed_computation_leaves_nothing_behind():
    memory = Memory(2)
    with pytest.raises(ZeroDivisionError):
        memory.recall("a", lambda: 1 // 0)
    assert len(memory) == 0
    assert memory.recall("a", lambda: None) is None


def test_none_is_an_answer_too():
    memory, asked = Memory(2), []
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
