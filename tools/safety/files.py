"""Files about patients: whole or not there, and readable by their owner only."""

import os
import tempfile
from pathlib import Path


def write_private(target: Path, content: bytes) -> None:
    """Writes a file that its owner alone can read; an earlier one stays whole until the new one is.

    Raises:
        OSError: the system refuses.
    """
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
