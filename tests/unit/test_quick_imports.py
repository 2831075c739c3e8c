import gc
import sys

import pytest

from idc_runner import kept_for_good, put_off_import


@pytest.fixture
def melts():
    yield
    gc.unfreeze()


SLOW = "imported = []\nimported.append(1)\nword = 'real'\ndef answer(value): return [value, imported]\n"


@pytest.fixture
def slow(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text(SLOW, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("slow_to_import", None)


@pytest.mark.usefixtures("slow")
def test_it_is_imported_when_its_function_is_called_and_once():
    put_off_import("slow_to_import", "answer")
    from slow_to_import import answer

    assert not hasattr(sys.modules["slow_to_import"], "__file__")
    assert answer(5) == [5, [1]]
    assert sys.modules["slow_to_import"].word == "real"
    assert answer(6) == [6, [1]]


@pytest.mark.usefixtures("slow")
def test_anything_else_of_it_imports_it_too():
    put_off_import("slow_to_import", "answer")
    import slow_to_import

    assert slow_to_import.word == "real"
    with pytest.raises(AttributeError):
        _ = slow_to_import.nothing


def test_what_is_imported_already_or_not_there_is_left_alone():
    put_off_import("json", "loads")
    assert sys.modules["json"].loads("1") == 1
    put_off_import("no_such_module_anywhere", "x")
    assert "no_such_module_anywhere" not in sys.modules


@pytest.mark.usefixtures("melts")
def test_the_garbage_collector_never_looks_at_what_is_kept_for_good():
    with kept_for_good():
        assert not gc.isenabled()
        made = [[]]
    assert not any(one is made for one in gc.get_objects())
    with pytest.raises(ImportError), kept_for_good():
        raise ImportError
    assert gc.isenabled()
