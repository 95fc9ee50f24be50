"""A run of the diagnosis graph on the demo cohort, small enough for a test."""

from graph.diagnosis import graph
from tools.reporting.result import DiagnosisResult

HISTORY = [["4019", "25000"], ["5859"]]
SMALL = {"max_candidates": 10, "passages": 3, "resamples": 2}


def run(history=None, comment="", **context):
    given = {"history": HISTORY if history is None else history, "comment": comment}
    return DiagnosisResult.model_validate(graph.invoke(given, context=SMALL | context)["result"])
