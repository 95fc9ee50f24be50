"""A rich result that could have come from a run, and generators of graphs and results."""

from hypothesis import strategies as st

from tests.reporting.example_knowledge import knowledge
from tools.reporting.result import (
    Candidate,
    DataSource,
    DiagnosisResult,
    Direction,
    Disease,
    Graph,
    GraphEdge,
    GraphNode,
    GraphScores,
    IdentifiedBy,
    IterationScore,
    Knowledge,
    Part,
    PartName,
    Prediction,
    Refusal,
)

NAMES = {
    "2724": "Other and unspecified hyperlipidemia",
    "4019": "Unspecified essential hypertension",
    "25000": "Diabetes mellitus without mention of complication, type II or unspecified type, not stated as "
    "uncontrolled",
    "27800": "Obesity, unspecified",
    "3051": "Tobacco use disorder",
    "41401": "Coronary atherosclerosis of native coronary artery",
    "42731": "Atrial fibrillation",
    "53081": "Esophageal reflux",
    "2449": "Unspecified acquired hypothyroidism",
    "496": "Chronic airway obstruction, not elsewhere classified",
    "4280": "Congestive heart failure, unspecified",
    "5859": "Chronic kidney disease, unspecified",
    "41071": "Subendocardial infarction, initial episode of care",
    "43491": "Cerebral artery occlusion, unspecified with cerebral infarction",
    "5849": "Acute kidney failure, unspecified",
    "2851": "Acute posthemorrhagic anemia",
    "486": "Pneumonia, organism unspecified",
    "51881": "Acute respiratory failure",
    "40390": "Hypertensive chronic kidney disease, unspecified, with chronic kidney disease stage I to IV",
    "36201": "Background diabetic retinopathy",
    "3572": "Polyneuropathy in diabetes",
    "4439": "Peripheral vascular disease, unspecified",
    "2767": "Hyperpotassemia",
    "0389": "Unspecified septicemia",
    "5990": "Urinary tract infection, site not specified",
    "7140": "Rheumatoid arthritis",
    "2749": "Gout, unspecified",
}
OF_DOCUMENTS = ("title", "section", "source", "licence", "url", "revision", "library")
HISTORY = tuple(list(NAMES)[:10])
LINKS = (
    ("2724 41401 .31 y", "2724 4439 .12 y", "4019 4280 .18 y", "4019 5859 .22 y", "4019 43491 .14 y"),
    ("4019 42731 .09 n", "25000 5859 .27 y", "25000 36201 .24 y", "25000 3572 .29 y", "25000 4439 .16 y"),
    ("25000 41401 .13 s", "27800 25000 .33 y", "27800 53081 .11 n", "27800 4019 .19 y", "3051 496 .44 y"),
    ("3051 41401 .17 y", "3051 4439 .21 y", "41401 41071 .15 y", "41401 4280 .26 y", "42731 43491 .2 y"),
    ("42731 4280 .12 n", "496 486 .23 y", "496 51881 .13 y", "41071 4280 .28 y", "4280 5849 .21 y"),
    ("5859 40390 .38 s", "5859 5849 .24 y", "5859 2851 .3 y", "5849 2767 .19 y", "5990 0389 .16 y"),
    ("486 51881 .22 y", "486 0389 .12 y", "5859 2767 .1 n", "2449 2724 .08 n", "0389 5849 .34 y"),
)


TOLD: dict[str, IdentifiedBy] = {"y": "time", "s": "score", "n": "nothing"}


def dotted(code: str) -> str:
    return code if len(code) == 3 else f"{code[:3]}.{code[3:]}"


def edge(link: str, gain: float) -> GraphEdge:
    cause, effect, strength, told = link.split()
    value, settled = float(strength), told == "y"
    direction = Direction(
        cause_first=round(900 * value),
        effect_first=round((250 if settled else 850) * value),
        p_value=0.00002 if settled else 0.31,
        lagged_gain=14.2 * value if settled else -0.6,
        verdict="backs" if settled else "undecided",
    )
    return GraphEdge(
        cause=cause,
        effect=effect,
        strength=value,
        interval=(round(value * 0.8, 3), round(min(value * 1.25, 1), 3)),
        confidence=1.0 if settled else 0.45,
        gain=gain,
        held_out_gain=round(0.8 * gain - 2, 2),
        reversal={"y": -9.3, "s": -4.1, "n": None}[told],
        identified_by=TOLD[told],
        direction=direction,
        evidence={"25000 5859": ("kidney-causes",), "4280 5849": ("heart-course", "kidney-causes")}.get(
            f"{cause} {effect}", ()
        ),
    )


def parts(code: str, chance: float, path: tuple[str, ...]) -> tuple[Part, ...]:
    """Shares that add up to the chance: each kind of part is in one prediction or another."""
    sources: list[tuple[PartName, str | None, float]] = [
        ("recurrence", None, 8.0 * (code in HISTORY)),
        *(("cause", cause, 4.0) for cause in path[-2:-1]),
        *(("association", other, 1.5) for other in HISTORY[:2] if other not in (code, *path)),
        ("rest of the history", None, 0.7),
        ("base rate", None, 1.3),
    ]
    whole = sum(weight for *_, weight in sources)
    return tuple(
        Part(name=name, source=source, value=share, low=0.8 * share, high=min(1.2 * share, 1))
        for name, source, weight in sources
        if (share := chance * weight / whole)
    )


def predictions() -> tuple[Prediction, ...]:
    rows = (
        ("4019", 0.62, (), "Diagnosed at both visits; it recurs at most visits of patients who have it."),
        ("5859", 0.43, ("27800", "25000", "5859"), "Diabetes and hypertension together damage the kidneys."),
        ("4280", 0.34, ("2724", "41401", "4280"), "Coronary disease weakens the heart muscle."),
        ("25000", 0.33, (), "A lifelong disease that is coded again at most admissions."),
        ("4439", 0.21, ("3051", "4439"), "Smoking, diabetes and lipids narrow the arteries of the legs."),
        ("486", 0.17, ("496", "486"), "Chronic airway obstruction makes infections of the lung more likely."),
        ("36201", 0.14, ("25000", "36201"), "Long-standing diabetes harms the small vessels of the eye."),
        ("5849", 0.11, ("25000", "5859", "5849"), "A kidney with little reserve fails under acute strain."),
        ("43491", 0.08, ("42731", "43491"), "Atrial fibrillation lets clots form that travel to the brain."),
        ("0389", 0.004, ("496", "486", "0389"), "Reached only through two uncertain steps."),
    )
    return tuple(
        Prediction(
            rank=rank,
            code=code,
            dotted=dotted(code),
            system="ICD9CM",
            display=NAMES[code],
            probability=chance,
            interval=None if code == "0389" else (round(chance * 0.75, 3), round(min(chance * 1.3, 1), 3)),
            repeat=code in HISTORY,
            reason=reason,
            path=path,
            parts=parts(code, chance, path),
            evidence={"5859": ("kidney-causes", "diabetes-course"), "4280": ("heart-causes",)}.get(code, ()),
            counter_evidence="Time does not settle one edge of the path." if code == "43491" else "",
        )
        for rank, (code, chance, path, reason) in enumerate(rows, start=1)
    )


def example(**changes: object) -> DiagnosisResult:
    """27 diseases (2 of them without an edge), 35 edges, 10 predictions, 5 passages."""
    links = [link for row in LINKS for link in row]
    result = DiagnosisResult(
        history=(HISTORY[:6], ("4019", "25000", *HISTORY[6:])),
        diseases={
            code: Disease(code=code, dotted=dotted(code), system="ICD9CM", display=name)
            for code, name in NAMES.items()
        },
        comment="Mostly concerned about the kidneys.",
        predictions=predictions(),
        expected_codes=4.2,
        graph=Graph(
            nodes=tuple(
                GraphNode(
                    code=code,
                    dotted=dotted(code),
                    display=name,
                    role="history" if code in HISTORY else "candidate",
                )
                for code, name in NAMES.items()
            ),
            edges=tuple(edge(link, gain=96.5 - 2.7 * place) for place, link in enumerate(links)),
            scores=GraphScores(
                method="noisy_or_bic",
                by_burden=True,
                ess=1.0,
                gain_per_patient=1.236,
                held_out_gain_per_patient=1.187,
                log_likelihood=-17583.17,
                out_of_graph=-8211.4,
                n_patients=2000,
                resamples=20,
            ),
        ),
        scores=tuple(
            IterationScore(
                iteration=turn,
                method="noisy_or_bic",
                accepted_score=accepted,
                gain_per_patient=1.236 + (accepted + 18069.44) / 2000,
                held_out_gain_per_patient=1.187 + (accepted + 18069.44) / 2100,
                log_likelihood=likelihood,
                n_edges=n_edges,
                change=change,
            )
            for turn, (accepted, likelihood, n_edges, change) in enumerate(
                (
                    (-18442.31, -18120.02, 12, None),
                    (-18120.77, -17702.4, 29, 0.64),
                    (-18071.02, -17590.93, 36, 0.21),
                    (-18069.44, -17583.17, 35, 0.03),
                )
            )
        ),
        stopped="unchanged",
        iterations=4,
        candidates=tuple(
            Candidate(
                code=code,
                dotted=dotted(code),
                display=name,
                score=0.6 - 0.02 * place,
                base_rate=0.3 - 0.01 * place,
                lift=1 + 0.3 * place,
            )
            for place, (code, name) in enumerate(NAMES.items())
        ),
        knowledge=knowledge(),
        model="statistical",
        calls=9,
        data=DataSource(source="csv", hash="d" * 64, patients=2000, visits=7889),
        versions={"ii-kea": "0.1.0", "langgraph": "1.2.22", "numpy": "2.3.4"},
        seed=7,
        notices=("One history code is not in the data set and was left out.",),
        assumptions=(
            "No unmeasured disease causes both ends of an edge. A known common cause would refute it.",
            "Diagnoses are recorded when they arise. A delayed first record would reverse an edge.",
        ),
        explanation="Diseases that recur come first, then those that the graph reaches.",
    )
    return result.model_copy(update=changes)


def hostile(text: str) -> DiagnosisResult:
    """The example with the given text wherever a model, a document or a record can put its own."""
    result = example()
    assert result.knowledge
    return example(
        comment=text,
        explanation=text,
        notices=(text,),
        assumptions=(text,),
        model=text,
        diseases={
            code: disease.model_copy(update={"display": text}) for code, disease in result.diseases.items()
        },
        predictions=tuple(
            p.model_copy(update={"reason": text, "counter_evidence": text, "display": text})
            for p in result.predictions
        ),
        graph=Graph(
            nodes=tuple(node.model_copy(update={"display": text}) for node in result.graph.nodes),
            edges=result.graph.edges,
        ),
        knowledge=Knowledge(
            libraries=tuple(
                library.model_copy(update=dict.fromkeys(("title", "version", "embedding", "retrieval"), text))
                for library in result.knowledge.libraries
            ),
            query=text,
            passages=tuple(
                p.model_copy(update=dict.fromkeys(OF_DOCUMENTS, text)) for p in result.knowledge.passages
            ),
            findings=tuple(
                f.model_copy(update=dict.fromkeys(("claim", "quote", "library"), text))
                for f in result.knowledge.findings
            ),
        ),
    )


def refused() -> DiagnosisResult:
    return DiagnosisResult(
        history=(("4019",),),
        diseases={"4019": Disease(code="4019", dotted="401.9", system="ICD9CM", display=NAMES["4019"])},
        model="statistical",
        data=DataSource(source="csv", hash="d" * 64, patients=2000, visits=7889),
        versions={"ii-kea": "0.1.0"},
        seed=0,
        refusal=Refusal(
            kind="not enough history",
            reason="the history holds no disease of the data set",
            next_step="Give at least one visit with a known code.",
        ),
    )


@st.composite
def graphs(draw: st.DrawFn, max_nodes: int = 24) -> Graph:
    """Acyclic graphs with names of any length; edges run upwards in a drawn order."""
    n_nodes = draw(st.integers(1, max_nodes))
    codes = draw(st.permutations([f"{100 + i}" for i in range(n_nodes)]))
    pairs = [(a, b) for i, a in enumerate(codes) for b in codes[i + 1 :]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=3 * n_nodes)) if pairs else []
    names = st.sampled_from([*NAMES.values(), "x", "", "a" * 90])
    return Graph(
        nodes=tuple(
            GraphNode(
                code=code,
                dotted=code,
                display=draw(names),
                role="history" if draw(st.booleans()) else "candidate",
            )
            for code in sorted(codes)
        ),
        edges=tuple(edge(f"{a} {b} .2 y", gain=1.0) for a, b in chosen),
    )
