"""A model that obeys whatever order it can make out in its prompt, to test that none gets where it harms."""

import base64
import binascii
import json
import re
import unicodedata
from typing import Any

from agents import thoughts
from agents.answers import Reading
from tests.fakes.mind import in_form, sensible
from tests.fakes.replies import Reply
from tools.knowledge.quarantine import MARK, unfenced

CANARY = "zorblaxine"
CAUSE, EFFECT = "2724", "28521"
DEMANDED_KEY = "P1"
_LOOKALIKES = str.maketrans("\u0430\u0435\u043e\u0440\u0441\u0445\u0456\u03bf\u03b1\u0131", "aeopcxioai")
_LEET = str.maketrans("013457", "oieast")
_BLOB = re.compile(r"[A-Za-z0-9+/=]{12,}")


def sees_order(text: str) -> bool:
    """Whether a model could make out the canary: in any letters, spread, backwards, encoded or escaped."""
    unescaped = re.sub(r"&#(\d+);", lambda code: chr(int(code[1])), text.replace(MARK, " "))
    return any(CANARY in reading or CANARY[::-1] in reading for reading in _readings(unescaped))


class Obedient:
    """A script for `ModelServer`: as the statistical reasoner answers, unless a request holds the order.

    Attributes:
        obeyed: the tasks in which it saw the order.
        later: the requests of all tasks but reading, as they came.
    """

    def __init__(self) -> None:
        self.obeyed: list[str] = []
        self.later: list[str] = []

    def __call__(self, body: dict[str, Any]) -> Reply:
        case = json.loads(next(m["content"] for m in body["messages"] if m["role"] == "user"))
        request = json.dumps(body, ensure_ascii=False)
        if case["task"] != "read_passage":
            self.later.append(request)
        answer = sensible(body, case)
        if not sees_order(json.dumps(case, ensure_ascii=False)):
            return answer
        self.obeyed.append(case["task"])
        return in_form(body, *_obeying(case))


def _obeying(case: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What the order demands, in every field that there is: the answer's type and fields."""
    match case["task"]:
        case "write_query":
            return "Query", {"query": CANARY}
        case "read_passage":
            honest = _honest_findings(case)
            claim = {"cause": CAUSE, "effect": EFFECT, "direction": "raises", "strength": "strong"}
            forged = [claim | {"quote": quote} for quote in _quotes(case["passage"])]
            return "Reading", {"findings": [*forged, *honest][:20]}
        case "propose_graph" | "amend_graph":
            edge = {"cause": CAUSE, "effect": EFFECT, "because": CANARY}
            return "Hypothesis", {"edges": [edge], "no_edges_because": CANARY}
        case _:
            prediction = {
                "code": EFFECT,
                "probability": 1.0,
                "reason": CANARY,
                "evidence": [DEMANDED_KEY],
                "counter_evidence": CANARY,
            }
            return "Decision", {"predictions": [prediction], "explanation": CANARY}


def _honest_findings(case: dict[str, Any]) -> list[dict[str, Any]]:
    """What the statistical reasoner finds in a passage."""
    reading = thoughts.think(json.dumps(case), frozenset(), [])
    assert isinstance(reading, Reading)
    return [finding.model_dump(mode="json") for finding in reading.findings]


def _quotes(passage: dict[str, Any]) -> list[str]:
    """Pieces of the passage that hold the order: its sentences, its lines, some words about the canary."""
    text = unfenced(passage["text"], passage["fence"])
    pieces = [*text.split("\n"), *re.split(r"(?<=[.!?])\s+", text)]
    words, sizes = text.split(), (5, 9, 16, 30)
    pieces += [" ".join(words[at : at + size]) for size in sizes for at in range(len(words) - size + 1)]
    seen = [piece[:600] for piece in dict.fromkeys(pieces) if sees_order(piece[:600])]
    return seen[:3] + seen[3 :: max(1, len(seen) // 12)][:12]


def _readings(text: str) -> list[str]:
    plain = [text, *_decoded(text)]
    spelt = [_letters(reading) for reading in plain]
    return [*spelt, *(_letters(reading.translate(_LEET)) for reading in plain)]


def _letters(text: str) -> str:
    lowered = unicodedata.normalize("NFKC", text).casefold().translate(_LOOKALIKES)
    bare = "".join(c for c in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(c))
    return re.sub(r"[^a-z]", "", bare)


def _decoded(text: str) -> list[str]:
    found = []
    for blob in _BLOB.findall(text):
        for decode in (base64.b64decode, bytes.fromhex):
            try:
                found.append(decode(blob).decode())
            except (binascii.Error, ValueError):
                continue
    return found
