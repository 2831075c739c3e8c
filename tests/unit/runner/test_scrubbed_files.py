import json

import pytest

from idc_aws.files import write_whole
from idc_aws.scrubbing import current_masker, masking
from idc_runner import outputs
from idc_runner.outputs import ScrubbedFiles, scrubbed_path

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


def test_only_cells_that_are_new_are_looked_at_whatever_their_length(tmp_path, monkeypatch):
    """A notebook of a thousand users was scrubbed whole at each save: most of an apply's time."""
    looked, masked = [], []
    scrubbed_cell = outputs._scrubbed_cell
    monkeypatch.setattr(
        outputs, "_scrubbed_cell", lambda cell, learnt: looked.append(1) or scrubbed_cell(cell, learnt)
    )
    people = [{"user_name": "mary.major"}]
    with masking(people):
        masker = current_masker()
        mask_values = masker.mask_values
        monkeypatch.setattr(
            masker,
            "mask_values",
            lambda value: (
                masked.append(isinstance(value, dict) and "cell_type" in value) or mask_values(value)
            ),
        )
        cells = [
            {
                "cell_type": "code",
                "metadata": {},
                "source": f"cell {at}",
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": f"mary.major {SECRET[:at]}\n" * 9000}
                ],
            }
            for at in range(5)
        ]
        for saved in range(1, 6):
            document = {"cells": cells[:saved], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            text = outputs.notebook_text(document)
            assert "mary.major" not in text
    assert len(looked) == 5
    assert masked.count(True) == 5


def test_a_secret_that_a_new_cell_announces_is_taken_out_of_those_looked_at_before(tmp_path):
    def cell(text):
        output = {"output_type": "stream", "name": "stdout", "text": text}
        return {"cell_type": "code", "metadata": {}, "source": "x", "outputs": [output]}

    password = "kZ8xQ2mTr0ub4dor3wV"
    about = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    first = cell(f"it says {password} here " + "word " * 10_000)
    assert password in outputs.notebook_text({**about, "cells": [first]})
    both = outputs.notebook_text({**about, "cells": [first, cell(f"password = '{password}'")]})
    assert password not in both
    assert password in outputs.notebook_text({**about, "cells": [first]}), "what was learnt is this file's"


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path):
    write_whole(tmp_path / "a.txt", "whole")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a.txt", "a lone surrogate: \ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text("utf-8") == "whole"
