import pickle
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causal.cohorts import KEYS, dataset, numbered, random_matrix
from tools.causal import scores
from tools.causal.cell_scores import CELL_SCORES
from tools.causal.dag import CausalGraph
from tools.causal.fitting import fit
from tools.causal.models import MODELS
from tools.causal.tables import MAX_PARENTS
from tools.causal.toggled import toggled_scores
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


PEERS = {"loglik": "LogLikelihood", "bic": "BIC", "aic": "AIC", "bdeu": "BDeu", "k2": "K2"}


@pytest.mark.parametrize("kernels", ["numba", "numpy"])
@pytest.mark.parametrize("seed", range(20))
def test_table_scores_equal_pgmpy(seed, kernels):
    structure_score = pytest.importorskip("pgmpy.structure_score")
    import pandas as pd

    graph, matrix = random_graph(seed), random_matrix(seed, 40 + 40 * (seed % 3), kernels=kernels)
    table = pd.DataFrame(matrix.values, columns=list(matrix.nodes))
    names = {node: [0, 1] for node in matrix.nodes}
    for name, peer in PEERS.items():
        judge = getattr(structure_score, peer)(
            table, state_names=names, **({"equivalent_sample_size": 7} if name == "bdeu" else {})
        )
        expected = sum(judge.local_score(node, graph.parents(node)) for node in graph.nodes)
        score = scores.Score(name, ess=7.0)
        assert scores.total_score(graph, matrix, score) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=50)
@given(seeds)
def test_likelihoods_never_fall_when_an_edge_is_added(seed):
    graph, matrix = random_graph(seed), random_matrix(seed)
    penalty = 0.5 * np.log(matrix.n_patients)
    for edge in graph.edges:
        fewer = graph.edit(remove=[edge])
        assert scores.log_likelihood(graph, matrix) >= scores.log_likelihood(fewer, matrix) - 1e-9
        for method in ("noisy_or_bic", "logistic_bic"):
            more = scores.total_score(graph, matrix, method) + penalty
            assert more >= scores.total_score(fewer, matrix, method) - 1e-6


@given(seeds)
def test_table_scores_cannot_tell_the_direction_of_a_covered_edge(seed):
    graph, matrix = random_graph(seed), random_matrix(seed)
    for cause, effect in graph.edges:
        if set(graph.parents(effect)) - {cause} == set(graph.parents(cause)):
            other = graph.edit(add=[(effect, cause)], remove=[(cause, effect)])
            for method in ("loglik", "bic", "aic", "bdeu"):
                turned, as_it_was = (scores.total_score(g, matrix, method) for g in (other, graph))
                assert turned == pytest.approx(as_it_was, abs=1e-9)


every_score = st.one_of(
    st.sampled_from(scores.SCORES),
    st.sampled_from(["bic", "bdeu", "k2"]).map(lambda name: scores.Score(name, by_burden=True, ess=3.0)),
    st.sampled_from(["table", "logistic", "auto"]).map(lambda model: scores.Score("heldout", model=model)),
)
kernels = st.sampled_from(["numba", "numpy"])


@settings(max_examples=40)
@given(seeds, every_score, kernels)
def test_a_family_and_its_neighbours_scored_from_one_count_equal_one_by_one(seed, method, kernels):
    graph, matrix = random_graph(seed), random_matrix(seed, kernels=kernels)
    wanted = scores.columns(matrix, KEYS[0], graph.parents(KEYS[0]))
    toggled = [set(wanted.parents) ^ ({c} - {wanted.effect}) for c in range(len(KEYS))]
    alone = [
        one_score(matrix, scores.Wanted(wanted.effect, tuple(sorted(parents))), method) for parents in toggled
    ]
    tolerance = {"abs": 1e-9} if scores.named(method).name in CELL_SCORES else {"rel": 1e-8, "abs": 1e-6}
    some = np.array([3, 1])
    for columns in (some, np.arange(len(KEYS)), some):
        together = toggled_scores(matrix, [wanted], [columns], method)[0]
        assert together.tolist() == pytest.approx([alone[c] for c in columns], **tolerance)


@settings(max_examples=30)
@given(seeds, every_score, kernels)
def test_families_scored_together_score_as_each_alone(seed, method, kernels):
    graph, every = random_graph(seed), np.arange(len(KEYS))
    matrix, alone = (random_matrix(seed, kernels=kernels) for _ in range(2))
    families = [scores.columns(matrix, key, graph.parents(key)) for key in KEYS]
    some = [every[seed % 2 :: 2] if one.effect % 2 else every for one in families]
    together = toggled_scores(matrix, families, some, method)
    for found, one, columns in zip(together, families, some, strict=True):
        [expected] = toggled_scores(alone, [one], [columns], method)
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-9)


def one_score(matrix, wanted, method):
    return scores.family_scores(matrix, [wanted], method).item()


@settings(max_examples=30)
@given(seeds, every_score)
def test_compiled_and_plain_kernels_score_alike(seed, method):
    graph = random_graph(seed)
    compiled, plain = (
        scores.total_score(graph, random_matrix(seed, kernels=kernels), method)
        for kernels in ("numba", "numpy")
    )
    assert compiled == pytest.approx(plain, rel=1e-8, abs=1e-6)


@given(seeds)
def test_families_scored_together_equal_one_by_one(seed):
    graph, matrix = random_graph(seed), random_matrix(seed)
    for method in scores.SCORES:
        wanted = scores.graph_families(graph, matrix)
        alone = [one_score(matrix, one, method) for one in wanted]
        assert scores.family_scores(matrix, wanted, method).tolist() == pytest.approx(alone, abs=1e-9)
        anew, kept = scores.family_scores(matrix, wanted, method), scores.local_scores(matrix, wanted, method)
        np.testing.assert_array_equal(kept, anew)
        np.testing.assert_array_equal(scores.local_scores(matrix, [*wanted, *wanted], method), [*anew, *anew])


@settings(max_examples=20)
@given(seeds, st.sampled_from(["table", "noisy_or", "logistic"]))
def test_the_held_out_likelihood_equals_a_slow_loop_over_folds(seed, model):
    graph, matrix = random_graph(seed), random_matrix(seed, 80)
    score = scores.Score("heldout", by_burden=False, model=model)
    node = max(graph.nodes, key=lambda key: len(graph.parents(key)))
    wanted = scores.columns(matrix, node, graph.parents(node))
    fold = matrix.folds.numbers(matrix.n_patients)
    had, causes = matrix.values[:, wanted.effect], matrix.values[:, wanted.parents]
    cell = causes @ (1 << np.arange(len(wanted.parents)))
    total = 0.0
    for held in range(4):
        rest, n_cells = fold != held, 1 << len(wanted.parents)
        counts = np.array([[np.sum(rest & (cell == c) & (had == x)) for x in (0, 1)] for c in range(n_cells)])
        rate = (counts[:, 1].sum() + 0.5) / (counts.sum() + 1)
        prior = np.array([1 - rate, rate]) / n_cells
        chance = MODELS[model].probabilities((counts + prior)[None], 1, "numpy")[0]
        for c, x in zip(cell[~rest], had[~rest], strict=True):
            total += np.log(chance[c] if x else 1 - chance[c])
    assert one_score(matrix, wanted, score) == pytest.approx(total, rel=1e-6)


def test_auto_takes_the_table_where_causes_act_only_together_and_the_noisy_or_where_they_add():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4_000)) < 0.4
    both = rng.random(4_000) < np.where(a & b, 0.9, 0.05)
    apart = rng.random(4_000) < 1 - 0.95 * (1 - 0.6 * a) * (1 - 0.6 * b)
    had = np.column_stack([a, b, both, apart])
    data, keys = numbered([[set(np.flatnonzero(row).tolist())] for row in had], 4)
    matrix = data.matrix(keys)
    auto, table = scores.Score("auto", by_burden=False), scores.Score("bic")
    for effect, name in ((2, table), (3, scores.Score("noisy_or_bic", by_burden=False))):
        wanted = scores.Wanted(effect, (0, 1))
        assert one_score(matrix, wanted, auto) == pytest.approx(one_score(matrix, wanted, name))


@settings(max_examples=20)
@given(seeds)
def test_auto_is_never_lower_than_the_noisy_or(seed):
    graph, matrix = random_graph(seed), random_matrix(seed)
    wanted = scores.graph_families(graph, matrix)
    auto, noisy_or = (scores.family_scores(matrix, wanted, name) for name in ("auto", "noisy_or_bic"))
    assert np.all(auto >= noisy_or - 1e-6)


@settings(max_examples=20)
@given(seeds, st.sampled_from(scores.SCORES))
def test_an_edge_gains_what_the_score_loses_without_it(seed, method):
    graph, matrix = random_graph(seed), random_matrix(seed)
    fitted = fit(graph, matrix, method)
    held_out = scores.named(method).held_out
    assert [(edge.cause, edge.effect) for edge in fitted.edges] == list(graph.edges)
    assert fitted.score == pytest.approx(scores.total_score(graph, matrix, method))
    assert fitted.log_likelihood >= fitted.empty_log_likelihood
    assert fitted.gain_per_patient == pytest.approx((fitted.score - fitted.empty_score) / matrix.n_patients)
    empty = scores.total_score(CausalGraph(KEYS), matrix, held_out)
    assert fitted.held_out_gain == pytest.approx(scores.total_score(graph, matrix, held_out) - empty)
    for edge in fitted.edges:
        fewer = graph.edit(remove=[edge[:2]])
        without = scores.total_score(fewer, matrix, method)
        assert edge.gain == pytest.approx(fitted.score - without, abs=1e-6)
        unseen = scores.total_score(graph, matrix, held_out) - scores.total_score(fewer, matrix, held_out)
        assert edge.held_out_gain == pytest.approx(unseen, abs=1e-6)
        assert 0 <= edge.lower <= edge.strength <= edge.upper <= 1
        try:
            turned = fewer.edit(add=[(edge.effect, edge.cause)])
        except InputError:
            assert edge.reversal is None
        else:
            change = scores.total_score(turned, matrix, method) - fitted.score
            assert edge.reversal == pytest.approx(change, abs=1e-6)


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
    for wrong in ({"name": "auto", "model": "table"}, {"name": "heldout", "model": "tree"}):
        with pytest.raises(InputError, match="model"):
            scores.Score(**wrong)
    with pytest.raises(InputError, match="no patient"):
        dataset([]).matrix(KEYS)
    with pytest.raises(InputError, match="ess"):
        scores.Score("bdeu", ess=0.0)
    many = tuple(f"P{i}" for i in range(MAX_PARENTS + 1))
    with pytest.raises(InputError, match="direct causes"):
        scores.columns(matrix, KEYS[0], many)


@settings(max_examples=40)
@given(seeds, st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)), max_size=12))
def test_edges_join_a_graph_in_their_order_unless_they_close_a_cycle(seed, edges):
    graph = expected = random_graph(seed, 0.2)
    for edge in edges:
        try:
            expected = expected.edit(add=[edge])
        except InputError:
            continue
    assert graph.joined(edges) == expected


def test_an_edited_copy_of_a_graph_leaves_it_and_its_equals_as_they_were():
    graph, same = (CausalGraph(KEYS[:3], [KEYS[:2]]) for _ in range(2))
    graph.networkx.add_edge(*KEYS[1:3])  # a copy of one's own
    graph.networkx.add_edge(*KEYS[1::-1])
    assert graph.order == same.order == KEYS[:3]
    assert same.children(KEYS[1]) == () and list(same.networkx.edges) == [KEYS[:2]]
    assert set(graph.joined([KEYS[1:3]]).edges) == {KEYS[:2], KEYS[1:3]}
    assert graph == same == pickle.loads(pickle.dumps(same))


@given(st.permutations(KEYS), st.integers(2, len(KEYS)), st.randoms())
def test_the_cycle_that_forbids_a_graph_is_named(nodes, length, random):
    ring = [(nodes[i], nodes[(i + 1) % length]) for i in range(length)]
    edges = ring + [(ring[0][0], other) for other in nodes[length:]]
    random.shuffle(edges)
    with pytest.raises(InputError, match="remove or reverse one of these edges") as refused:
        CausalGraph(KEYS, edges)
    named = str(refused.value).split("cycle ")[1].split(";")[0].split(" -> ")
    assert len(named) == length + 1
    assert set(pairwise(named)) == set(ring)


def test_a_node_that_is_unknown_or_given_twice_is_refused():
    graph = CausalGraph(KEYS[:2])
    for edge in ((KEYS[0], "unheard"), ("unheard", KEYS[0])):
        with pytest.raises(InputError, match="'unheard' is not one of the given diseases"):
            graph.edit(add=[edge])
    with pytest.raises(InputError, match="given twice"):
        CausalGraph(KEYS[:2] * 2)


@settings(max_examples=50)
@given(seeds)
def test_links_and_order_are_those_of_networkx(seed):
    graph = random_graph(seed)
    peer = nx.DiGraph(graph.edges)
    peer.add_nodes_from(KEYS)
    for node in KEYS:
        assert graph.parents(node) == tuple(sorted(peer.predecessors(node)))
        assert graph.children(node) == tuple(sorted(peer.successors(node)))
        assert graph.ancestors(node) == nx.ancestors(peer, node)
        assert graph.descendants(node) == nx.descendants(peer, node)
        assert {other for other in KEYS if graph.leads(node, other)} == nx.descendants(peer, node)
    assert graph.order == tuple(nx.lexicographical_topological_sort(peer, key=KEYS.index))
