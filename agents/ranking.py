"""How the statistical reasoner decides: as the records list the diseases, the comment's first."""

from itertools import pairwise

from agents.answers import Decision, ProposedPrediction
from agents.cases import CaseDisease, CaseEdge, CasePart, CaseRisk, DecisionCase
from agents.focus import asked_about
from tools.reporting.words import LEAST_SHARE

_MAX_EVIDENCE = 5
_MAX_PATH = 20
_MAX_REASON = 2000
_DOUBTED = 0.5


def decide(case: DecisionCase) -> Decision:
    """Lists the most probable diseases of the case, in the order of its risks.

    What the comment asks about comes first; the comment changes no probability.
    """
    asked = asked_about(case.comment, case.diseases) if case.comment else frozenset()
    likely = sorted(case.risks, key=lambda risk: (risk.code not in asked, -risk.probability))
    kept = {risk.code for risk in likely[: case.top_k]}
    risks = sorted((r for r in case.risks if r.code in kept), key=lambda risk: risk.code not in asked)
    view = _View(case)
    return Decision(
        predictions=[view.prediction(risk, risk.code in asked) for risk in risks],
        explanation=view.explanation(len(asked)),
    )


class _View:
    """A decision case with its diseases, risks and edges by code."""

    def __init__(self, case: DecisionCase) -> None:
        self.case = case
        self.names: dict[str, CaseDisease] = {disease.code: disease for disease in case.diseases}
        self.risks: dict[str, CaseRisk] = {risk.code: risk for risk in case.risks}
        self.edges: dict[tuple[str, str], CaseEdge] = {(e.cause, e.effect): e for e in case.edges}

    def prediction(self, risk: CaseRisk, asked: bool) -> ProposedPrediction:
        path = self.path(risk)
        return ProposedPrediction(
            code=risk.code,
            probability=risk.probability,
            reason=self.reason(risk, path, asked)[:_MAX_REASON],
            path=path,
            evidence=self.evidence(risk, path),
            counter_evidence=self.counter_evidence(risk, path),
        )

    def path(self, risk: CaseRisk) -> list[str]:
        """From an early history disease along the strongest edges to this one; empty without a cause."""
        causes = [part for part in risk.parts if part.name == "cause"]
        if not causes:
            return []
        path = [max(causes, key=lambda part: (part.value, part.source or "")).source or "", risk.code]
        while len(path) < _MAX_PATH and (earlier := self._causes_had(path[0])):
            path.insert(0, max(earlier, key=lambda edge: (edge.strength, edge.cause)).cause)
        return path

    def _causes(self, effect: str) -> list[CaseEdge]:
        return [edge for edge in self.case.edges if edge.effect == effect]

    def _causes_had(self, effect: str) -> list[CaseEdge]:
        return [edge for edge in self._causes(effect) if self._had(edge.cause)]

    def reason(self, risk: CaseRisk, path: list[str], asked: bool) -> str:
        said = (
            "Listed first because the comment asks about it." if asked else "",
            "The patient has had it." if risk.kind == "recurrence" else "",
            self._origin(risk, path),
            self._shares(risk),
            self.earlier_steps(path),
        )
        return " ".join(filter(None, said))

    def _origin(self, risk: CaseRisk, path: list[str]) -> str:
        """The path, or why there is none to a new disease."""
        if path:
            chain = " → ".join(self.names[code].short for code in path)
            return f"In the graph: {chain}." if risk.kind == "recurrence" else f"{chain}."
        if risk.kind == "recurrence":
            return ""
        if self._causes_had(risk.code):
            return "By the records, its causes in the history add nothing."
        if self._causes(risk.code):
            return "None of its causes in the graph is in the history."
        return "The graph has no cause of it."

    def _shares(self, risk: CaseRisk) -> str:
        """What makes up the probability, the largest share first; those below 0.1% left out."""
        shares = sorted(risk.parts, key=lambda part: -part.value)
        named = [f"{self._named(part)} {part.value:.1%}" for part in shares if part.value >= LEAST_SHARE]
        rest = ", and less than 0.1% each of others" if len(named) < len(shares) else ""
        return f"The {risk.probability:.1%} is made up of {', '.join(named)}{rest}." if named else ""

    def _named(self, part: CasePart) -> str:
        if part.source is None:
            return part.name
        how = "" if part.name == "cause" else " (by association)"
        return f"{self.names[part.source].short}{how}"

    def evidence(self, risk: CaseRisk, path: list[str]) -> list[str]:
        """Passages that say what raises the disease itself: first the path's last step, then the history."""
        into = [f for f in self.case.findings if f.direction == "raises" and f.effect == risk.code]
        last = path[-2] if path else None
        cited = [f.passage for f in into if last is not None and f.cause == last]
        cited += [f.passage for f in into if self._had(f.cause)]
        return list(dict.fromkeys(cited))[:_MAX_EVIDENCE]

    def earlier_steps(self, path: list[str]) -> str:
        """The passages that back earlier steps of a path: they are not about the disease itself."""
        backed = [
            f"{', '.join(keys)} {'backs' if len(keys) == 1 else 'back'} "
            f"{self.names[cause].short} \u2192 {self.names[effect].short}"
            for cause, effect in pairwise(path[:-1])
            if (keys := self._saying((cause, effect), "raises"))
        ]
        return f"Of the steps before, {'; '.join(backed)}." if backed else ""

    def _saying(self, link: tuple[str, str], *directions: str) -> list[str]:
        """The passages that say one of these of a link, each once."""
        found = (f for f in self.case.findings if (f.cause, f.effect) == link and f.direction in directions)
        return list(dict.fromkeys(f.passage for f in found))[:_MAX_EVIDENCE]

    def _had(self, code: str | None) -> bool:
        return code is not None and self.names[code].role == "history"

    def counter_evidence(self, risk: CaseRisk, path: list[str]) -> str:
        steps = [edge for link in pairwise(path) if (edge := self.edges.get(link))]
        doubts = [doubt for edge in steps for doubt in self._doubts(edge)]
        doubts += [doubt for link in self._links(risk, path) for doubt in self._against(link)]
        doubts += [doubt for link in pairwise(path) for doubt in self._turned(link)]
        if risk.low is not None and risk.high is not None and risk.high > 4 * max(risk.low, 1e-9):
            doubts.append("the estimate rests on few visits")
        text = "; ".join(doubts)[:600]
        return text[:1].upper() + text[1:]

    def _doubts(self, edge: CaseEdge) -> list[str]:
        cause, effect = self.names[edge.cause].short, self.names[edge.effect].short
        doubts = []
        if edge.time != "backs":
            doubts.append(f"time does not tell whether {cause} comes before {effect}")
        if edge.confidence is not None and edge.confidence < _DOUBTED:
            doubts.append(f"{cause} → {effect} is in only {edge.confidence:.0%} of the resamples")
        return doubts

    def _links(self, risk: CaseRisk, path: list[str]) -> list[tuple[str, str]]:
        """The steps of the path, and the other links to the disease from what the patient had."""
        read = [(f.cause, f.effect) for f in self.case.findings if f.cause and f.effect == risk.code]
        had = [(cause, risk.code) for cause, _ in read if self._had(cause)]
        return list(dict.fromkeys([*pairwise(path), *had]))

    def _against(self, link: tuple[str, str]) -> list[str]:
        """What was read against a link."""
        against, backing = self._saying(link, "lowers", "none"), self._saying(link, "raises")
        found = [f for f in self.case.findings if (f.cause, f.effect) == link]
        cause, effect = (self.names[code].short for code in link)
        said = []
        if against:
            yet = f", but {', '.join(backing)} that it does" if backing else ""
            said.append(f"{', '.join(against)} says that {cause} does not raise the chance of {effect}{yet}")
        elif any(f.contradicted for f in found):
            said.append(f"the libraries contradict each other on {cause} → {effect}")
        return said

    def _turned(self, link: tuple[str, str]) -> list[str]:
        """The passages that name a step of the path the other way round, where none names it so."""
        turned = [] if self._saying(link, "raises") else self._saying(link[::-1], "raises")
        if not turned:
            return []
        cause, effect = (self.names[code].short for code in link)
        names = "names" if len(turned) == 1 else "name"
        return [f"{', '.join(turned)} {names} {cause} → {effect} the other way round"]

    def explanation(self, n_asked: int) -> str:
        focus = f" The comment asks about {n_asked} of them, which are listed first." if n_asked else ""
        return (
            f"Listed by tens: the ten most probable first, the next ten after them. Within ten, a disease "
            f"that many patients have must be more probable to stand before one that few have. Each "
            f"probability is the sum of its shares: recurrence, what diseases of the history add, and the "
            f"base rate. The graph (edges: {len(self.case.edges)}, diseases: {len(self.case.diseases)}) says "
            f"which of these diseases act as causes; the others are marked (by association). It changes no "
            f"probability.{focus}"
        )
