"""What could have been read for the example: two libraries, five passages, six findings, a disagreement."""

from tools.reporting.result import (
    CitedPassage,
    EffectDirection,
    Finding,
    Knowledge,
    SearchedLibrary,
    Strength,
)

SAID: dict[EffectDirection, str] = {"raises": "raises", "none": "does not change"}


def knowledge() -> Knowledge:
    passages = (
        ("kidney-causes", "Chronic kidney disease", "Causes", 1),
        ("diabetes-course", "Type 2 diabetes", "Epidemiology", 1),
        ("heart-causes", "Heart failure", "Causes", 2),
        ("heart-course", "Heart failure", "Overview", 2),
        ("smoking", "Tobacco use", "Overview", 1),
    )
    diabetes = (
        "Diabetes is the most common cause of chronic kidney disease, and high blood pressure the second."
    )
    found: tuple[tuple[str, str, str, str | None, EffectDirection, Strength, tuple[int, ...]], ...] = (
        ("kidney-causes", diabetes, "25000", "5859", "raises", "strong", (4,)),
        ("kidney-causes", diabetes, "4019", "5859", "raises", "strong", ()),
        (
            "diabetes-course",
            "people with diabetes develop kidney disease",
            "25000",
            "5859",
            "raises",
            "unstated",
            (4,),
        ),
        (
            "heart-causes",
            "long-standing hypertension is a usual cause",
            "4019",
            "4280",
            "raises",
            "moderate",
            (),
        ),
        (
            "heart-course",
            "diabetes does not lead to kidney disease",
            "25000",
            "5859",
            "none",
            "unstated",
            (0, 2),
        ),
        ("heart-course", "tobacco harms the vessels", "3051", None, "raises", "weak", ()),
    )
    titles = {1: "A hospital's own library", 2: "Demonstration library of common diseases"}
    trust_of = {key: trust for key, _, _, trust in passages}
    return Knowledge(
        libraries=tuple(
            SearchedLibrary(
                title=title,
                version=f"{trust}" * 64,
                embedding="none" if trust == 1 else "words-512",
                retrieval="words (BM25)" if trust == 1 else "words (BM25) and vectors (words-512)",
                trust=trust,
            )
            for trust, title in titles.items()
        ),
        query="diabetes, hypertension, coronary atherosclerosis: kidney disease, heart failure, stroke",
        passages=tuple(
            CitedPassage(
                id=key,
                doc_id=key.partition("-")[0],
                title=title,
                section=section,
                page=12 if trust == 1 else None,
                start=100 * place,
                end=100 * place + 90,
                text_sha256="a" * 64,
                source=f"Publisher of {key}",
                licence="CC BY-SA 4.0",
                url=f"https://example.org/library/{key}" if trust == 1 else None,
                revision="4711" if trust == 1 else None,
                library=titles[trust],
                trust=trust,
                score=0.81 - 0.07 * place,
            )
            for place, (key, title, section, trust) in enumerate(passages)
        ),
        findings=tuple(
            Finding(
                passage=key,
                claim=f"{cause} {SAID[direction]} the chance of {effect or 'another disease'}",
                quote=quote,
                cause=cause,
                effect=effect,
                direction=direction,
                strength=strength,
                library=titles[trust_of[key]],
                trust=trust_of[key],
                contradicts=contradicts,
            )
            for key, quote, cause, effect, direction, strength, contradicts in found
        ),
    )
