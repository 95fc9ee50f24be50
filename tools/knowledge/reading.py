"""From a document's source to its passages."""

from collections.abc import Callable
from pathlib import Path

from tools.knowledge.cutting import cut
from tools.knowledge.formats.reading import read_source
from tools.knowledge.manifest import sound_source
from tools.knowledge.passage import Entry, Passage


def read_passages(
    library: Path, entry: Entry, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Passage, ...]:
    """The passages of a document of a library, from its source.

    Args:
        library: its folder.
        entry: the document's record.
        progress: told how many pages of how many were read.

    Raises:
        InputError: the source is missing, was changed since it was added, or cannot be read.
    """
    extract = read_source(sound_source(library, entry), entry.file, entry.media, progress)
    return cut(entry.id, entry.title, extract)
