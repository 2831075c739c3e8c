import sys
import types

import pytest

from idc_aws.errors import ParametersError
from idc_helpers.notebook.runbook import check_names, injected_names, injected_parameters

CELLS = [
    "x = 1",
    '# Parameters\ntarget = "aws"\nregion = "eu-west-1"\nrun_folder = "/tmp/run"\n',
    "# Parameters of this notebook",
]


def kernel(monkeypatch, cells, **namespace):
    history = types.SimpleNamespace(input_hist_raw=cells)
    shell = types.SimpleNamespace(history_manager=history, user_ns=namespace)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


def test_only_the_cell_that_papermill_injects_counts():
    assert injected_names(CELLS) == ["target", "region", "run_folder"]


def test_a_cell_that_is_no_python_names_nothing():
    assert injected_names(["# Parameters\n%magic ("]) == []


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(
        ParametersError, match=r"'permision_sets' is not a parameter\. Did you mean 'permission_sets'"
    ):
        check_names(["target", "permision_sets"])


def test_every_unknown_name_is_reported():
    with pytest.raises(ParametersError) as raised:
        check_names(["zzz", "scenario_file", "qqq"])
    assert [problem.path for problem in raised.value.problems] == ["zzz", "qqq"]


def test_injected_keys_of_the_scenario_are_taken_with_their_values(monkeypatch):
    kernel(monkeypatch, CELLS, target="aws", region="eu-west-1", run_folder="/tmp/run")
    assert injected_parameters() == {"target": "aws", "region": "eu-west-1"}


def test_an_unknown_injected_name_is_refused(monkeypatch):
    kernel(monkeypatch, ["# Parameters\nregoin = 'x'"], regoin="x")
    with pytest.raises(ParametersError, match="Did you mean 'region'"):
        injected_parameters()


def test_outside_a_kernel_nothing_is_injected(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert injected_parameters() == {}
