import json

import pytest

from idc_runner.outputs import ScrubbedFiles, scrubbed_path, write_whole

SECRET = "wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY"


def notebook(printed):
    output = {"output_type": "stream", "name": "stdout", "text": printed}
    cell = {"cell_type": "code", "metadata": {}, "source": "x", "outputs": [output], "execution_count": 1}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_what_stands_there_already_is_not_written_again(tmp_path):
    files, output = ScrubbedFiles(), tmp_path / "out.ipynb"
    files.write(notebook("a"), scrubbed_path(output))
    before = output.stat().st_ino
    files.write(notebook("a"), scrubbed_path(output))
    assert output.stat().st_ino == before
    files.write(notebook("b"), scrubbed_path(output))
    assert '"b"' in output.read_text("utf-8")


def test_what_somebody_else_changed_or_took_away_is_written_again(tmp_path):
    files, output = ScrubbedFiles(), tmp_path / "out.ipynb"
    for spoil in (lambda: output.write_text("spoilt", "utf-8"), output.unlink):
        files.write(notebook("a"), scrubbed_path(output))
        spoil()
        files.write(notebook("a"), scrubbed_path(output))
        assert '"a"' in output.read_text("utf-8")


def test_long_texts_are_scrubbed_each_time_they_are_looked_at(tmp_path):
    for length in (10, 5_000, 200_000):
        output = tmp_path / f"{length}.ipynb"
        for _ in range(2):
            ScrubbedFiles().write(
                notebook(f"{'word ' * length}\nsecret_access_key={SECRET}"), scrubbed_path(output)
            )
            assert SECRET not in output.read_text("utf-8")


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path):
    write_whole(tmp_path / "a.txt", "whole")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.txt", "a lone surrogate: \ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text("utf-8") == "whole"
