"""Search for a causal graph by single-edge edits: greedy, or on past a summit with a tabu list."""

from collections import deque
from math import inf

from tools.causal import scores
from tools.causal.constraints import UNCONSTRAINED, Constraints
from tools.causal.dag import CausalGraph
from tools.causal.edits import OPERATIONS, Neighbourhood
from tools.causal.matrix import DiagnosisMatrix
from tools.causal.orientation import orient
from tools.causal.scores import Method, Score
from tools.safety.errors import InputError

MIN_GAIN = 1e-6
MAX_STEPS = 10_000


def hill_climb(
    matrix: DiagnosisMatrix,
    start: CausalGraph | None = None,
    constraints: Constraints = UNCONSTRAINED,
    method: Method = scores.DEFAULT,
    max_steps: int | None = None,
    tabu: int = 0,
) -> CausalGraph:
    """Climb to a graph that no single legal edit improves; deterministic.

    First, required edges are put in, with the edges of `start` that are not forbidden and close no cycle with
    them, and edges against time or tiers are turned (see `orient`). From there each step makes the best edit.
    Greedy: until none gains. With a tabu list (Glover 1989; Bouckaert 1995 for graphs): past a summit the
    least bad edit is made, but none on a pair of diseases edited in the last `tabu` steps unless it beats the
    best graph so far, until `tabu` in a row did not.

    A score of fitted models climbs twice, unless `max_steps` is given: from there and from the summit that
    BIC reaches from there; the higher graph is returned. Early on, a noisy-OR without the other causes is
    misspecified and directs edges wrongly, which no single edit puts right; the tables of BIC are not.

    Args:
        matrix: the data.
        start: where to begin; the empty graph over the matrix's nodes by default.
        constraints: what the search may do.
        method: the score. By `loglik` it only ever adds edges.
        max_steps: most edits of one climb. None: as many as it takes, and two climbs where they pay.
        tabu: length of the tabu list, edits; 0 is greedy.

    Raises:
        InputError: unknown method or node, `tabu` is negative, required edges that form a cycle, or a start
            that has more edges or causes of one disease than the constraints allow.
    """
    if tabu < 0:
        raise InputError("tabu", "0 (greedy) or more steps")
    score = scores.named(method)
    graph = _begin(start or CausalGraph(matrix.nodes), matrix, constraints)

    def climb(begin: CausalGraph, by: Score) -> CausalGraph:
        return _climb(Neighbourhood(begin, matrix, constraints, by), max_steps or MAX_STEPS, tabu)

    if score.of_tables or max_steps is not None:
        return climb(graph, score)
    summits = climb(graph, score), climb(climb(graph, Score("bic")), score)
    return max(summits, key=lambda summit: scores.total_score(summit, matrix, score))


def _begin(start: CausalGraph, matrix: DiagnosisMatrix, constraints: Constraints) -> CausalGraph:
    """The start as the constraints have it."""
    wanted = [edge for edge in start.edges if edge not in constraints.forbidden]
    graph = CausalGraph(start.nodes, constraints.required).joined(wanted)
    graph = orient(graph, matrix, constraints).graph
    most = constraints.max_edges
    if any(len(graph.parents(node)) > constraints.max_parents for node in graph.nodes):
        raise InputError(
            "start", f"more than {constraints.max_parents} direct causes of one disease; keep fewer"
        )
    if most is not None and len(graph.edges) > most:
        raise InputError("start", f"more than {most} edges; keep fewer")
    return graph


def _climb(around: Neighbourhood, max_steps: int, tabu: int) -> CausalGraph:
    """The best graph on the way from where `around` stands."""
    best, height, summit = around.edges.copy(), 0.0, 0.0
    recent: deque[tuple[int, int]] = deque(maxlen=tabu)
    since_best = 0
    for _ in range(max_steps):
        operation, cause, effect, gain = around.best(recent, height, summit, MIN_GAIN)
        if gain <= (-inf if tabu else MIN_GAIN):
            break
        around.apply(OPERATIONS[operation], cause, effect)
        recent.append((cause, effect))
        height += gain
        since_best += 1
        if height > summit + MIN_GAIN:
            best, summit, since_best = around.edges.copy(), height, 0
        elif since_best >= tabu:
            break
    around.edges = best
    return around.graph
