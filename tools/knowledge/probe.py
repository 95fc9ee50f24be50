"""Whether an index can be opened, tried in another process: a damaged one can kill or stop its reader."""

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


_sound: set[tuple[Place, tuple[tuple[str, int], ...]]] = set()


def probe(place: Place, time_limit_s: float = TIME_LIMIT_S) -> None:
    """Opens an index in another process, counts it and asks it for a passage.

    One in a folder that this process found sound, or wrote, is not opened again while its files keep their
    sizes.

    Raises:
        InputError: it is damaged, locked, of another version, or does not answer in time.
    """
    if not place.is_server and _fingerprint(place) in _sound:
        return
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
    if run.returncode:
        raise InputError(what, f"{_reason(run.returncode, run.stderr)}; {_remedy(place)}")
    take_as_sound(place)


def take_as_sound(place: Place) -> None:
    """Remembers that an index in a folder is sound as it is now."""
    if not place.is_server:
        _sound.add(_fingerprint(place))


def _fingerprint(place: Place) -> tuple[Place, tuple[tuple[str, int], ...]]:
    """An index by the sizes of its files; Chroma touches their times whenever it opens them."""
    files = sorted(path for path in Path(place.where).rglob("*") if path.is_file())
    return place, tuple((path.name, path.stat().st_size) for path in files)


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
        return
    found = client.get_collection(collection, embedding_function=None)
    if found.count():
        vector: list[Sequence[float]] = [[1.0] * int((found.metadata or {})["dimension"])]
        found.query(query_embeddings=vector, n_results=1, include=["distances"])


if __name__ == "__main__":
    _main(*sys.argv[1:])
