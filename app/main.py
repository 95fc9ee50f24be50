"""The `iikea` command: checks that the packages are ours before it imports any of them."""

from app.house import check


def main() -> None:
    """Runs the command line."""
    check()
    from app.cli import app

    app()


if __name__ == "__main__":
    main()
