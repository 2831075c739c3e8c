"""Secrets planted wherever a run could pick one up are in no file that it writes, with either engine."""

from dataclasses import replace

import pytest
from tiny_notebooks import PASSES, tell, write_notebook

from idc_aws.scrubbing import masking
from idc_runner.fast.engine import open_engine
from idc_runner.run import RunRequest

# Each where it is planted; none has a shape of its own, but for the third.
PARAMETER, MASKING_VARIABLE, EXCEPTION, WIDGET, PRINTED, EVENT = (
    "parameter-hunter2-a",
    "variable-hunter2-b",
    "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY",
    "widget-hunter2-c",
    "printed-hunter2-d",
    "event-hunter2-e",
)
CELLS = (
    # Halves, so that no cell's code holds what is planted.
    "import os, sys, subprocess, ipywidgets\n"
    "half = 'wJalrXUtnFEMIxK7', 'MDENGxbPxRfiCYEXAMPLEKEY'\n"
    "events.write('failed', step='groups', error='password=' + '-'.join(['event', 'hunter2', 'e']))\n",
    "print({'client_secret': '-'.join(['printed', 'hunter2', 'd'])})\n"
    "print(os.environ['MY_SERVICE_TOKEN'], file=sys.stderr)\n"
    "subprocess.run([sys.executable, '-c', 'import os; print(os.environ[\"MY_SERVICE_TOKEN\"])'])\n"
    "os.write(2, os.environ['MY_SERVICE_TOKEN'].encode())",
    "ipywidgets.Password(value='-'.join(['widget', 'hunter2', 'c']))",
    "both = ''.join(half) + ' and ' + os.environ['MY_SERVICE_TOKEN']\n"
    "raise ValueError('the key ' + both + ' are refused')",
)


def texts_left(folder):
    return {
        str(path.relative_to(folder)): path.read_text("utf-8", errors="replace")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("engine_name", ["fast", "kernel"])
def test_planted_secrets_are_in_nothing_that_a_run_writes(engine_name, project, start, log, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", MASKING_VARIABLE)
    write_notebook(project / "notebooks", "05_x", *tell("05_x", PASSES, *CELLS))
    execution = start(RunRequest(project))
    prepared = replace(
        execution.prepared, known={"05_x": {"run_folder", "api_key"}}, extra={"api_key": PARAMETER}
    )
    with open_engine(engine_name) as engine:
        outcome = replace(execution, prepared=prepared, engine=engine).carry_out()
    left = texts_left(outcome.folder) | {"terminal": log.getvalue()}
    assert {"summary.json", "index.html", "events.jsonl", "notebooks/05_x.ipynb"} <= left.keys()
    for secret in (PARAMETER, MASKING_VARIABLE, EXCEPTION, WIDGET, PRINTED, EVENT):
        assert [name for name, text in left.items() if secret in text] == []
    assert "the key [removed] and [removed] are refused" in left["terminal"]
    assert "SecretInOutputError" not in left["terminal"]


@pytest.mark.parametrize("own_failure", [False, True])
def test_a_secret_in_a_file_of_the_notebooks_own_fails_the_run_which_says_where(
    own_failure, project, start, log
):
    code = (
        "text = 'name,key\\n' + 'a,' + 'wJalrXUtnFEMIxK7' + 'MDENGxbPxRfiCYEXAMPLEKEY'\n"
        "_ = (Path(run_folder) / 'table.csv').write_text(text)"
    )
    cells = [code, "raise ValueError('its own')"] if own_failure else [code]
    write_notebook(project / "notebooks", "05_x", *tell("05_x", PASSES, *cells))
    outcome = start(RunRequest(project)).carry_out()
    assert outcome.exit_status == 1
    assert "table.csv, line 2: a secret access key" in log.getvalue()
    assert ("ValueError: its own" in log.getvalue()) is own_failure
    assert EXCEPTION not in "".join(
        text for name, text in texts_left(outcome.folder).items() if name != "table.csv"
    )


@pytest.mark.parametrize("engine_name", ["fast", "kernel"])
def test_masked_people_are_in_nothing_but_receipts(engine_name, project, start, log):
    person = {
        "user_name": "mary.major",
        "given_name": "Marybeth",
        "email": "mary.major@example.com",
        "phone_number": "+1 206 555 0100",
    }
    cells = (
        "print('mary.major', 'Marybeth', '+1 206 555 0100')",
        "events.write('checked', step='users', checks=[{'name': 'user mary.major', 'passed': False,"
        " 'detail': 'mary.major@example.com is missing'}])",
        "raise ValueError('Marybeth cannot sign in')",
    )
    write_notebook(project / "notebooks", "05_x", *tell("05_x", PASSES, *cells))
    with masking([person]), open_engine(engine_name) as engine:
        outcome = replace(start(RunRequest(project)), engine=engine).carry_out()
    left = texts_left(outcome.folder) | {"terminal": log.getvalue()}
    for value in person.values():
        assert [name for name, text in left.items() if value in text] == []
    assert "Given-1 cannot sign in" in left["terminal"]
    assert "p1@masked.example is missing" in left["summary.json"]
    assert "person-1" in left["notebooks/05_x.ipynb"]
