"""Files that come with the package."""

from __future__ import annotations

from pathlib import Path

# Not by importlib.resources: with what it brings along it takes longer than all that it would read here.
PACKAGE = Path(__file__).parent


def packaged_text(name: str) -> str:
    """Return a text file of the package, such as ``"data/texts.toml"``."""
    return (PACKAGE / name).read_text("utf-8")
