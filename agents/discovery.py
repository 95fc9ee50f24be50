"""The Causal Discovery Agent (algorithm 2): proposes a graph, has it fitted, amends it by its score."""

from collections import Counter
from hashlib import sha256
from typing import Any, TypedDict

from agents.answers import Hypothesis
from agents.budget import Spent, Used
from agents.cases import (
    ASSOCIATIONS,
    EDITS,
    AmendmentCase,
    Basis,
    CaseDisease,
    FittedEdge,
    Limits,
    Memory,
    ProposalCase,
    RememberedGraph,
)
from agents.codes import CodeList
from agents.findings import case_findings
from agents.intake import case_diseases
from agents.lookup import Lookup, search_knowledge
from agents.model import Inadmissible, Reply, ask
from agents.settings import Settings
from agents.toolbox import Toolbox
from tools.catalogue import select_candidates
from tools.causal.dag import CausalGraph
from tools.causal_tools import orient_graph, score_edits, score_graph, search_graph
from tools.safety.errors import InputError

_EDGES_PER_DISEASE = 3
_ASSOCIATIONS = 150
_EDITS = 40


class DiscoverySlice(TypedDict, total=False):
    """What the discovery nodes read.

    `trials` are the fitted graphs so far, oldest first (see `graph.cycle.Trial`).
    """

    diseases: dict[str, dict[str, Any]]
    findings: list[dict[str, Any]]
    passages: list[dict[str, Any]]
    readings: list[dict[str, Any]]
    hypothesis: dict[str, Any]
    trials: list[dict[str, Any]]
    settings: dict[str, Any]
    calls: int
    spent: Spent
    ran_s: float
    answered: list[dict[str, Any]]


def propose(state: DiscoverySlice) -> dict[str, Any]:
    """Proposes a first graph from what was read and what the records show of each pair."""
    case_view = _CaseView(state)
    shown = score_edits.invoke(case_view.arguments(edges=[], limit=_ASSOCIATIONS))
    case = ProposalCase(
        diseases=case_view.diseases,
        basis=case_view.basis(shown["n_patients"]),
        associations=ASSOCIATIONS.validate_python(shown["edits"]),
        findings=case_view.findings,
        limits=case_view.limits,
    )
    reply = case_view.ask(case)
    return {"hypothesis": {"edges": reply.value}, **reply.accounts}


def fit(state: DiscoverySlice) -> dict[str, Any]:
    """Orients the current hypothesis by time and fits it to the diagnosis matrix, with the tools for it.

    What time turned round or dropped is said in a notice; the mind sees the oriented graph from here on.
    """
    case_view = _CaseView(state)
    trials = state.get("trials", [])
    oriented = orient_graph.invoke(case_view.arguments(edges=state["hypothesis"]["edges"]))
    edges = oriented["edges"]
    fitted = score_graph.invoke(case_view.arguments(edges=edges))
    trial = {
        "iteration": len(trials),
        "hypothesis": {"edges": edges},
        "fingerprint": sha256(repr(sorted(map(tuple, edges))).encode()).hexdigest(),
        "score": fitted["score"],
        "change": case_view.change(trials[-1]["hypothesis"]["edges"], edges) if trials else None,
        "fit": fitted,
    }
    notices = [*([] if trials else _cautions(fitted)), *_notices(len(trials), oriented)]
    if case_view.is_full(edges) and not (trials and case_view.is_full(trials[-1]["hypothesis"]["edges"])):
        notices.append(f"graph {len(trials)} has {len(edges)} edges, the most that a case may have")
    return {"trials": [trial], "hypothesis": trial["hypothesis"], "notices": notices}


def _cautions(fitted: dict[str, Any]) -> list[str]:
    cautions = []
    if fitted["burden_measure"] != "codes":
        cautions.append(
            "most visits in these records carry the same, largest number of codes; so burden is counted in "
            "visits, and diseases that compete for a place look less related than they are"
        )
    if fitted["method"] == "loglik":
        cautions.append(
            "graphs were accepted by the bare log-likelihood, by which no edge can lose: many of the edges "
            "fit chance"
        )
    if fitted["method"] == "heldout":
        cautions.append(
            "graphs were accepted by the cross-validated log-likelihood, which charges nothing for an edge: "
            "some of the edges fit chance, see their confidence"
        )
    return cautions


def _notices(iteration: int, oriented: dict[str, Any]) -> list[str]:
    done = {"turned": "turned round", "dropped": "dropped"}
    return [
        f"graph {iteration}: {said}, as onsets, or history before candidates, speak against the direction: "
        + ", ".join(f"{cause} -> {effect}" for cause, effect in oriented[kind])
        for kind, said in done.items()
        if oriented[kind]
    ]


def amend(state: DiscoverySlice) -> dict[str, Any]:
    """Amends the current graph; an amendment that cannot be admitted leaves it as it is, with a notice.

    What the mind has looked up on the way is kept with what was read before, to be shown and cited.
    """
    case_view, lookup = _CaseView(state), Lookup(state)
    trials = state["trials"]
    current = trials[-1]
    shown = score_edits.invoke(case_view.arguments(edges=current["hypothesis"]["edges"], limit=_EDITS))
    case = AmendmentCase(
        diseases=case_view.diseases,
        basis=case_view.basis(shown["n_patients"]),
        memory=_memory(trials),
        edges=_fitted_edges(current["fit"]),
        edits=EDITS.validate_python(shown["edits"]),
        findings=case_view.findings,
        limits=case_view.limits,
    )
    try:
        reply = case_view.ask(case, lookup)
    except Inadmissible as refused:
        notice = f"amendment {len(trials)} was refused and the graph kept: {'; '.join(refused.problems)}"
        used = {"calls": refused.calls, "spent": refused.spent}
        found = lookup.update
        notices = [*found.pop("notices", []), notice]
        return {"hypothesis": current["hypothesis"], "notices": notices, **used, **found}
    return {"hypothesis": {"edges": reply.value}, **reply.accounts, **lookup.update}


class _CaseView:
    """The slice as the agent uses it."""

    def __init__(self, state: DiscoverySlice) -> None:
        self.settings = Settings.model_validate(state["settings"])
        self.used = Used.of(state)
        self.diseases: tuple[CaseDisease, ...] = case_diseases(state["diseases"])
        self.nodes = [disease.code for disease in self.diseases]
        self.history = [disease.code for disease in self.diseases if disease.role == "history"]
        self.findings = case_findings(state.get("findings") or [], state.get("passages") or [])
        max_edges = _EDGES_PER_DISEASE * len(self.nodes)
        self.limits = Limits(max_edges=max_edges, max_parents=self.settings.max_parents)

    def arguments(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Arguments of the causal tools that the case fixes."""
        fixed = {
            "nodes": self.nodes,
            "history": self.history,
            "max_parents": self.limits.max_parents,
            "max_edges": self.limits.max_edges,
        }
        chosen = {"store", "score", "by_burden", "ess", "resamples", "seed"}
        return fixed | self.settings.model_dump(include=chosen) | more

    def basis(self, n_patients: int) -> Basis:
        settings = self.settings
        return Basis(accepted_by=settings.score, n_patients=n_patients, resamples=settings.resamples)

    def ask(self, case: ProposalCase | AmendmentCase, lookup: Lookup | None = None) -> Reply[list[list[str]]]:
        """The mind's admitted graph; while it thinks it may search, score edits and look for candidates.

        Given a lookup, and if the run reads at all, it may ask the libraries too.
        """
        tools = (search_graph, score_edits, select_candidates)
        may_look = lookup is not None and lookup.is_open
        offered = (*tools, search_knowledge) if may_look else tools
        toolbox = Toolbox(offered, self.arguments(lookup=lookup) if may_look else self.arguments())
        return ask(case, Hypothesis, self.settings, admit=self.admit, used=self.used, toolbox=toolbox)

    def is_full(self, edges: list[list[str]]) -> bool:
        return len(edges) >= self.limits.max_edges

    def change(self, before: list[list[str]], after: list[list[str]]) -> float:
        return self._graph(before).change(self._graph(after))

    def _graph(self, edges: list[list[str]]) -> CausalGraph:
        return CausalGraph(self.nodes, [(cause, effect) for cause, effect in edges])

    def admit(self, hypothesis: Hypothesis) -> list[list[str]]:
        """The hypothesis as sorted edges over the case's codes.

        Raises:
            InputError: an unknown code, too many edges or causes, a cycle, or no edge without a reason.
        """
        if not hypothesis.edges and not hypothesis.no_edges_because:
            raise InputError("edges", "empty; propose edges, or say in `no_edges_because` why there are none")
        if len(hypothesis.edges) > self.limits.max_edges:
            raise InputError("edges", f"more than {self.limits.max_edges}; keep the best supported")
        codes = CodeList(self.nodes)
        edges = {
            (codes.resolve(f"edges.{i}.cause", e.cause), codes.resolve(f"edges.{i}.effect", e.effect))
            for i, e in enumerate(hypothesis.edges)
        }
        self._refuse_crowd(edges)
        return [list(edge) for edge in CausalGraph(self.nodes, edges).edges]

    def _refuse_crowd(self, edges: set[tuple[str, str]]) -> None:
        causes = Counter(effect for _, effect in edges)
        for node in self.nodes:
            if causes[node] > self.limits.max_parents:
                rule = f"{node} has {causes[node]} direct causes; keep at most {self.limits.max_parents}"
                raise InputError("edges", rule)


def _memory(trials: list[dict[str, Any]]) -> Memory:
    best = max(trials, key=lambda trial: trial["score"])
    previous = trials[-2] if len(trials) > 1 else None
    return Memory(
        current=_remembered(trials[-1]),
        previous=_remembered(previous) if previous else None,
        best=_remembered(best),
    )


def _remembered(trial: dict[str, Any]) -> RememberedGraph:
    return RememberedGraph(
        edges=tuple((cause, effect) for cause, effect in trial["hypothesis"]["edges"]),
        gain_per_patient=trial["fit"]["gain_per_patient"],
        held_out_gain_per_patient=trial["fit"]["held_out_gain_per_patient"],
    )


def _fitted_edges(fitted: dict[str, Any]) -> tuple[FittedEdge, ...]:
    n_patients = fitted["n_patients"]
    return tuple(
        FittedEdge.read(
            edge,
            gain_per_patient=edge["gain"] / n_patients,
            held_out_gain_per_patient=edge["held_out_gain"] / n_patients,
        )
        for edge in fitted["edges"]
    )
