"""Reads the prompt files beside it."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_FOLDER = Path(__file__).parent
_FENCE = "---\n"


class Prompt(BaseModel):
    """One system prompt.

    Attributes:
        name: the file's name without ending.
        version: raised whenever the text changes what a model is asked.
        inputs: fields of the case document that the text refers to.
        answer: name of the type that the answer must be.
        source: where the wording comes from.
        text: the instruction itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: int = Field(ge=1)
    inputs: tuple[str, ...] = Field(min_length=1)
    answer: str
    source: str
    text: str = Field(min_length=1)


@cache
def load(name: str) -> Prompt:
    """One prompt by name.

    Raises:
        ValueError: no such file, no front matter, or a missing or unknown field.
    """
    path = _FOLDER / f"{name}.md"
    if not path.is_file():
        raise ValueError(f"no prompt '{name}'; there are {', '.join(names())}")
    whole = path.read_text(encoding="utf-8")
    head, fence, text = whole.removeprefix(_FENCE).partition(f"\n{_FENCE}")
    if not (fence and whole.startswith(_FENCE)):
        raise ValueError(f"prompt '{name}': no front matter between two lines of ---")
    try:
        prompt = Prompt(**yaml.safe_load(head), text=text.strip())
    except (ValidationError, TypeError, yaml.YAMLError) as error:
        raise ValueError(f"prompt '{name}': {error}") from error
    if prompt.name != name:
        raise ValueError(f"prompt '{name}': its front matter says '{prompt.name}'")
    return prompt


def names() -> tuple[str, ...]:
    """Every prompt there is, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.md")))
