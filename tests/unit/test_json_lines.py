import errno

import pytest

from idc_aws.errors import RunFailedError
from idc_aws.files import append_json_line, read_json_lines, read_once, remedy_of_writing, replaced_file


def test_a_file_with_the_longest_name_there_can_be_is_replaced(tmp_path):
    path = tmp_path / ("x" * 255)
    for text in ("one", "two"):
        with replaced_file(path) as new:
            new.write_text(text, "utf-8")
    assert [each.read_text("utf-8") for each in tmp_path.iterdir()] == ["two"]


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "new" / "events.jsonl"
    append_json_line(path, {"a": "ü\u2028"})
    append_json_line(path, {"b": 1}, to_disk=True)
    assert list(read_json_lines(path)) == [{"a": "ü\u2028"}, {"b": 1}]


@pytest.mark.parametrize("folder", ["file", "a\0b", "x" * 300])
def test_a_run_folder_that_cannot_be_is_said_with_what_to_do(tmp_path, folder):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(RunFailedError, match="cannot be written") as raised:
        append_json_line(tmp_path / folder / "events.jsonl", {})
    assert raised.value.remedy == "Name another `run_folder`, where you may write."


def test_room_is_asked_for_only_where_there_is_none():
    full = OSError(errno.ENOSPC, "No space left on device")
    assert remedy_of_writing(full) == "Make room, or name another `run_folder`, where you may write."


def test_a_file_is_read_again_when_it_changes_and_old_answers_are_forgotten(tmp_path):
    asked = []

    def read(path):
        asked.append(path)
        return path.read_text("utf-8")

    once = read_once(read)
    files = [tmp_path / str(number) for number in range(257)]
    for path in files:
        path.write_text("x", "utf-8")
    assert [once(files[0]), once(files[0])] == ["x", "x"]
    assert len(asked) == 1
    files[0].write_text("changed", "utf-8")
    assert once(files[0]) == "changed"
    for path in files[1:]:
        once(path)
    asked.clear()
    once(files[256])
    assert asked == []  # as new as can be
    once(files[0])
    assert asked == files[:1]
