"""A notebook that signs in gets what was prepared beside those before it, however long that takes."""

from types import SimpleNamespace

import pytest
from patience import until

from idc_runner.execution import Execution
from idc_runner.progress import Meanwhile

FORKS = {"IDC_COMMAND_FORKS": "an address"}


class SlowPreparation(Execution):
    """Executes nothing; its preparation ends only when somebody waits for it, or long after."""

    def __init__(self, *names):
        self.prepared = SimpleNamespace(notebooks=[SimpleNamespace(name=name) for name in names])
        self.progress = SimpleNamespace(
            notebook_started=lambda *_words: None, notebook_ended=lambda *_words: None
        )
        self.engine = SimpleNamespace(begin=lambda order: None)
        self.results, self.given, self._command_forks = [], {}, {}
        self.is_awaited = False

    def _signs_in(self, notebook):
        return notebook.name in ("10", "11")

    def _order(self, notebook):
        self.given[notebook.name] = dict(self._command_forks)
        return notebook

    def _execute(self, order):
        return SimpleNamespace(status="passed")

    def _prepare_sign_in(self):
        until(lambda: self.is_awaited, "somebody who waits")
        self._command_forks = FORKS

    def _write(self, summary):
        """Write no report."""

    def _summary(self):
        return None


class Watched(Meanwhile):
    """Tells an execution that it waits."""

    def __init__(self, execution):
        super().__init__()
        self.execution = execution

    def wait_for_preparation(self):
        self.execution.is_awaited = True
        super().wait_for_preparation()


@pytest.mark.parametrize("names", [("06", "07", "08", "09", "10", "11"), ("09", "10"), ("08", "11", "12")])
def test_the_first_notebook_that_signs_in_gets_it_even_when_it_is_late(names):
    execution = SlowPreparation(*names)
    with Watched(execution) as meanwhile:
        execution._execute_all(meanwhile)
        execution.is_awaited = True
    signing_in = [name for name in names if name in ("10", "11")]
    assert [execution.given[name] for name in signing_in] == [FORKS] * len(signing_in)


def test_where_the_first_one_signs_in_nothing_is_prepared_and_nobody_waits():
    execution = SlowPreparation("10", "11")
    with Watched(execution) as meanwhile:
        execution._execute_all(meanwhile)
    assert execution.given == {"10": {}, "11": {}}
