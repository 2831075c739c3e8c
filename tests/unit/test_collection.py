"""Every process collects the same tests: a run on several stops where they differ."""

import datetime
import re
import tempfile
from pathlib import Path


def test_no_name_of_a_test_holds_what_differs_between_processes(request):
    # The order of sets differs too; pytest-xdist itself refuses workers whose lists of tests differ.
    folders = {tempfile.gettempdir(), str(Path(__file__).parents[2])}
    moments = {f"{datetime.date.today():{form}}" for form in ("%Y-%m-%d", "%Y%m%d")}
    volatile = re.compile("|".join([*map(re.escape, folders | moments), r"\b0x[0-9a-f]{6,}"]))
    names = [item.nodeid for item in request.session.items]
    assert names
    assert [name for name in names if volatile.search(name)] == []
