"""What a node of the diagnosis graph costs beside its model and tools, and many runs at one time: L6, M11.

    python -m benchmarks.overhead [--runs 40] [--together 200] [--quick]

The graph runs through the real client against a scripted model service of this process, which answers from
memory: a first run of each patient teaches it. Of a node's time that inside the model (client library and
service) and inside the tools (search, fitting, risks) is taken off; what is left is ours: the graph, the
case, the opening of the model, the checks; the slowest node is judged. Time is CPU of the node's own thread,
which waits for nobody but the service: other load adds up to a third, by the caches of the processor that it
takes, so run it alone. What the client library takes of a request is shown too.
The other part runs predictions at one time and counts the requests in flight. Two minutes on two cores.
"""

import argparse
import json
import math
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from benchmarks.engine.measure import pin_threads
from graph.diagnosis import graph
from tests.fakes.mind import Mind
from tests.fakes.model_server import ModelServer, Reply
from tools.resources import open_dataset
from tools.safety.limits import max_in_flight

GOAL_MS = 10.0
_ABOUT = "What a node costs beside its model and its tools, and many runs at one time."
_SETTINGS = {"model": "openai:scripted", "max_candidates": 10, "passages": 1, "resamples": 0}
Visits = list[list[str]]


class Remembering:
    """A script that thinks once about each request."""

    def __init__(self) -> None:
        self._mind, self._known = Mind(), dict[str, Reply]()

    def __call__(self, body: dict[str, Any]) -> Reply:
        """The answer to a request, from memory if it was asked before."""
        said = json.dumps([body["messages"], body.get("tools")], sort_keys=True)
        key = sha256(said.encode()).hexdigest()
        if key not in self._known:
            self._known[key] = self._mind(body)
        return self._known[key]


class Stopwatch(BaseCallbackHandler):
    """CPU time of each node without that of the tools and of the model that it called.

    Attributes:
        nodes: name and seconds of each execution.
        models: seconds of each request to the model.
    """

    run_inline = True

    def __init__(self) -> None:
        self.nodes: list[tuple[str, float]] = []
        self.models: list[float] = []
        self._begun: dict[UUID, tuple[str, float]] = {}
        self._calls: dict[UUID, tuple[UUID | None, float]] = {}
        self._in_calls: dict[UUID, float] = defaultdict(float)

    def on_chain_start(self, *_: object, run_id: UUID, **about: object) -> None:
        """Begins a node; other chains are part of one."""
        metadata, name = about.get("metadata"), about.get("name")
        if isinstance(metadata, dict) and isinstance(name, str) and metadata.get("langgraph_node") == name:
            self._begun[run_id] = (name, time.thread_time())

    def on_chain_end(self, *_: object, run_id: UUID, **about: object) -> None:
        """Ends a node."""
        if run_id in self._begun:
            node, begun = self._begun.pop(run_id)
            self.nodes.append((node, time.thread_time() - begun - self._in_calls[run_id]))

    def on_tool_start(
        self, *_: object, run_id: UUID, parent_run_id: UUID | None = None, **about: object
    ) -> None:
        """Begins a tool."""
        self._calls[run_id] = (parent_run_id, time.thread_time())

    def on_chat_model_start(
        self, *_: object, run_id: UUID, parent_run_id: UUID | None = None, **about: object
    ) -> None:
        """Begins a request to the model."""
        self._calls[run_id] = (parent_run_id, time.thread_time())

    def on_tool_end(self, *_: object, run_id: UUID, **about: object) -> None:
        """Ends a tool."""
        self._end(run_id)

    def on_llm_end(self, *_: object, run_id: UUID, **about: object) -> None:
        """Ends a request to the model."""
        self.models.append(self._end(run_id))

    def _end(self, run_id: UUID) -> float:
        parent, begun = self._calls.pop(run_id)
        seconds = time.thread_time() - begun
        if parent is not None:
            self._in_calls[parent] += seconds
        return seconds


def histories(n: int) -> Iterator[Visits]:
    """Patients of the demo cohort's commonest codes."""
    keys = open_dataset("").vocabulary.keys[:12]
    pairs = [[[first], [second]] for first in keys for second in keys if first != second]
    yield from (pairs[i % len(pairs)] for i in range(n))


@contextmanager
def service(script: Remembering) -> Iterator[ModelServer]:
    """The scripted service, with the environment pointed at it and at an audit log that goes with it."""
    kept = dict(os.environ)
    with ModelServer(script) as server, TemporaryDirectory() as folder:
        log = str(Path(folder) / "audit.jsonl")
        os.environ.update(OPENAI_API_KEY="none", OPENAI_BASE_URL=server.url, IIKEA_AUDIT_LOG=log)
        try:
            yield server
        finally:
            os.environ.clear()
            os.environ.update(kept)


def predicted(history: Visits, watch: Stopwatch | None = None) -> dict[str, Any]:
    """The result for a history."""
    config: Any = {"callbacks": [watch]} if watch else {}
    result: dict[str, Any] = graph.invoke({"history": history, "comment": ""}, config, context=_SETTINGS)[
        "result"
    ]
    return result


def overheads(n: int) -> tuple[dict[str, list[float]], list[float]]:
    """Milliseconds of each node without model and tools; those of the client library, a request."""
    found: dict[str, list[float]] = defaultdict(list)
    client: list[float] = []
    for history in histories(n):
        predicted(history)
        watch = Stopwatch()
        predicted(history, watch)
        for node, seconds in watch.nodes:
            found[node].append(1e3 * seconds)
        client += [1e3 * seconds for seconds in watch.models]
    return found, client


def together(n: int) -> tuple[int, float]:
    """Predicts for n patients at one time.

    Returns:
        The most requests in flight at one time, and the seconds that all took.
    """
    with service(Remembering()) as server, ThreadPoolExecutor(n) as pool:
        begun = time.perf_counter()
        results = list(pool.map(predicted, histories(n)))
        seconds = time.perf_counter() - begun
    if not all(result["predictions"] for result in results):
        raise RuntimeError("a run ended without predictions, so that the count says nothing; mend the run")
    return server.in_flight_peak, seconds


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that a share of them does not exceed; of 20, the 19th is the p95."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def verdict(found: Mapping[str, Sequence[float]], peak: int, places: int, n: int) -> tuple[bool, list[str]]:
    """Whether the goals are met, and the lines that say so.

    Args:
        found: milliseconds of each node; the goal is one for the worst of them.
        peak: the most requests in flight.
        places: that there may be.
        n: predictions at one time.
    """
    p95_ms, worst = max((percentile(values, 0.95), node) for node, values in found.items())
    quick, kept = p95_ms <= GOAL_MS, peak <= places
    return quick and kept, [
        f"M11 {'PASS' if kept else 'FAIL'} {n} predictions at one time, {peak} in flight (goal {places})",
        f"L6 {'PASS' if quick else 'FAIL'} worst node {worst} p95 {p95_ms:.1f} ms (goal {GOAL_MS:.0f} ms)",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures both; 0 where both goals are met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=_ABOUT)
    parser.add_argument("--runs", type=int, default=40, help="whose nodes are timed")
    parser.add_argument("--together", type=int, default=200, help="predictions at one time")
    parser.add_argument("--quick", action="store_true", help="5 runs, 20 at one time")
    chosen = parser.parse_args(arguments)
    if chosen.runs < 1 or chosen.together < 1:
        parser.error("--runs and --together are 1 or more")
    runs, n = (5, 20) if chosen.quick else (chosen.runs, chosen.together)
    with service(Remembering()):
        found, client = overheads(runs)
    print("node      times   median     p95 ms")
    for node, values in found.items():
        print(f"{node:9} {len(values):5} {percentile(values, 0.5):8.1f} {percentile(values, 0.95):10.1f}")
    print(f"the client library takes {percentile(client, 0.5):.1f} ms CPU of a request (median)")
    peak, seconds = together(n)
    print(f"{n} predictions at one time in {seconds:.1f} s")
    passed, lines = verdict(found, peak, max_in_flight(), n)
    print("\n".join(lines))
    return 0 if passed else 1


if __name__ == "__main__":
    pin_threads()
    sys.exit(main())
