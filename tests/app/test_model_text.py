"""FAULTS C11: what a model writes is text wherever it is shown, and fetches, colours and computes nothing."""

import csv
import json
import re

import pytest

from agents.forms import FORMS
from tests.agents.service import served
from tests.fakes.mind import in_form, sensible
from tests.fakes.model_server import ModelServer

RUN = ("predict", "--history", "401.9 250.00; 585.9", "--model", "openai:scripted", "--resamples", 0)


def hostile(address):
    """A text of everything that a page, a terminal, a spreadsheet or Markdown could obey."""
    return (
        f'=HYPERLINK("{address}/cell") ![x]({address}/markdown.png) <img src="{address}/page.png">'
        f'<script>fetch("{address}/script")</script> \x1b[31mred\x1b[0m '
        f"\x1b]8;;{address}/terminal\x1b\\click\x1b]8;;\x1b\\ [link](javascript:alert(1)) \u202egnp.exe"
    )


class Hostile:
    """A mind whose words are all hostile, and whose answers are otherwise sensible."""

    def __init__(self, said):
        self.said = said

    def __call__(self, body):
        case = json.loads(body["messages"][1]["content"])
        if case["task"] == "decide":
            listed = [
                {"code": d["code"], "probability": 0.5, "reason": self.said, "counter_evidence": self.said}
                for d in case["diseases"][:2]
            ]
            return in_form(body, "Decision", {"predictions": listed, "explanation": self.said})
        if case["task"] == "propose_graph":
            first, second = (disease["code"] for disease in case["diseases"][:2])
            edge = {"cause": first, "effect": second, "because": self.said[:600]}
            return in_form(body, "Hypothesis", {"edges": [edge], "no_edges_because": self.said[:600]})
        if case["task"] == "write_query":
            return in_form(body, "Query", {"query": self.said[:600]})
        return sensible(body, case)


@pytest.mark.parametrize("form", FORMS)
def test_c11_words_of_a_model_are_escaped_in_page_terminal_and_table(form, iikea, tmp_path):
    with ModelServer([]) as elsewhere:
        with served(Hostile(hostile(elsewhere.url))):
            files = ("--report", tmp_path / "r.html", "--csv", tmp_path / "t.csv")
            ended = iikea(*RUN, "--answers-as", form, *files)
        assert ended.code == 0
        page = (tmp_path / "r.html").read_text()
        assert elsewhere.requests == []
    assert "HYPERLINK" in page and "HYPERLINK" in ended.out
    for mark in ("\x1b", "\u202e"):
        assert mark not in page + ended.out + (tmp_path / "t.csv").read_text()
    assert not re.search(r"<(img|script)[^>]*(127\.0\.0\.1|fetch)", page)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(http|javascript)[^\"'>]*(\.png|alert|/v1)", page)
    with (tmp_path / "t.csv").open(newline="") as table:
        cells = [cell for row in csv.reader(table) for cell in row]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
