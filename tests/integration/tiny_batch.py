"""A kit with one tiny notebook and a table of jobs that run it, for tests that kill what is at work."""

import json
from pathlib import Path

KIT = Path(__file__).parents[2]
PARAMETERS = """\
target = "sandbox"
mode = None
region = "us-east-1"
expected_account = None
profile = None
scenario_file = ""
run_folder = ""
"""


def make_batch(folder, source, names):
    """Write a kit whose notebook 05 has one cell, and a table with a job a name; return both paths."""
    project, table = folder / "kit", folder / "jobs.yaml"
    (project / "notebooks").mkdir(parents=True)
    (project / "parameters").mkdir()
    (project / "parameters" / "sandbox.yaml").write_text("target: sandbox\n", "utf-8")
    language = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    cells = [_cell(PARAMETERS, ["parameters"]), _cell(source, [])]
    document = {"cells": cells, "metadata": language, "nbformat": 4, "nbformat_minor": 5}
    (project / "notebooks" / "05_x.ipynb").write_text(json.dumps(document), "utf-8")
    lines = "".join(f"  - {{name: {name}, notebook: '05'}}\n" for name in names)
    table.write_text(f"jobs:\n{lines}", "utf-8")
    return project, table


def _cell(source, tags):
    return {
        "cell_type": "code",
        "id": f"c{len(source)}",
        "execution_count": None,
        "metadata": {"tags": tags},
        "outputs": [],
        "source": source,
    }
