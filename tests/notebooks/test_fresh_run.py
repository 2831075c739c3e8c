"""``idc run --fresh-sandbox``, which is ``make run``: the whole lesson and its teardown."""

import configparser
import datetime
import html
import json
import re
import stat

import pytest
from kit_commands import KIT, Commands, what_is_there

from idc_aws import access

NOTEBOOKS = sorted(path.stem for path in (KIT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SANITIZE = KIT / "tests" / "notebooks" / "sanitize.cfg"
ACTIONS = ["create", "update", "delete", "unchanged"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    commands = Commands(tmp_path_factory.mktemp("fresh"))
    done, summary = commands.run("--fresh-sandbox")
    return commands, done, summary


def test_the_fast_engine_leaves_what_kernels_left_in_the_stored_notebooks(fresh):
    # That kernels leave it today too is what test_outputs_of_today shows.
    folder = fresh[0].latest
    own = {str(folder.parents[1]): "FOLDER", folder.name: "RUN"}
    others = [name for name in NOTEBOOKS if comparable(folder, name, own) != comparable(KIT, name, {})]
    assert NOTEBOOKS
    assert others == []


def comparable(folder, name, own):
    """Return what an executed notebook's cells hold, without what differs between runs: its own names."""
    rules = configparser.ConfigParser()
    rules.read(SANITIZE)
    document = json.loads((folder / "notebooks" / f"{name}.ipynb").read_text("utf-8"))
    cells = []
    for cell in document["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            continue
        if "nbval-ignore-output" in cell["metadata"].get("tags", []):  # such as which AWS CLI is here
            cell.pop("outputs", None)
        for output in cell.get("outputs", []):
            output.pop("execution_count", None)  # papermill's own cell counts too
        kept = {part: cell[part] for part in ("cell_type", "source", "outputs") if part in cell}
        text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
        for of_the_run, word in own.items():
            text = text.replace(of_the_run, word)
        text = re.sub(r"\b[A-Z]{4}-[A-Z]{4}\b", "CODE", text)  # of a device, new for each login
        text = re.sub(r"(· |<code>)[\w-]{4}…", r"\1BEGINNING…", text)  # of ids and tokens, new for each login
        for section in rules.sections():
            text = re.sub(rules[section]["regex"], rules[section]["replace"], text)
        cells.append(text)
    return cells


ROW = re.compile(r"<tr[ >].*?</tr>", re.DOTALL)
OF_THE_API = re.compile(r"\bP(?:\d+[DW]|T\d+[HM])|\b(?:GROUP|USER)\b|\b[a-z]+_[a-z_]+:")
# An id in `Production (111122223333)`, or in a longer text such as an ARN, does not stand alone. Lines of the
# AWS config file and AWS's own answer are shown as they are; in 04 an account's name has a column of its own.
AS_IT_IS = r"sso_account_id = \d|made by identity-center-runbook-kit|^ *(Account +|Security tooling  +)\d+ *$"


def test_tables_have_the_consoles_words_and_the_names_of_accounts(fresh):
    rows, wrong = 0, []
    for path in sorted((fresh[0].latest / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        for row in ROW.findall(
            "".join("".join(each.get("data", {}).get("text/html", "")) for each in outputs)
        ):
            text = html.unescape(re.sub(r"<[^>]+>", " ", row))
            rows += 1
            unnamed = access.LONE_ACCOUNT_ID.search(text) and not re.search(AS_IT_IS, text)
            if OF_THE_API.search(text) or unnamed:
                wrong.append((path.stem, text))
    assert rows > 300
    assert wrong == []


def test_it_exits_with_0_and_every_notebook_and_check_passed(fresh):
    _, done, summary = fresh
    assert done.returncode == 0, done.stdout + done.stderr
    assert [notebook["notebook"] for notebook in summary["notebooks"]] == NOTEBOOKS
    assert {notebook["status"] for notebook in summary["notebooks"]} == {"passed"}
    assert all(check["passed"] for notebook in summary["notebooks"] for check in notebook["checks"])


def test_each_notebook_after_the_first_checks_something_and_the_lesson_makes_something(fresh):
    _, _, summary = fresh
    assert [each["notebook"] for each in summary["notebooks"] if not each["checks"]] == ["00_start_here"]
    made = {each["notebook"][:2]: each["changes"]["create"] for each in summary["notebooks"]}
    assert all(made[number] > 0 for number in ("01", "02", "04", "05", "06", "07", "08"))


def test_progress_names_each_notebook_and_step_and_ends_with_the_report(fresh):
    commands, done, _ = fresh
    for name in NOTEBOOKS:
        assert f"{name} passed in" in done.stdout
    for step in ("instance", "permission_sets", "groups", "account_assignments", "users", "teardown"):
        assert f"  {step}: " in done.stdout
    assert done.stdout.rstrip().endswith(f"Report: {commands.latest / 'index.html'}")
    assert done.stderr == ""


def test_the_summary_has_the_documented_shape(fresh):
    commands, _, summary = fresh
    assert list(summary) == ["run_id", "target", "mode", "started", "wall_s", "notebooks"]
    assert summary["run_id"] == commands.latest.name
    assert json.loads((commands.latest / "run.json").read_text("utf-8"))["sandbox_state_id"]
    assert (summary["target"], summary["mode"]) == ("sandbox", "apply")
    assert datetime.datetime.fromisoformat(summary["started"]).tzinfo is not None
    for notebook in summary["notebooks"]:
        assert list(notebook) == ["notebook", "status", "wall_s", "changes", "checks"]
        assert list(notebook["changes"]) == ACTIONS
        assert all(list(check) == ["name", "passed", "detail"] for check in notebook["checks"])


def test_the_run_folder_is_whole_private_and_without_the_sandbox_key(fresh):
    commands, _, _ = fresh
    folder = commands.latest
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    written = [path for path in folder.rglob("*") if path.relative_to(folder).parts[0] != "sandbox"]
    assert [path.name for path in written if path.is_file() and path.stat().st_mode & 0o077] == []
    assert {path.name for path in folder.iterdir()} >= {
        "summary.json",
        "receipts.jsonl",
        "events.jsonl",
        "index.html",
    }
    assert sorted(path.stem for path in (folder / "notebooks").glob("*.ipynb")) == NOTEBOOKS
    secrets = json.loads((folder / "sandbox" / "secrets.json").read_text("utf-8"))
    texts = [
        path.read_text("utf-8") for path in folder.rglob("*") if path.suffix in (".ipynb", ".html", ".jsonl")
    ]
    assert texts
    assert not [value for value in secrets.values() if any(str(value) in text for text in texts)]


def test_nothing_is_left_in_the_sandbox_and_the_sandbox_is_stopped(fresh):
    commands, _, _ = fresh
    left = Commands(commands.latest)  # its state is the folder `sandbox` of the run
    assert left.idc("sandbox", "status").returncode == 1
    left.start_sandbox()
    try:
        assert what_is_there(left) == {}
    finally:
        left.stop_sandbox()


def test_undo_of_a_run_that_tore_itself_down_has_nothing_to_do(fresh):
    commands, _, _ = fresh
    done = commands.idc("undo", "latest", "--out", str(commands.runs), "--yes")
    assert done.returncode == 0, done.stderr
    assert "nothing is left of what this run made" in done.stdout or "Nothing is left to undo" in done.stdout
    assert commands.idc("sandbox", "status", "--state", str(commands.latest / "sandbox")).returncode == 1
