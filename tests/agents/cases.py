"""Small cases for the tests of the minds."""

from typing import Any

from agents.cases import (
    AmendmentCase,
    Basis,
    Case,
    CaseDisease,
    CasePassage,
    DecisionCase,
    Limits,
    Memory,
    PassageCase,
    ProposalCase,
    QueryCase,
    RememberedGraph,
)
from agents.imputation_cases import ImputationCase
from agents.modelling import model_case
from tests.nof1.samples import series
from tools.knowledge.quarantine import fenced, marked

HYPERTENSION = CaseDisease(
    code="4019", name="Unspecified essential hypertension", role="history", aliases=("hypertension",)
)
DIABETES = CaseDisease(code="25000", name="Diabetes mellitus, type II", role="history", aliases=("diabetes",))
KIDNEY = CaseDisease(
    code="5859",
    name="Chronic kidney disease, unspecified",
    role="candidate",
    aliases=("chronic kidney disease", "ckd"),
)
DISEASES = (HYPERTENSION, DIABETES, KIDNEY)
BASIS = Basis(accepted_by="noisy_or_bic", n_patients=100, resamples=20)
LIMITS = Limits(max_edges=9, max_parents=6)
EDGE = ("4019", "5859")
NOTHING_MISSING = {"missing": 0.0, "strength": None}


def remembered(*edges: tuple[str, str], gain: float = 0.0) -> RememberedGraph:
    return RememberedGraph(edges=edges, gain_per_patient=gain, held_out_gain_per_patient=gain)


def change(cause: str, effect: str, gain: float, **more: Any) -> dict[str, Any]:
    """An association, or an edit where its kind is given."""
    per_patient = gain / BASIS.n_patients
    gains = {"gain": gain, "gain_per_patient": per_patient, "held_out_gain_per_patient": per_patient}
    return {"cause": cause, "effect": effect, **gains, **more}


def edge(cause: str, effect: str, strength: float = 0.5, **more: Any) -> dict[str, Any]:
    """An edge of a fitted graph, its direction told by time unless said otherwise."""
    told = {"time": "backs", "identified_by": "time"}
    return {"cause": cause, "effect": effect, "strength": strength, "low": 0.0, "high": 1.0, **told, **more}


def query_case(**more: Any) -> QueryCase:
    fields = {"history": (HYPERTENSION, DIABETES), "candidates": (KIDNEY,), "library": {"title": "Demo"}}
    return QueryCase.model_validate(fields | more)


def finding(passage: str, cause: str | None, effect: str | None, **more: Any) -> dict[str, Any]:
    """A finding as later minds see it: the cause raises the chance of the effect, unless said otherwise."""
    judged = {"direction": "raises", "strength": "unstated", "trust": 1, "contradicted": False}
    return {"passage": passage, "cause": cause, "effect": effect} | judged | more


def passage_case(
    text: str,
    about: tuple[str, ...] = ("5859",),
    section: str = "Overview",
    diseases: tuple[CaseDisease, ...] = DISEASES,
    other_names: tuple[str, ...] = (),
) -> PassageCase:
    fence = "0123456789abcdef"
    passage = CasePassage(
        fence=fence,
        title=fenced("t", fence),
        section=fenced(section, fence),
        text=fenced(text, fence),
        about=about,
        other_names=tuple(map(marked, other_names)),
    )
    return PassageCase(passage=passage, diseases=diseases)


def proposal_case(**more: Any) -> ProposalCase:
    fields = {"diseases": DISEASES, "basis": BASIS, "associations": (), "findings": (), "limits": LIMITS}
    return ProposalCase.model_validate(fields | more)


def amendment_case(*current: tuple[str, str], **more: Any) -> AmendmentCase:
    memory = Memory(current=remembered(*current), previous=None, best=remembered(*current))
    fields = {
        "diseases": DISEASES,
        "basis": BASIS,
        "memory": memory,
        "edges": (),
        "edits": (),
        "findings": (),
        "limits": LIMITS,
    }
    return AmendmentCase.model_validate(fields | more)


def part(name: str, value: float, source: str | None = None) -> dict[str, Any]:
    """A share of a probability with an interval around it."""
    return {"name": name, "source": source, "value": value, "low": 0.8 * value, "high": min(1.2 * value, 1.0)}


def decision_case(**more: Any) -> DecisionCase:
    risks = [
        {
            "code": "4019",
            "kind": "recurrence",
            "probability": 0.6,
            "parts": [
                part("recurrence", 0.52),
                part("association", 0.05, "25000"),
                part("base rate", 0.03),
            ],
        },
        {
            "code": "5859",
            "kind": "onset",
            "probability": 0.19,
            "low": 0.1,
            "high": 0.3,
            "parts": [
                part("cause", 0.1, "4019"),
                part("association", 0.04, "25000"),
                part("base rate", 0.05),
            ],
        },
    ]
    fields = {
        "history": [["4019", "25000"]],
        "diseases": DISEASES,
        "edges": [edge("4019", "5859", 0.1, low=0.05, high=0.2, confidence=0.9)],
        "risks": risks,
        "findings": (),
        "comment": "",
        "top_k": 10,
    }
    return DecisionCase.model_validate(fields | more)


def imputation_case(**more: Any) -> ImputationCase:
    """A static, two biomarkers with missing cells, a treatment; nothing was tried yet."""
    kinds = {"age": "static", "glucose": "confounder", "treated": "treatment", "weight": "outcome"}
    variables = [
        {
            **{"name": name, "kind": kind, "unit": "", "low": 0, "high": 200, "mean": 90, "sd": 15},
            **({"missing": 0.5, "strength": 1.5} if name in {"glucose", "weight"} else NOTHING_MISSING),
        }
        for name, kind in kinds.items()
    ]
    fields = {"n_patients": 100, "n_steps": 6, "variables": variables, "parents": (), "wanted": 5, "seed": 0}
    return ImputationCase.model_validate(fields | more)


def every_case() -> tuple[Case, ...]:
    """One of each task."""
    return (
        query_case(),
        passage_case("Chronic kidney disease is caused by diabetes."),
        proposal_case(associations=[change("4019", "5859", 3.0)]),
        amendment_case(EDGE),
        decision_case(),
        model_case(series(), "Does coffee shorten my sleep?"),
        imputation_case(),
    )
