import subprocess

import pytest
from patience import PATIENCE_S

from idc_aws.sandbox import new_python, run_module, start_module, start_modules_by


def test_a_module_runs_with_its_arguments_and_variables_and_its_words_come_back(tmp_path):
    (tmp_path / "says.py").write_text(
        "import os, sys; print(sys.argv[1:], os.environ['IDC_X']); sys.exit('no')", "utf-8"
    )
    environment = {"PYTHONPATH": str(tmp_path), "IDC_X": "ours"}
    done = run_module("says", ["a", "b"], timeout_s=PATIENCE_S, environment=environment)
    assert (done.returncode, done.stdout, done.stderr) == (1, "['a', 'b'] ours\n", "no\n")


def test_one_that_takes_too_long_is_ended(tmp_path):
    (tmp_path / "sleeps.py").write_text("import time; time.sleep(600)", "utf-8")
    with pytest.raises(subprocess.TimeoutExpired):
        run_module("sleeps", [], timeout_s=0.1, environment={"PYTHONPATH": str(tmp_path)})


def test_a_module_can_be_talked_with():
    process = start_module("json.tool", ["-"])
    assert process.communicate(timeout=PATIENCE_S) == ("", process.communicate()[1])
    assert process.wait() == 1


def test_another_way_of_starting_is_used_until_the_one_before_is_back():
    asked = []
    before = start_modules_by(lambda *arguments: asked.append(arguments))
    assert before is new_python
    try:
        start_module("x", ["y"])
    finally:
        start_modules_by(before)
    assert asked == [("x", ["y"], None)]
