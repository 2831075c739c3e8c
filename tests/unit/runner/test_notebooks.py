import pytest
from tiny_notebooks import write_notebook

from idc_aws.errors import InvalidValueError, RunFailedError
from idc_runner.notebooks import LessonNotebook, find_notebooks, known_parameters, select_notebooks


@pytest.fixture
def notebooks(tmp_path):
    for name in ("99_teardown", "05_permission_sets", "00_start_here", "scratch", "07_account_assignments"):
        write_notebook(tmp_path, name)
    return find_notebooks(tmp_path)


def names(found):
    return [notebook.name for notebook in found]


def test_only_numbered_notebooks_count_and_numbers_are_the_order(notebooks):
    assert names(notebooks) == [
        "00_start_here",
        "05_permission_sets",
        "07_account_assignments",
        "99_teardown",
    ]


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(RunFailedError, match="no numbered notebook"):
        find_notebooks(tmp_path)


def test_the_teardown_is_left_out_when_asked(notebooks):
    assert names(select_notebooks(notebooks))[-1] == "99_teardown"
    assert "99_teardown" not in names(select_notebooks(notebooks, teardown=False))


@pytest.mark.parametrize(
    "only", [("07", "05"), ("5", "7"), ("07_account_assignments.ipynb", "05_permission_sets")]
)
def test_only_takes_numbers_and_names_and_keeps_the_lesson_order(notebooks, only):
    assert names(select_notebooks(notebooks, only=only)) == ["05_permission_sets", "07_account_assignments"]


def test_an_unknown_notebook_is_refused_with_a_guess(notebooks):
    with pytest.raises(InvalidValueError, match=r"'05_permision_sets'. Did you mean '05_permission_sets'\?"):
        select_notebooks(notebooks, only=("05_permision_sets",))
    with pytest.raises(InvalidValueError, match="'42'"):
        select_notebooks(notebooks, only=("42",))


def test_parameters_are_the_names_that_the_tagged_cell_assigns(tmp_path):
    source = "target = 'sandbox'\nmode: str | None = None\ngroups = [\n    {'name': 'x'},\n]\nprint(target)\n"
    write_notebook(tmp_path, "01_x", "other = 1", parameters=source)
    [notebook] = find_notebooks(tmp_path)
    assert known_parameters(notebook) == {"target", "mode", "groups"}


def test_a_notebook_without_parameters_or_without_sense_is_refused(tmp_path):
    write_notebook(tmp_path, "01_x", "target = 1", parameters=None)
    (tmp_path / "02_y.ipynb").write_text("not a notebook", "utf-8")
    untagged, unreadable = find_notebooks(tmp_path)
    with pytest.raises(RunFailedError, match="'01_x' has no cell with the tag 'parameters'"):
        known_parameters(untagged)
    with pytest.raises(RunFailedError, match=r"02_y.ipynb' cannot be read"):
        known_parameters(unreadable)


def test_a_notebook_of_any_depth_is_one_that_cannot_be_read(tmp_path):
    path = tmp_path / "05_deep.ipynb"
    path.write_text("[" * 100_000)
    with pytest.raises(RunFailedError, match="cannot be read"):
        known_parameters(LessonNotebook(path.stem, path))
