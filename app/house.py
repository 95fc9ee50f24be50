"""Whether the application's packages are its own.

The import packages have everyday names (`agents`, `tools`), so a library in the same environment can shadow
one of them, and the failure that follows names neither.
"""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

PACKAGES = ("graph", "agents", "tools", "prompts", "app")
ROOT = Path(__file__).resolve().parent.parent

_REMEDY = (
    f"The application needs an environment of its own, without other libraries that bring these packages "
    f"(openai-agents brings 'agents'). In {ROOT}: python3 -m venv .venv, then "
    f".venv/bin/python -m pip install -e . -c constraints.txt"
)


def check() -> None:
    """Ends the process with status 2 and one message where a package of ours resolves to a foreign one."""
    shadowed = [line for package in PACKAGES if (line := _fault(package))]
    if shadowed:
        print("\n".join([*shadowed, _REMEDY]), file=sys.stderr)
        sys.exit(2)


def _fault(package: str) -> str | None:
    spec = importlib.util.find_spec(package)
    if spec is None:
        return f"The package '{package}' is not installed."
    if _location(spec).is_relative_to(ROOT / package):
        return None
    return f"The package '{package}' is shadowed by {_location(spec)}."


def _location(spec: ModuleSpec) -> Path:
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
    return Path(places[0]).resolve()
