"""What the statistical reasoner thinks: for each task, from the case alone, a tool to call or an answer."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import networkx as nx
from pydantic import Field, TypeAdapter

from agents.answers import Answer, Hypothesis, ProposedEdge, Query, QuotedClaim, Reading
from agents.cases import (
    AmendmentCase,
    CaseDisease,
    CaseEdit,
    DecisionCase,
    Limits,
    PassageCase,
    ProposalCase,
    QueryCase,
)
from agents.ranking import decide
from tools.causal.dag import CausalGraph
from tools.safety.errors import InputError

_QUERY_HISTORY = 5
_QUERY_CANDIDATES = 7
_MAX_FINDINGS = 8
_MAX_SUMMARY = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_CUE = re.compile(
    r"\b(?P<forward>leads? to|led to|causes?( of)?|results? in|complications?(?! of)|progress(es)? to|"
    r"brings? on|risk factors? for)\b|"
    r"\b(?P<backward>caused (\w+ ){0,2}by|due to|because of|results? from|arises? from|complications? of|"
    r"risk factors?)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(not|no|never|cannot|rarely)\s+(\w+\s+){0,2}$", re.IGNORECASE)
_REFERS_BACK = re.compile(r"^(it|they|this|these|complications?(?! of)|untreated)\b", re.IGNORECASE)
_BEFORE_ALL = -1
_TABU = 10
_AnyCase = Annotated[
    QueryCase | PassageCase | ProposalCase | AmendmentCase | DecisionCase, Field(discriminator="task")
]
_CASES: TypeAdapter[_AnyCase] = TypeAdapter(_AnyCase)


class ToolRequest(NamedTuple):
    """A tool the reasoner wants run before it answers."""

    tool: str
    arguments: dict[str, Any]


def think(case: str, offered: frozenset[str], results: list[dict[str, Any]]) -> Answer | ToolRequest:
    """The reasoner's next step on a case.

    Args:
        case: the case document, JSON.
        offered: names of the tools it may call.
        results: what the tools it called so far returned.

    Raises:
        pydantic.ValidationError: `case` is no case document.
    """
    match _CASES.validate_json(case):
        case QueryCase() as query:
            return write_query(query)
        case PassageCase() as passage:
            return read_passage(passage)
        case ProposalCase() as proposal:
            return propose_graph(proposal, offered, results)
        case AmendmentCase() as amendment:
            return amend_graph(amendment, offered, results)
        case DecisionCase() as decision:
            return decide(decision)


def write_query(case: QueryCase) -> Query:
    """The names of the leading diseases, in the library's own words where it has them."""
    leading = case.history[:_QUERY_HISTORY] + case.candidates[:_QUERY_CANDIDATES]
    names = dict.fromkeys(disease.short for disease in leading)
    return Query(query=f"causes and complications of {', '.join(names)}"[:600])


def read_passage(case: PassageCase) -> Reading:
    """Quotes each sentence in which a disease of the case meets the one that the passage is about."""
    findings: list[QuotedClaim] = []
    telling: list[str] = []
    names = _Names(case)
    subjects = [disease for disease in case.diseases if disease.code in case.passage.about]
    for sentence in _SENTENCE_END.split(case.passage.text):
        places = names.places(sentence)
        others = [d for d in case.diseases if d.code in places and d not in subjects]
        found = [
            claim
            for subject in subjects
            for other in others
            if (claim := _claim(sentence, case.passage.section, places, subject, other))
        ]
        findings += found
        if others:
            telling.append(sentence)
    return Reading(summary=" ".join(telling[:_MAX_SUMMARY])[:4000], findings=findings[:_MAX_FINDINGS])


class _Names:
    """Finds the diseases of a case in a sentence; where names overlap the longest counts."""

    def __init__(self, case: PassageCase) -> None:
        self.codes: dict[str, list[str]] = {name.lower(): [] for name in case.passage.other_names}
        for disease in case.diseases:
            for name in dict.fromkeys(name.lower() for name in (*disease.aliases, disease.name) if name):
                self.codes.setdefault(name, []).append(disease.code)
        longest_first = sorted(self.codes, key=lambda name: (-len(name), name))
        names = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self.pattern = re.compile(rf"(?<!\w)({names})(?:s|es)?(?!\w)", re.IGNORECASE)

    def places(self, sentence: str) -> dict[str, int]:
        """Code to where the sentence first names it."""
        places: dict[str, int] = {}
        for found in self.pattern.finditer(sentence):
            for code in self.codes[found[1].lower()]:
                places.setdefault(code, found.start())
        return places


def _claim(
    sentence: str, section: str, places: dict[str, int], subject: CaseDisease, other: CaseDisease
) -> QuotedClaim | None:
    """What a sentence of the subject's document says of the subject and another disease, if it says cause."""
    where_subject = places.get(subject.code)
    if where_subject is None and _REFERS_BACK.search(sentence):
        where_subject = _BEFORE_ALL
    other_causes = _is_cause(sentence, section, where_subject, places[other.code])
    if other_causes is None:
        return None
    cause, effect = (other, subject) if other_causes else (subject, other)
    claim = f"{cause.short} is named as a cause of {effect.short}"
    return QuotedClaim(claim=claim[:600], quote=sentence[:1000], cause=cause.code, effect=effect.code)


def _is_cause(sentence: str, section: str, subject: int | None, other: int) -> bool | None:
    """Whether the other disease causes the subject (True), is caused by it (False), or neither is said.

    Before a forward cue ("leads to") stand causes, after it effects; around a backward cue ("caused by")
    it is the other way round. A denied cue says nothing. Without a cue, a section on causes names causes.
    """
    in_causes = True if section.lower() == "causes" else None
    cue = _CUE.search(sentence)
    if cue is None:
        return in_causes
    if _DENIED.search(sentence[: cue.start()]):
        return None
    other_first = other < cue.start()
    if subject is None or (subject < cue.start()) == other_first:
        return in_causes
    return other_first == (cue["forward"] is not None)


def propose_graph(
    case: ProposalCase, offered: frozenset[str], results: list[dict[str, Any]]
) -> Hypothesis | ToolRequest:
    """Climbs with `search_graph` from a draft; without tools, proposes the draft.

    The draft: for each disease its strongest association, and every finding that the records bear out. Edges
    enter in the order of their gain, unless they would close a circle.
    """
    return _searched(_drafted(case), 0, offered, results)


def _drafted(case: ProposalCase) -> list[tuple[str, str]]:
    gains = {(pair.cause, pair.effect): pair.gain for pair in case.associations if pair.gain > 0}
    strongest: dict[str, tuple[str, str]] = {}
    for edge in sorted(gains, key=lambda edge: (-gains[edge], edge)):
        strongest.setdefault(edge[1], edge)
    read = {(f.cause, f.effect) for f in case.findings} & set(gains)
    wanted = sorted({*strongest.values(), *read}, key=lambda edge: (-gains[edge], edge))  # type: ignore[index]
    return _acyclic(wanted, case.limits.max_edges, case.limits.max_parents)  # type: ignore[arg-type]


def _acyclic(edges: Iterable[tuple[str, str]], max_edges: int, max_parents: int) -> list[tuple[str, str]]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for cause, effect in edges:
        graph.add_nodes_from((cause, effect))
        room = graph.number_of_edges() < max_edges and graph.in_degree(effect) < max_parents
        if room and not nx.has_path(graph, effect, cause):
            graph.add_edge(cause, effect)
    return sorted(graph.edges)


def amend_graph(
    case: AmendmentCase, offered: frozenset[str], results: list[dict[str, Any]]
) -> Hypothesis | ToolRequest:
    """Climbs on from the best graph, past a summit; without tools, makes the best edit of each disease."""
    start = case.memory.best.edges if "search_graph" in offered and not results else _edited(case)
    return _searched(start, _TABU, offered, results)


def _searched(
    start: Sequence[tuple[str, str]], tabu: int, offered: frozenset[str], results: list[dict[str, Any]]
) -> Hypothesis | ToolRequest:
    """What `search_graph` reaches from a start; the start where it is not offered or refused."""
    if results and "edges" in results[-1]:
        return _hypothesis([(edge[0], edge[1]) for edge in results[-1]["edges"]])
    if "search_graph" in offered and not results:
        return ToolRequest("search_graph", {"start_edges": [list(edge) for edge in start], "tabu": tabu})
    return _hypothesis(start)


def _edited(case: AmendmentCase) -> list[tuple[str, str]]:
    """The current graph after its best edits; no two touch the causes of one disease, so gains add up."""
    graph = CausalGraph((disease.code for disease in case.diseases), case.memory.current.edges)
    touched: set[str] = set()
    for edit in sorted(case.edits, key=lambda edit: -edit.gain):
        concerned = {edit.effect} if edit.kind != "reverse" else {edit.cause, edit.effect}
        if edit.gain <= 0 or touched & concerned:
            continue
        edited = _apply(edit, graph)
        if edited is not None and _fits(edited, case.limits):
            graph = edited
            touched |= concerned
    return list(graph.edges)


def _apply(edit: CaseEdit, graph: CausalGraph) -> CausalGraph | None:
    """The edited graph, or None where another edit has made this one close a circle."""
    edge = (edit.cause, edit.effect)
    added = {"add": [edge], "remove": [], "reverse": [edge[::-1]]}[edit.kind]
    try:
        return graph.edit(add=added, remove=[edge])
    except InputError:
        return None


def _fits(graph: CausalGraph, limits: Limits) -> bool:
    most = max(len(graph.parents(node)) for node in graph.nodes)
    return len(graph.edges) <= limits.max_edges and most <= limits.max_parents


def _hypothesis(edges: Iterable[tuple[str, str]]) -> Hypothesis:
    proposed = [ProposedEdge(cause=cause, effect=effect) for cause, effect in edges]
    reason = "" if proposed else "no pair of these diseases is associated strongly enough in the records"
    return Hypothesis(edges=proposed, no_edges_because=reason)
