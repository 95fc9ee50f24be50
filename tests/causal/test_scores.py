import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, random_matrix
from tools.causal import scores
from tools.causal.dag import CausalGraph
from tools.causal.fitting import fit
from tools.safety.errors import InputError


def random_graph(seed, share=0.4) -> CausalGraph:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(KEYS))
    pairs = [(i, j) for i in range(len(KEYS)) for j in range(i + 1, len(KEYS)) if rng.random() < share]
    return CausalGraph(KEYS, [(KEYS[order[i]], KEYS[order[j]]) for i, j in pairs])


seeds = st.integers(0, 10_000)


def slow_log_likelihood(graph, matrix):
    """Eq. 5, patient by patient, with P counted anew for each family."""
    rows = [dict(zip(matrix.nodes, row, strict=True)) for row in matrix.values.tolist()]
    total = 0.0
    for node in graph.nodes:
        parents = graph.parents(node)
        seen, had = {}, {}
        for row in rows:
            pattern = tuple(row[parent] for parent in parents)
            seen[pattern] = seen.get(pattern, 0) + 1
            had[pattern] = had.get(pattern, 0) + row[node]
        for row in rows:
            pattern = tuple(row[parent] for parent in parents)
            share = had[pattern] / seen[pattern]
            total += np.log(share if row[node] else 1 - share)
    return total


@settings(max_examples=20)
@given(seeds)
def test_log_likelihood_equals_a_slow_loop(seed):
    graph, matrix = random_graph(seed), random_matrix(seed, 60)
    assert scores.log_likelihood(graph, matrix) == pytest.approx(
        slow_log_likelihood(graph, matrix), rel=1e-10
    )


@pytest.mark.parametrize("seed", range(20))
def test_log_likelihood_and_bic_equal_pgmpy(seed):
    pytest.importorskip("pgmpy")
    import pandas as pd
    from pgmpy.structure_score import BIC, LogLikelihood

    graph, matrix = random_graph(seed), random_matrix(seed)
    table = pd.DataFrame(matrix.values, columns=list(matrix.nodes))
    names = {node: [0, 1] for node in matrix.nodes}
    for peer, ours in ((LogLikelihood, scores.log_likelihood), (BIC, scores.bic)):
        judge = peer(table, state_names=names)
        expected = sum(judge.local_score(node, graph.parents(node)) for node in graph.nodes)
        assert ours(graph, matrix) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=50)
@given(seeds)
def test_likelihoods_never_fall_when_an_edge_is_added(seed):
    graph, matrix = random_graph(seed), random_matrix(seed)
    penalty = 0.5 * np.log(matrix.n_patients)
    for edge in graph.edges:
        fewer = graph.edit(remove=[edge])
        assert scores.log_likelihood(graph, matrix) >= scores.log_likelihood(fewer, matrix) - 1e-9
        fitted = scores.noisy_or_bic(graph, matrix) + penalty
        assert fitted >= scores.noisy_or_bic(fewer, matrix) - 1e-6


@given(seeds)
def test_bic_cannot_tell_the_direction_of_a_covered_edge(seed):
    graph, matrix = random_graph(seed), random_matrix(seed)
    for cause, effect in graph.edges:
        if set(graph.parents(effect)) - {cause} == set(graph.parents(cause)):
            other = graph.edit(add=[(effect, cause)], remove=[(cause, effect)])
            assert scores.bic(other, matrix) == pytest.approx(scores.bic(graph, matrix), rel=1e-12)


@settings(max_examples=30)
@given(seeds, st.sampled_from(sorted(scores.SCORES)))
def test_added_parents_scored_in_one_call_equal_one_by_one(seed, method):
    graph, matrix = random_graph(seed), random_matrix(seed)
    node, parents = KEYS[0], graph.parents(KEYS[0])
    others = [key for key in KEYS[1:] if key not in parents]
    columns = tuple(matrix.column(key) for key in others)
    together = scores.addition_scores(matrix, node, parents, columns, method)
    alone = [scores.local_score(matrix, node, (*parents, key), method) for key in others]
    np.testing.assert_allclose(together, alone, rtol=1e-8, atol=1e-6)


@settings(max_examples=20)
@given(seeds, st.sampled_from(sorted(scores.SCORES)))
def test_an_edge_gains_what_the_score_loses_without_it(seed, method):
    graph, matrix = random_graph(seed), random_matrix(seed)
    fitted = fit(graph, matrix, method)
    assert [(edge.cause, edge.effect) for edge in fitted.edges] == list(graph.edges)
    assert fitted.score == pytest.approx(scores.total_score(graph, matrix, method))
    assert fitted.log_likelihood >= fitted.empty_log_likelihood
    for edge in fitted.edges:
        without = scores.total_score(graph.edit(remove=[edge[:2]]), matrix, method)
        assert edge.gain == pytest.approx(fitted.score - without, abs=1e-6)
        assert 0 <= edge.lower <= edge.strength <= edge.upper <= 1


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=8))
def test_a_graph_is_made_exactly_when_its_edges_have_no_cycle(edges):
    peer = nx.DiGraph(edges)
    if nx.is_directed_acyclic_graph(peer):
        graph = CausalGraph(KEYS, edges)
        place = {node: i for i, node in enumerate(graph.order)}
        assert all(place[cause] < place[effect] for cause, effect in graph.edges)
    else:
        with pytest.raises(InputError, match=r"cycle|self-loop"):
            CausalGraph(KEYS, edges)


def test_bad_arguments_are_refused():
    matrix = random_matrix(0)
    with pytest.raises(InputError, match="not a column"):
        scores.log_likelihood(CausalGraph(["99999"]), matrix)
    with pytest.raises(InputError, match="method"):
        scores.total_score(CausalGraph(KEYS), matrix, "guess")
    many = tuple(f"P{i}" for i in range(scores.MAX_PARENTS + 1))
    with pytest.raises(InputError, match="direct causes"):
        scores.local_score(matrix, KEYS[0], many, "bic")


@settings(max_examples=50)
@given(seeds)
def test_descendants_are_what_a_path_leads_to(seed):
    graph = random_graph(seed)
    for node in KEYS:
        assert graph.descendants(node) == {other for other in KEYS if node in graph.ancestors(other)}
