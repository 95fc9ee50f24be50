"""Whether an index can be opened, tried in another process: a damaged one can kill or stop its reader."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tools.safety.errors import InputError

TIME_LIMIT_S = 10.0
_ROOT = Path(__file__).resolve().parents[2]
_ADVICE = "run `iikea knowledge rebuild` on the library: it makes the index anew from the sources"


class Place(NamedTuple):
    """Where an index is: a folder, or the URL of a Chroma server; and the name of its collection.

    Without a collection it is the database itself.
    """

    where: str
    collection: str

    @property
    def is_server(self) -> bool:
        """Whether a server holds it."""
        return self.where.startswith(("http://", "https://"))


class Probed(NamedTuple):
    """What an index says of itself: number of passages, and the stamp of the embedding they came from."""

    n_passages: int
    stamp: dict[str, str | int]


def probe(place: Place, time_limit_s: float = TIME_LIMIT_S) -> Probed:
    """Opens an index in another process, counts it and asks it for a passage.

    Raises:
        InputError: it is damaged, locked, of another version, or does not answer in time.
    """
    what = "index server" if place.is_server else "index"
    command = [sys.executable, "-m", "tools.knowledge.probe", *place]
    try:
        run = subprocess.run(  # noqa: S603
            command, cwd=_ROOT, capture_output=True, text=True, timeout=time_limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        if place.is_server:
            raise InputError(what, f"no answer within {time_limit_s:g} s; see whether it is well") from None
        rule = f"no answer within {time_limit_s:g} s: another program holds it, or it is damaged; {_ADVICE}"
        raise InputError(what, rule) from None
    if run.returncode == 0:
        return Probed(**json.loads(run.stdout.rsplit("\n", 2)[-2]))
    raise InputError(what, f"{_reason(run.returncode, run.stderr)}; {_remedy(place)}")


def _remedy(place: Place) -> str:
    return f"see that `chroma run` serves it, or {_ADVICE}" if place.is_server else _ADVICE


def _reason(code: int, complaint: str) -> str:
    if code < 0:
        return f"damaged: the process that opened it was killed by signal {-code}"
    kind = complaint.strip().rpartition("\n")[2].partition(":")[0].rpartition(".")[2]
    return f"cannot be opened ({kind[:60] or 'no reason given'})"


def _main(where: str, collection: str) -> None:
    from tools.knowledge.chroma import open_client

    client = open_client(where)
    if not collection:
        sys.stdout.write(json.dumps({"n_passages": 0, "stamp": {}}) + "\n")
        return
    found = client.get_collection(collection, embedding_function=None)
    n_passages = found.count()
    stamp = dict(found.metadata or {})
    if n_passages:
        vector: list[Sequence[float]] = [[1.0] * int(stamp["dimension"])]
        found.query(query_embeddings=vector, n_results=1, include=["distances"])
    sys.stdout.write(json.dumps({"n_passages": n_passages, "stamp": stamp}) + "\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
