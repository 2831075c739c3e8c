import pytest

from idc_aws.errors import InvalidValueError
from idc_runner.engine import NotebookFailure
from idc_runner.fast.engine import ENGINE_NAMES, open_engine


@pytest.mark.parametrize("name", ENGINE_NAMES)
def test_each_engine_opens_by_its_name(name):
    with open_engine(name) as engine:
        assert type(engine).__name__ == f"{name.capitalize()}Engine"


def test_an_engine_that_there_is_not_is_refused_with_the_nearest_name():
    with pytest.raises(InvalidValueError, match="Did you mean 'kernel'"), open_engine("kernl"):
        pass


def test_a_failure_names_the_cell_where_there_is_one():
    assert str(NotebookFailure("ValueError", "no", 3)) == "cell [3]: ValueError: no"
    assert str(NotebookFailure("DeadKernelError", "gone")) == "DeadKernelError: gone"
