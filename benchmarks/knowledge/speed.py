"""How long a search takes in a library of many passages, published on disk."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools.knowledge.curation import Details, curate
from tools.knowledge.library import KnowledgeLibrary
from tools.knowledge.manifest import Manifest, Retrieval
from tools.knowledge.text import sentences

SECTIONS_A_DOCUMENT = 50
SENTENCES_A_PASSAGE = 5
N_QUERIES = 300
WORDS_A_QUERY = (3, 40)


class Speed(NamedTuple):
    """Wall-clock milliseconds of one search, after a first one."""

    p50_ms: float
    p95_ms: float


def write_library(folder: Path, n_passages: int, demo: KnowledgeLibrary, seed: int = 0) -> float:
    """Publishes a library of passages that mix sentences and words of another.

    Args:
        folder: is made.
        n_passages: rounded up to whole documents.
        demo: whose words are used.
        seed: of the mixing.

    Returns:
        Seconds it took to take the documents in, embed them and publish the index.
    """
    rng = random.Random(seed)
    pool = [sentence for passage in demo.passages.values() for sentence in sentences(passage.text)]
    incoming = folder.with_name(f"{folder.name}-incoming")
    incoming.mkdir()
    n_documents = -(-n_passages // SECTIONS_A_DOCUMENT)
    for number in range(n_documents):
        text = "\n\n".join(_sections(pool, rng))
        head = f"---\ntitle: Document {number}\n---\n\n"
        (incoming / f"document-{number:04}.md").write_text(head + text, encoding="utf-8")
    begun = time.perf_counter()
    with curate(folder, Manifest(title="Synthetic", embedding="hashed", licence="CC0-1.0")) as curator:
        for path in sorted(incoming.iterdir()):
            curator.add(path, path.stem, Details(added_by="benchmark"))
        curator.publish()
    return time.perf_counter() - begun


def search_speed(library: KnowledgeLibrary, retrieval: Retrieval, seed: int = 0) -> Speed:
    """The speed of searches for the best five of queries of some words of the library."""
    rng = random.Random(seed)
    words = sorted({word for passage in library.passages.values() for word in passage.text.split()})
    queries = [" ".join(rng.choices(words, k=rng.randint(*WORDS_A_QUERY))) for _ in range(N_QUERIES)]
    library.search(queries[0], 5, retrieval)
    spent_ms = []
    for query in queries:
        begun = time.perf_counter()
        library.search(query, 5, retrieval)
        spent_ms.append(1_000 * (time.perf_counter() - begun))
    return Speed(*(float(figure) for figure in np.percentile(spent_ms, [50, 95])))


def _sections(pool: list[str], rng: random.Random) -> Iterator[str]:
    for number in range(SECTIONS_A_DOCUMENT):
        chosen = rng.sample(pool, SENTENCES_A_PASSAGE)
        mixed = " ".join(chosen).split()
        rng.shuffle(mixed)
        yield f"## Section {number}\n\n{' '.join(mixed)}."
