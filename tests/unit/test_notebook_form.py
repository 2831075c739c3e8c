"""The form that all notebooks share, so that a reader always knows where they are."""

from __future__ import annotations

import ast
import re
import statistics
from functools import cache
from urllib.parse import unquote

from notebook_text import FOLDER, NAMES, OF_THE_LESSON, code, every, notebook, prose, without_fences

from idc_helpers.notebook.exercises import EXERCISES
from idc_helpers.runbook.lesson import LESSON, target_steps

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# As JupyterLab and nbconvert both fold it: what is inside stays Markdown between empty lines.
QUESTION = re.compile(
    r"> \*\*A question\.\*\* (?:.+\n> ?)*?.+\?\n>\n> <details><summary>Answer</summary>\n>\n"
    r"(?:> .+\n)+>\n> </details>"
)
OPENING = """\
# Run this cell too: it connects, and shows where you work and how far you are.
from idc_helpers import open_runbook

runbook = """


@cache
def headings(name):
    """Return the anchors of a notebook's headings as JupyterLab makes them."""
    lines = re.findall(r"^#{1,6} (.+)$", without_fences(prose(name)), re.MULTILINE)
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[*`]", r"\1", line) for line in lines)
    return [line.strip().replace(" ", "-") for line in words]


def sections(name):
    """Return (heading, markdown and code) of each second-level section, in order."""
    found = [("", "")]
    for cell in notebook(name).cells:
        for part in (
            re.split(r"^(?=## )", cell.source, flags=re.MULTILINE)
            if cell.cell_type == "markdown"
            else [cell.source]
        ):
            if part.startswith("## "):
                heading, _, rest = part.partition("\n")
                found.append((heading.removeprefix("## ").replace("`", ""), rest))
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}\n{part}")
    return found


def test_the_notebooks_are_numbered_in_the_lessons_order():
    assert [name[:2] for name in NAMES] == [f"{number:02}" for number in range(13)] + ["99"]


@every(NAMES)
def test_a_notebook_begins_with_title_and_two_folded_cells_parameters_and_connection(name):
    cells = notebook(name).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    for word in ("**Takes**", "**Who**", "**Changes**", "**Undo**"):
        assert word in cells[0].source
    first, second = code(name)[:2]
    assert cells.index(second) == cells.index(first) + 1
    assert first.metadata.get("tags") == ["parameters"]
    assert second.source.startswith(OPENING)
    assert f'open_runbook(\n    "{name}"' in second.source
    assert second.source.endswith("\nrunbook")
    # Folded, but not what the second shows: where one works.
    assert [cell for cell in cells if "jupyter" in cell.metadata] == [first, second]
    assert first.metadata.jupyter == second.metadata.jupyter == {"source_hidden": True}


@every(NAMES)
def test_parameters_are_literals_each_with_a_comment(name):
    (cell,) = (cell for cell in code(name) if "parameters" in cell.metadata.get("tags", []))
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    assert all("  # " in line for line in cell.source.splitlines())


@every(NAMES)
def test_logic_lives_in_the_package_and_not_in_a_notebook(name):
    nodes = [node for cell in code(name) for node in ast.walk(ast.parse(cell.source))]
    logic = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.Try)
    assert not [node for node in nodes if isinstance(node, logic)]
    assert sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes) == 1


@every(NAMES)
def test_cells_are_small_and_there_is_more_to_read_than_to_run(name):
    lines = [len(cell.source.splitlines()) for cell in code(name)]
    assert max(lines) <= 20
    assert statistics.median(lines) <= 4
    assert 12 <= len(notebook(name).cells) <= 45
    assert len(prose(name).split()) > 4 * sum(lines)


@every(OF_THE_LESSON)
def test_every_step_is_checked_and_every_check_is_of_a_step(name):
    text = "\n".join(cell.source for cell in code(name))
    bound = set(
        re.findall(r"(\w+) = runbook\.(?:step|activation|command_line|temporary_credentials)\(", text)
    )
    assert bound
    checked = set(re.findall(r"(\w+)\.(?:check|take)\(", text)) - {"exercise"}  # to take a step checks it
    # A profile is checked in notebook 10; 11 only uses it.
    unchecked = {"command_line"} if name.startswith("11") else set()
    assert bound - unchecked == checked


@every(OF_THE_LESSON)
def test_every_step_links_to_its_page_of_aws(name):
    for heading, text in sections(name):
        if re.search(r"runbook\.(step|activation|command_line)\(|credentials\.compare", text) and heading:
            assert "https://docs.aws.amazon.com/" in text, heading


@every(OF_THE_LESSON)
def test_every_notebook_ends_with_an_exercise_and_the_way_on(name):
    titles = [heading for heading, _ in sections(name)]
    assert titles.count("Try it yourself") == 1
    assert titles[-2] == "Try it yourself"
    assert titles[-1].startswith("What you have now")
    text = dict(sections(name))["Try it yourself"]
    (asked,) = re.findall(r'exercise = runbook\.try_it\("(\w+)"', text)
    exercise = EXERCISES[asked]
    assert exercise.notebook == name
    call = 'exercise.check(answer="")' if exercise.asks else "exercise.check()"
    assert call in text
    assert re.search(r"^Next: .*\.ipynb\)|^Next: take it all back", prose(name), re.MULTILINE)


def test_each_exercise_stands_in_a_notebook_of_its_own():
    assert [exercise.notebook for exercise in EXERCISES.values()] == OF_THE_LESSON


@every(NAMES)
def test_the_answer_to_a_question_is_folded_so_that_a_reader_thinks_first(name):
    quotes = re.findall(r"^>.*(?:\n>.*)*", without_fences(prose(name)), re.MULTILINE)
    assert [quote for quote in quotes if not QUESTION.fullmatch(quote)] == []
    assert prose(name).count("<details>") == prose(name).count("**A question") == len(quotes)


@every(NAMES)
def test_headings_are_unique_so_that_links_lead_to_one_place(name):
    assert len(headings(name)) == len(set(headings(name)))


@every(NAMES)
def test_every_relative_link_and_its_anchor_resolve(name):
    links = [link for link in LINK.findall(prose(name)) if not link.startswith("https://")]
    assert links
    for link in links:
        address, _, anchor = link.partition("#")
        target = (FOLDER / address).resolve() if address else FOLDER / f"{name}.ipynb"
        assert target.is_file(), link
        if anchor:
            assert target.suffix == ".ipynb", f"only headings of notebooks can be checked: {link}"
            assert unquote(anchor) in headings(target.stem), link


@every(NAMES)
def test_every_link_to_the_web_is_one_to_aws(name):
    web = [link for link in LINK.findall(prose(name)) if link.startswith("http")]
    assert all(link.startswith("https://docs.aws.amazon.com/") for link in web)
    assert web


@every(LESSON)
def test_where_a_failed_check_sends_a_reader_is_there(step):
    place = LESSON[step].place
    address, _, anchor = place.link.partition("#")
    assert (FOLDER / address).is_file()
    assert unquote(anchor) in headings(place.notebook)


@every(target_steps())
def test_each_step_is_done_in_the_notebook_that_it_names(step):
    text = "\n".join(cell.source for cell in code(LESSON[step].notebook))
    assert f'runbook.step("{step}")' in text
