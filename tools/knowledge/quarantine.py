"""How words of a document are put before a model: marked as data, in fences their author cannot know.

Between the words of a document stands `MARK` instead of a space, so that no sentence of it looks like one of
ours: datamarking, from Hines et al. 2024, "Defending against indirect prompt injection attacks with
spotlighting".
"""

import re
import unicodedata
from hashlib import sha256

MARK = "\ue000"
_NONCE_CHARS = 16
_SPACE = re.compile(rf"[\s{MARK}]+")


def nonce(*known: str) -> str:
    """The name of a fence: a hash over things of which an author cannot know all, the same in a replay.

    Args:
        known: such as the text, the version of the library, the diseases of the case, the seed.
    """
    digest = sha256()
    for part in known:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:_NONCE_CHARS]


def marked(text: str) -> str:
    """The text in composed form, white space replaced by `MARK`; a line break stays after its mark.

    A mark that the text itself holds counts as white space.
    """
    composed = unicodedata.normalize("NFC", text)
    return _SPACE.sub(lambda space: f"{MARK}\n" if "\n" in space[0] else MARK, composed)


def fenced(text: str, fence: str) -> str:
    """The marked text between fences."""
    return f"[{fence}]{marked(text)}[/{fence}]"


def unmarked(text: str) -> str:
    """The words of a marked text, one space or line break between them."""
    return text.replace(f"{MARK}\n", "\n").replace(MARK, " ")


def unfenced(text: str, fence: str) -> str:
    """The words of a fenced text."""
    return unmarked(text.removeprefix(f"[{fence}]").removesuffix(f"[/{fence}]"))


def plain(text: str) -> str:
    """Words as they are compared: composed, unmarked, white space folded to single spaces."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()
