"""A working copy: nothing that a person did is overwritten, and what they left alone follows the kit."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_aws.project import MANIFEST
from idc_runner.working_copy import (
    EARLIER,
    SUMMARY,
    digest,
    follow,
    lay_out,
    start_afresh,
    start_notebook_afresh,
    with_examples,
)

KIT = Path(__file__).parents[2]
FIFTH = "notebooks/05_permission_sets.ipynb"
LINK = re.compile(r"\]\(([^)\s]+)\)")


def change(path, *, cell=0, **values):
    """Change a cell of a notebook, as an editor saves it."""
    document = json.loads(path.read_text("utf-8"))
    document["cells"][cell].update(values)
    path.write_text(json.dumps(document, indent=2), "utf-8")


@pytest.fixture
def kit(tmp_path):
    """Return a kit that a test may update."""
    for name in ("notebooks", "parameters", "docs", "recipes"):
        shutil.copytree(KIT / name, tmp_path / "kit" / name)
    return tmp_path / "kit"


@pytest.fixture
def copy(tmp_path, kit):
    lay_out(tmp_path / "copy", kit)
    return tmp_path / "copy"


def test_a_copy_has_everything_and_no_link_in_it_is_dead(copy, kit):
    for part in ("notebooks", "parameters", "docs/pictures"):
        there = {path.name for path in (copy / part).iterdir() if path.is_file()}
        assert there == {path.name for path in (kit / part).iterdir() if path.is_file()}
    texts = [(path, path.read_text("utf-8")) for path in copy.rglob("*.md")]
    for path in (copy / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts += [(path, "".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]
    links = [(path, link) for path, text in texts for link in LINK.findall(text) if ":" not in link]
    assert len(links) > 60
    for path, link in links:
        target = path.parent / unquote(link.partition("#")[0])
        assert target.exists(), f"{path.name} links to {link}, which the copy lacks"


@pytest.mark.parametrize("name", ["README.md", "notebooks", "parameters/mine.yaml", "docs", MANIFEST])
def test_nothing_that_is_there_is_overwritten(tmp_path, kit, name):
    theirs = tmp_path / "folder" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine", "utf-8")
    with pytest.raises(InvalidValueError, match="nothing was changed"):
        lay_out(tmp_path / "folder", kit)
    assert [path for path in (tmp_path / "folder").rglob("*") if path.is_file()] == [theirs]
    assert theirs.read_text("utf-8") == "mine"


def test_a_folder_that_holds_something_else_is_fine(tmp_path, kit):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("mine", "utf-8")
    lay_out(tmp_path / "folder", kit)
    assert (tmp_path / "folder" / "notes.txt").read_text("utf-8") == "mine"


@pytest.mark.parametrize("folder", [KIT, KIT / "README.md", KIT / "README.md" / "below"])
def test_a_place_that_cannot_be_one_is_refused(folder, kit):
    before = (KIT / "README.md").read_bytes()
    with pytest.raises((InvalidValueError, RunFailedError)):
        lay_out(folder, kit)
    assert (KIT / "README.md").read_bytes() == before
    with pytest.raises(InvalidValueError, match="is not a working copy"):
        start_afresh(folder, kit)


def test_outputs_are_no_edit_and_cells_and_tags_are(tmp_path, kit):
    path = kit / FIFTH
    code = next(
        number
        for number, cell in enumerate(json.loads(path.read_bytes())["cells"])
        if cell["cell_type"] == "code"
    )
    before = digest(path.read_bytes())
    change(path, cell=code, outputs=[], execution_count=None)
    assert digest(path.read_bytes()) == before
    metadata = json.loads(path.read_bytes())["cells"][code]["metadata"]
    change(path, cell=code, metadata={**metadata, "collapsed": True})
    assert digest(path.read_bytes()) == before
    change(path, cell=code, metadata={"tags": ["raises-exception"]})
    assert digest(path.read_bytes()) != before
    change(path, cell=code, metadata=metadata, source="import os")
    assert digest(path.read_bytes()) != before


def test_what_is_unchanged_follows_the_kit_and_its_outputs_are_kept(copy, kit):
    change(copy / FIFTH, cell=-1, metadata={"collapsed": True})
    saved = (copy / FIFTH).read_bytes()
    assert follow(copy, kit).updated == ()
    assert (copy / FIFTH).read_bytes() == saved, "the kit has nothing newer"
    change(kit / FIFTH, source="# A newer title")
    (kit / "docs" / "permissions.md").write_text("newer", "utf-8")
    followed = follow(copy, kit)
    assert set(followed.updated) == {FIFTH, "docs/permissions.md"}
    assert followed.outdated == ()
    assert (copy / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())
    (kept,) = (copy / EARLIER).rglob("*.ipynb")
    assert kept.read_bytes() == saved
    assert follow(copy, kit).updated == ()


def test_what_a_person_changed_stays_and_is_reported_until_they_choose(copy, kit):
    change(copy / FIFTH, source="# My title")
    (copy / "parameters" / "sandbox.yaml").write_text("target: sandbox\n", "utf-8")
    assert follow(copy, kit).outdated == (), "the kit has nothing newer"
    change(kit / FIFTH, source="# A newer title")
    for _ in range(2):
        assert follow(copy, kit).outdated == (FIFTH,)
        assert "My title" in (copy / FIFTH).read_text("utf-8")
    assert (copy / "parameters" / "sandbox.yaml").read_text("utf-8") == "target: sandbox\n"
    shutil.copy(kit / FIFTH, copy / FIFTH)
    assert follow(copy, kit).outdated == ()


def test_a_fresh_start_keeps_all_that_was_there(copy, kit):
    change(copy / FIFTH, source="# My title")
    own = [copy / "notebooks" / "my_own.ipynb", copy / "parameters" / "mine.yaml", copy / "runs" / "receipts"]
    for path in own:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", "utf-8")
    aside = start_afresh(copy, kit)
    assert (copy / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())
    assert "My title" in (aside / Path(FIFTH).name).read_text("utf-8")
    assert [path.exists() for path in own] == [False, False, True]
    assert (aside / "my_own.ipynb").read_text("utf-8") == "mine"
    assert (aside / "parameters" / "mine.yaml").read_text("utf-8") == "mine"
    assert start_afresh(copy, kit) != aside, "each has a folder of its own"


def test_a_copy_begins_without_results_and_what_to_expect_is_folded(copy, kit):
    folded = wanted = 0
    for path in (kit / "notebooks").glob("*.ipynb"):
        ours, theirs = (json.loads((folder / "notebooks" / path.name).read_bytes()) for folder in (kit, copy))
        assert digest(path.read_bytes()) == digest((copy / "notebooks" / path.name).read_bytes())
        for our, their in zip(ours["cells"], theirs["cells"], strict=True):
            if our["cell_type"] != "code":
                assert our == their
                continue
            assert their["execution_count"] is None
            assert len(their["outputs"]) == bool(our["outputs"])
            wanted += bool(our["outputs"])
            for output in their["outputs"]:
                html = output["data"]["text/html"]
                assert html.startswith(f'<details class="idc-example"><summary>{SUMMARY}</summary>')
                shown = ("".join(each["data"]["text/html"]) for each in our["outputs"] if "data" in each)
                assert all(each in html for each in shown)
                folded += 1
    assert folded == wanted > 0


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ({"output_type": "stream", "name": "stdout", "text": ["a < b\n", "c"]}, "<pre>a &lt; b\nc</pre>"),
        ({"output_type": "execute_result", "data": {"text/plain": "3 & 4"}}, "<pre>3 &amp; 4</pre>"),
        ({"output_type": "display_data", "data": {"text/html": ["<b>", "x</b>"]}}, "<b>x</b>"),
        ({"output_type": "error", "ename": "ValueError", "traceback": []}, ""),
    ],
)
def test_each_kind_of_output_becomes_an_example(output, shown):
    cell = {"cell_type": "code", "source": "", "metadata": {}, "execution_count": 3, "outputs": [output]}
    (made,) = json.loads(with_examples(json.dumps({"cells": [cell]}).encode()))["cells"]
    assert made["execution_count"] is None
    wanted = [f'<details class="idc-example"><summary>{SUMMARY}</summary>{shown}</details>'] if shown else []
    assert [each["data"]["text/html"] for each in made["outputs"]] == wanted


def test_one_notebook_is_started_afresh_and_nothing_else(copy, kit):
    other = copy / "notebooks" / "06_groups.ipynb"
    for path in (copy / FIFTH, other):
        change(path, source="# My title")
    before = other.read_bytes()
    aside = start_notebook_afresh(copy, kit, Path(FIFTH).name)
    assert "My title" in aside.read_text("utf-8")
    assert (copy / EARLIER) in aside.parents
    assert (copy / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())
    assert other.read_bytes() == before
    assert follow(copy, kit).outdated == ()
    change(kit / FIFTH, source="# A newer title")
    assert follow(copy, kit).updated == (FIFTH,), "it follows the kit again"


@pytest.mark.parametrize(
    "name", ["mine.ipynb", "../parameters/sandbox.yaml", "../notebooks/06_groups.ipynb", ""]
)
def test_only_a_notebook_of_the_lesson_can_be_started_afresh(copy, kit, name):
    (copy / "notebooks" / "mine.ipynb").write_text("mine", "utf-8")
    with pytest.raises(InvalidValueError, match="not a copy of one of the kit's notebooks"):
        start_notebook_afresh(copy, kit, name)
    assert not (copy / EARLIER).exists()
    with pytest.raises(InvalidValueError, match="nothing was changed"):
        start_notebook_afresh(KIT, kit, Path(FIFTH).name)


@pytest.mark.parametrize("manifest", ["", "{", "[1]", "null", '{"notebooks": 3}', "\x00"])
def test_a_damaged_manifest_costs_nobody_their_work(copy, kit, manifest):
    change(copy / FIFTH, source="# My title")
    (copy / MANIFEST).write_text(manifest, "utf-8")
    assert follow(copy, kit).outdated == (FIFTH,)
    assert "My title" in (copy / FIFTH).read_text("utf-8")


def test_what_was_cut_short_or_deleted_is_completed(copy, kit):
    (copy / FIFTH).unlink()
    (copy / MANIFEST).unlink()
    follow(copy, kit)
    assert (copy / FIFTH).read_bytes() == with_examples((kit / FIFTH).read_bytes())


def test_a_folder_that_cannot_be_written_is_named(tmp_path, kit, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunFailedError, match=r"copy.*No space left on device"):
        lay_out(tmp_path / "copy", kit)
    assert [path for path in (tmp_path / "copy").rglob("*") if path.is_file()] == []
