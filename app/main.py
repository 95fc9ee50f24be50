"""The `iikea` command: checks that the packages are ours before it imports any of them."""

import sys
from io import TextIOWrapper

from app.house import check


def main() -> None:
    """Runs the command line."""
    check()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    from app.cli import app

    app()


if __name__ == "__main__":
    main()
