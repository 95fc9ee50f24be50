"""What the minds are told: Markdown files with front matter, and the loader that checks them."""

from prompts.loader import Prompt, load, names

__all__ = ["Prompt", "load", "names"]
