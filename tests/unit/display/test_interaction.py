import sys
import types

import pytest

from idc_aws.errors import InvalidValueError
from idc_aws.project import INTERACTIVE_VARIABLE
from idc_helpers.notebook.screen import is_guided


def kernel(monkeypatch, **attributes):
    shell = types.SimpleNamespace(kernel=types.SimpleNamespace(**attributes))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))


@pytest.mark.parametrize(("word", "guided"), [("guided", True), ("headless", False), (" Guided ", True)])
@pytest.mark.parametrize("allow_stdin", [True, False])
def test_the_environment_comes_first(monkeypatch, word, guided, allow_stdin):
    kernel(monkeypatch, _allow_stdin=allow_stdin)
    monkeypatch.setenv(INTERACTIVE_VARIABLE, word)
    assert is_guided() is guided


@pytest.mark.parametrize("allow_stdin", [True, False])
def test_then_whether_the_front_end_can_ask(monkeypatch, allow_stdin):
    monkeypatch.delenv(INTERACTIVE_VARIABLE)
    kernel(monkeypatch, _allow_stdin=allow_stdin)
    assert is_guided() is allow_stdin


def test_outside_a_kernel_nobody_is_there(monkeypatch):
    monkeypatch.delenv(INTERACTIVE_VARIABLE)
    kernel(monkeypatch)
    assert is_guided() is False
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert is_guided() is False


def test_another_word_is_refused(monkeypatch):
    monkeypatch.setenv(INTERACTIVE_VARIABLE, "maybe")
    with pytest.raises(InvalidValueError, match="'maybe'"):
        is_guided()
