"""One notebook with every writing of a secret and what only looks like one.

The fast engine writes all of them; kernels and a batch, which scrub by the same functions, one of each way.
"""

import io
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from secret_writings import innocent, missed, planted, touched
from tiny_notebooks import PARAMETERS, PASSES, tell

from idc_aws.errors import ParametersError
from idc_aws.scenario.reading import load_scenario
from idc_aws.scrubbing import scrub, scrub_values, secret_places
from idc_runner.batch import workers
from idc_runner.batch.batch import BatchRequest, run_batch
from idc_runner.fast.engine import open_engine
from idc_runner.run import RunRequest

PLAY = """\
import json, sys
from pathlib import Path
from IPython.display import display
ROWS = json.loads(Path({rows!r}).read_text("utf-8"))
def play(number):
    for way, text in ROWS[number]:
        stream = sys.stderr if way in ("err", "flush_err") else sys.stdout
        if way in ("out", "err", "flush", "flush_err"):
            stream.write(text)
            if way.startswith("flush"):
                stream.flush()
        elif way == "error":
            try:
                raise ValueError(text)
            except ValueError:
                get_ipython().showtraceback()
        else:
            media = {{"html": "text/html", "result": "text/plain", "data": "application/json"}}[way]
            display({{media: json.loads(text) if way == "data" else text}}, raw=True)
"""

_INNOCENT_CELLS = 8


class Rows:
    """What a notebook writes: all writings, or one planted of each way of writing and a few innocents."""

    def __init__(self, *, all_of_them):
        self.planted, self.innocent = planted(), innocent()
        if not all_of_them:
            by_way = {tuple(way for way, _ in row.steps): row for row in self.planted}
            self.planted, self.innocent = list(by_way.values()), self.innocent[::10]

    def write_notebook(self, project):
        """Write the notebook, whose cells read what they write from a file: no code holds a secret."""
        steps = [row.steps for row in self.planted]
        steps += [
            [step for row in self.innocent[number::_INNOCENT_CELLS] for step in row.steps]
            for number in range(_INNOCENT_CELLS)
        ]
        rows = project / "rows.json"
        rows.write_text(json.dumps(steps), "utf-8")
        document = nbformat.v4.new_notebook()
        document.cells.append(nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}))
        plays = (f"play({number})" for number in range(len(steps)))
        cells = [*tell("05_x", PASSES), PLAY.format(rows=str(rows)), *plays]
        document.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        document.metadata["kernelspec"] = {
            "name": "python3",
            "language": "python",
            "display_name": "Python 3",
        }
        nbformat.write(document, project / "notebooks" / "05_x.ipynb")

    def assert_kept(self, path):
        """Read what is left of each row, and count."""
        cells = json.loads(Path(path).read_text("utf-8"))["cells"]
        plays = [cell for cell in cells if "".join(cell["source"]).startswith("play(")]
        left = ["\n".join(_texts(cell["outputs"])) for cell in plays]
        count = len(self.planted)
        lost = missed(self.planted, left[:count])
        hurt = touched(self.innocent, ["\n".join(left[count:])] * len(self.innocent))
        assert len(lost) <= 0.05 * count, f"{len(lost)} of {count} planted are left: {lost}"
        assert not hurt, f"{len(hurt)} of {len(self.innocent)} innocents are touched: {hurt}"


def _texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return ["".join(value)]
    return [
        text
        for part in (value.values() if isinstance(value, dict) else value if isinstance(value, list) else [])
        for text in _texts(part)
    ]


@pytest.mark.parametrize("engine_name", ["fast", "kernel"])
def test_planted_secrets_are_taken_out_and_innocents_stay(engine_name, project, start):
    rows = Rows(all_of_them=engine_name == "fast")
    rows.write_notebook(project)
    with open_engine(engine_name) as engine:
        outcome = replace(start(RunRequest(project)), engine=engine).carry_out()
    rows.assert_kept(outcome.folder / "notebooks" / "05_x.ipynb")
    if engine_name == "fast":
        assert (len(rows.planted) >= 90, len(rows.innocent) >= 55) == (True, True)


def test_a_batch_keeps_the_same_contract(project, tmp_path, monkeypatch):
    rows = Rows(all_of_them=False)
    rows.write_notebook(project)
    monkeypatch.setattr(workers, "_reached", lambda run, _state: (f"sandbox · {run.scenario.region}", ""))
    monkeypatch.setattr("idc_runner.execution.find_sandbox", lambda state=None: "address")
    workers._known_targets.clear()
    table = tmp_path / "jobs.yaml"
    table.write_text("jobs:\n  - {name: a, notebook: '05'}\n", "utf-8")
    outcome = run_batch(BatchRequest(project=project, table=table, out=tmp_path / "out"), io.StringIO())
    assert outcome.exit_status == 1  # cells show errors
    left = "".join(path.read_text("utf-8", "replace") for path in outcome.folder.rglob("*") if path.is_file())
    (announced,) = [row for row in rows.planted if row.label == "announced, then in an error"]
    assert not any(part in left for part in announced.parts)
    rows.assert_kept(tmp_path / "out" / "jobs" / "a" / "notebooks" / "05_x.ipynb")


def test_receipts_and_scenarios_of_innocents_are_as_they_were():
    for row in innocent():
        (text,) = row.parts
        data = {
            "key": text,
            "before": None,
            "after": {"description": text, "inline_policy": {"Sid": text}, text: 1},
        }
        assert scrub_values(data) == data, row.label
        assert secret_places(data) == [], row.label


def test_a_secret_in_a_scenario_is_refused_with_its_line_and_without_its_value(tmp_path):
    path, faults, refused = tmp_path / "scenario.yaml", [], 0
    group = "target: sandbox\ngroups:\n  - display_name: Readers\n    description: "
    for row in planted():
        text = "\n".join(text for _, text in row.steps)
        if scrub(text) == text:
            continue  # what only its place in a notebook announces
        path.write_text(f"{group}{json.dumps(text)}\n", "utf-8")
        try:
            load_scenario(path)
        except ParametersError as error:
            found = [(problem.line, problem.path) for problem in error.problems]
            said = any(part in str(error) for part in row.parts)
            faults += [row.label] if said or found != [(4, "groups[0].description")] else []
            refused += 1
        else:
            faults.append(row.label)
    assert faults == []
    assert refused > 100
