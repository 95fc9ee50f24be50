"""Results as files that are whole or not there, and readable by their owner only."""

from pathlib import Path

from tools.safety.errors import InputError
from tools.safety.files import write_whole


def require_place(target: Path, field: str) -> None:
    """Check that a file can be named so, before the work that it is for.

    Raises:
        InputError: its folder does not exist, or a folder is of its name.
    """
    if not target.parent.is_dir():
        raise InputError(field, "its folder does not exist; create the folder first")
    if target.is_dir():
        raise InputError(field, "the path is a folder; name a file in it")


def write_result(target: Path, content: str | bytes, field: str) -> None:
    """Write a file about a patient; an earlier file stays whole until the new one has been written whole.

    Args:
        target: the file.
        content: of it; text as UTF-8.
        field: what errors call it.

    Raises:
        InputError: see `require_place`; or the system refuses.
    """
    require_place(target, field)
    try:
        write_whole(target, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        reason = error.strerror or "the system refused"
        raise InputError(field, f"cannot be written: {reason}; choose another place") from error
