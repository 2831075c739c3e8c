import re
from html.parser import HTMLParser

import jinja2
import nbformat
import pytest
from tiny_notebooks import write_notebook

from idc_aws.changes import Action, Change, WriteResult
from idc_helpers.runbook.records import Origin, ReceiptBook
from idc_runner.engine import NotebookFailure
from idc_runner.report import write_report
from idc_runner.summary import CheckResult, NotebookResult, RunSummary

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"
CHANGES = {"create": 1, "update": 0, "delete": 0, "unchanged": 2}


class Page(HTMLParser):
    """The tags, links and words of a page; fails on tags that do not close in order, and on uneven tables."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.words = [], [], [], ""
        self.rows = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.words += "" if tag == "span" else " "
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag == "tr":
            self.rows.append(0)
        self.rows[-1:] = [one + (tag in ("td", "th")) for one in self.rows[-1:]]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "table":
            assert len(set(self.rows)) == 1, f"rows of {self.rows} cells"
            self.rows = []

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words += data


def summary(*notebooks, mode="apply"):
    return RunSummary("20261123-054500", "sandbox", mode, "2026-11-23T05:45:00+00:00", 65.0, notebooks)


def write(folder, *notebooks, mode="apply"):
    (folder / "notebooks").mkdir(exist_ok=True)
    path = write_report(
        folder,
        summary(*notebooks, mode=mode),
        where="sandbox · account 111122223333 (Management)",
        undo_command="idc undo 20261123-054500",
    )
    page = Page(path.read_text("utf-8"))
    return page, re.sub(r"\s+", " ", page.words)


def passed(name="06_groups", **values):
    return NotebookResult(name, "passed", 2.0, CHANGES, (CheckResult("group <a>", True, "exists"),), **values)


def test_the_verdict_comes_first_then_where_when_and_each_check(tmp_path):
    _, words = write(tmp_path, passed())
    assert words.index("✔ Passed") < words.index("account 111122223333 (Management)") < words.index("Checks")
    assert "1 of 1 notebook passed. 1 check: all passed. Changes: 1 created, 2 unchanged." in words
    assert "23 November 2026, 05:45 UTC" in words
    assert "group <a> ✔ passed exists" in words
    assert "Nothing was written to the target." in words


def test_a_failure_is_told_in_plain_words_with_the_way_on(tmp_path):
    failure = NotebookFailure("WriteFailedError", "the write <b> failed\nDo this.", 4, "step.apply()")
    origin = Origin("run", "06_groups", "groups", "sandbox", "111122223333", "us-east-1", "")
    book = ReceiptBook(tmp_path / "receipts.jsonl")
    book.start(Change(Action.CREATE, "group", "begun", None, {"description": "x"}, ""), origin)
    receipt = book.start(Change(Action.CREATE, "group", "made", None, {}, ""), origin)
    book.finish(receipt, WriteResult("group-1", ("request-1",)))
    _, words = write(
        tmp_path, NotebookResult("06_groups", "failed", failure=failure), NotebookResult("07_x", "not run")
    )
    assert "✘ Failed" in words
    assert "Notebook 06_groups stopped at cell [4]. WriteFailedError: the write <b> failed Do this." in words
    assert "idc undo 20261123-054500" in words
    assert "create (begun, not finished) group begun" in words
    assert "group made group-1" in words
    assert "An earlier notebook failed, so it was not run." in words


def test_in_mode_plan_the_numbers_are_said_to_be_a_plan(tmp_path):
    _, words = write(tmp_path, passed(by_hand=2), mode="plan")
    assert "nothing is written; the numbers are what would change" in words
    assert "To create" in words
    assert "2 of its settings can only be set by a person" in words


def test_an_unfinished_run_is_neither_passed_nor_failed(tmp_path):
    _, words = write(tmp_path, passed(), NotebookResult("07_x", "not run"))
    assert "… Not finished" in words


def test_a_company_s_report_lists_the_first_checks_failed_ones_before_others_and_links_to_the_rest(tmp_path):
    checks = tuple(CheckResult(f"user {at:04}", at != 2999, "exists") for at in range(3000))
    origin = Origin("run", "08_users", "users", "sandbox", "111122223333", "us-east-1", "")
    book = ReceiptBook(tmp_path / "receipts.jsonl")
    for at in range(201):
        book.start(Change(Action.CREATE, "user", f"u{at}", None, {}, ""), origin)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "08_users-plan.csv").touch()
    page, words = write(tmp_path, NotebookResult("08_users", "failed", 2.0, CHANGES, checks))
    assert words.index("user 2999") < words.index("user 0000")
    assert "user 0198" in words
    assert "user 0199" not in words
    assert "These are 200 of 3000 checks, failed ones first." in words
    assert "u199" in words
    assert "u200" not in words
    assert "These are the first 200 of 201 receipts." in words
    assert "tables/08_users-plan.csv" in page.links


def test_code_is_escaped_once_whether_it_is_coloured_or_too_long_for_that(tmp_path, executed):
    for source in ("x = '<script>1</script>'", "x = '<script>1</script>'\n" + "y = 1\n" * 10_000):
        document = nbformat.read(executed, as_version=4)
        document.cells[1].source = source
        nbformat.write(document, executed)
        write(tmp_path, passed())
        text = executed.with_suffix(".html").read_text("utf-8")
        assert "<script>1" not in text
        assert "&lt;script&gt;1" in text


@pytest.fixture
def executed(tmp_path):
    (tmp_path / "notebooks").mkdir()
    path = write_notebook(tmp_path / "notebooks", "06_groups", "print('hello')")
    document = nbformat.read(path, as_version=4)
    data = {"text/vnd.mermaid": "graph TD", "text/plain": "the tree"}
    document.cells[1].outputs = [
        nbformat.v4.new_output("display_data", data=data),
        nbformat.v4.new_output(
            "display_data", data={"text/html": "<table><tr><th>a table</th></tr></table>"}
        ),
        nbformat.v4.new_output("stream", text=f"SecretAccessKey: {SECRET}\n"),
    ]
    nbformat.write(document, path)
    return path


def test_each_executed_notebook_has_a_page_with_its_tables_and_without_its_diagrams(tmp_path, executed):
    page, _ = write(tmp_path, passed())
    assert {"notebooks/06_groups.html", "notebooks/06_groups.ipynb"} <= set(page.links)
    notebook = Page(executed.with_suffix(".html").read_text("utf-8"))
    assert "print('hello')" in notebook.words
    assert "a table" in notebook.words
    assert "the tree" in notebook.words


def test_code_is_coloured_pictures_are_described_and_widgets_without_state_are_text(tmp_path, executed):
    document = nbformat.read(executed, as_version=4)
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "a slider"}
    pictures = [({}, "A picture without a description"), ({"alt": "a map"}, "a map")]
    document.cells[1].outputs = [nbformat.v4.new_output("display_data", data=widget)] + [
        nbformat.v4.new_output("display_data", data={"image/png": "AAAA"}, metadata=metadata)
        for metadata, _ in pictures
    ]
    nbformat.write(document, executed)
    write(tmp_path, passed())
    text = executed.with_suffix(".html").read_text("utf-8")
    assert '<span class="nb">print</span>' in text
    assert re.findall('<img[^>]*alt="([^"]*)"', text) == [alt for _, alt in pictures]
    assert "a slider" in text


def test_nothing_is_loaded_from_elsewhere_and_no_script_may_run(tmp_path, executed):
    write(tmp_path, passed())
    for name in ("index.html", "notebooks/06_groups.html"):
        text = (tmp_path / name).read_text("utf-8")
        page = Page(text)
        assert "script" not in page.tags
        assert [link for link in page.links if "//" in link] == []
        assert not re.search(r"url\(|@import", text)
        assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


def test_no_page_holds_a_secret(tmp_path, executed):
    write(tmp_path, NotebookResult("06_groups", "failed", failure=NotebookFailure("E", f"password={SECRET}")))
    for path in tmp_path.rglob("*.html"):
        assert SECRET not in path.read_text("utf-8")


def test_a_page_is_made_again_only_for_another_version_of_the_notebook(tmp_path, executed):
    write(tmp_path, passed())
    page = executed.with_suffix(".html")
    first = page.stat().st_ino
    write(tmp_path, passed())
    assert page.stat().st_ino == first
    executed.touch()
    write(tmp_path, passed())
    assert page.stat().st_ino != first
    assert page.stat().st_mtime_ns == executed.stat().st_mtime_ns


def test_templates_are_compiled_for_the_first_page_alone(tmp_path, executed, monkeypatch):
    write(tmp_path, passed())
    first = executed.with_suffix(".html").read_text("utf-8")
    executed.touch()
    monkeypatch.setattr(jinja2.Environment, "compile", lambda *_, **__: pytest.fail("compiled once more"))
    write(tmp_path, passed())
    assert executed.with_suffix(".html").read_text("utf-8") == first


def test_a_notebook_that_is_at_work_has_no_page_yet(tmp_path, executed):
    write(tmp_path, NotebookResult(executed.stem, "not run"))
    assert not executed.with_suffix(".html").exists()


def test_a_failed_check_is_shown_with_what_it_teaches(tmp_path):
    lesson = {
        "expected": "session <PT4H>",
        "found": "session PT1H",
        "cause": "somebody changed it",
        "go_back": "05_permission_sets.ipynb#Choose",
        "source": "https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetsconcept.html",
    }
    check = CheckResult("permission set A", False, "PT1H", lesson)
    page, words = write(tmp_path, NotebookResult("05_permission_sets", "failed", 2.0, CHANGES, (check,)))
    assert "Expected session <PT4H> Found session PT1H Likely cause somebody changed it" in words
    assert "Go back to 05_permission_sets.ipynb#Choose" in words
    assert lesson["source"] in page.links
    half = CheckResult("permission set B", False, "PT1H", {"cause": "who knows"})
    _, words = write(tmp_path, NotebookResult("05_permission_sets", "failed", 2.0, CHANGES, (half,)))
    assert "Likely cause who knows" in words
    assert "Go back to" not in words
