"""The lesson's state for clients; made once for each file of tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lesson_house import LessonHouse


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[LessonHouse]:
    folder: Path = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("IDC_SANDBOX_STATE", str(folder / "state"))
        house = LessonHouse(folder)
        yield house
        house.stop()
