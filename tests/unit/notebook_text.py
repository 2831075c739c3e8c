"""What the tests of the notebooks' form and of their words read: cells, texts, words."""

from __future__ import annotations

import re
from functools import cache, wraps
from pathlib import Path

import nbformat

from idc_helpers.runbook.lesson import steps_of_notebook

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
OF_THE_LESSON = [name for name in NAMES if steps_of_notebook(name)]
# What a reader does not read: blocks of code, tags of HTML, and where a link leads.
_NOT_READ = re.compile(r"```.*?```|<[^>]+>|\]\([^)]*\)", re.DOTALL)
_WORD = re.compile(r"\w[^\s|]*")


def every(names):
    """Let one test look at each of several names, and fail with all of those that are wrong."""

    def decorate(look):
        @wraps(look, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def look_at_all():
            faults = []
            for name in names:
                try:
                    look(name)
                except AssertionError as error:
                    faults.append(f"{name}: {error}")
            assert not faults, "\n".join(faults)

        del look_at_all.__wrapped__  # pytest would ask for a fixture of the argument's name
        return look_at_all

    return decorate


@cache
def notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", 4)


def code(name):
    return [cell for cell in notebook(name).cells if cell.cell_type == "code"]


def prose(name):
    return "\n\n".join(cell.source for cell in notebook(name).cells if cell.cell_type == "markdown")


def without_fences(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def count_words(name):
    """Return how many words of text a notebook has for a reader."""
    return len(_WORD.findall(_NOT_READ.sub("", prose(name))))
