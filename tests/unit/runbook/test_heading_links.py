"""Links to headings, compared as JupyterLab compares them."""

import html
import json
import re
from functools import cache
from pathlib import Path

from idc_helpers.runbook.lesson import LESSON, Place

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
LINKED = re.compile(r"\]\(((?:\d\d_\w+\.ipynb)?#[^)\s]+)\)|href=\"((?:\d\d_\w+\.ipynb)?#[^\"]+)\"")


def sources(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


@cache
def headings(path):
    """Return the text of a notebook's headings, as their textContent: without the marks of Markdown."""
    text = re.sub(r"```.*?```", "", "\n".join(sources(path)), flags=re.S)
    return [text_content(found[1]) for found in re.finditer(r"^#{1,6} +(.*?)(?: +#+)?$", text, re.M)]


def text_content(markdown):
    without_links = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", markdown)
    return re.sub(r"(`+|\*\*?)(.+?)\1", r"\2", without_links)


def leads_to(link):
    """Return whether JupyterLab finds a heading for a link: as its rendermime and its notebook do.

    ``createHeaderId``: ``textContent.replace(/ /g, "-")``. ``setFragment``: the fragment without its sign is
    looked for as it is written; what stands before an equals sign would be a kind of fragment.
    """
    notebook, _, fragment = link.partition("#")
    path = NOTEBOOKS / notebook
    ids = [text.replace(" ", "-") for text in headings(path)]
    return path.exists() and "=" not in fragment and fragment in ids


ALL = [(path.stem, text) for path in sorted(NOTEBOOKS.glob("*.ipynb")) for text in headings(path)]


def test_there_are_headings_with_every_sign_that_a_link_could_lose():
    assert len(ALL) > 90
    assert {sign for _, text in ALL for sign in ":,'" if sign in text} == set(":,'")


def test_a_link_to_any_heading_is_found():
    assert [each for each in ALL if not leads_to(Place(*each).link)] == []


def test_going_back_from_a_failed_check_and_the_maps_links_lead_to_headings():
    links = [link for entry in LESSON.values() for link in (entry.place.link, entry.link)]
    assert [link for link in links if not leads_to(link)] == []


def test_links_that_notebooks_have_in_their_texts_lead_to_headings():
    wrong = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        for match in LINKED.finditer("\n".join(sources(path))):
            link = html.unescape(match[1] or match[2])
            if not leads_to(link if not link.startswith("#") else f"{path.name}{link}"):
                wrong.append((path.name, link))
    assert wrong == []
