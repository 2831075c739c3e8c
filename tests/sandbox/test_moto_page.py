"""docs/moto.md says what the sandbox and moto's own server answer today: both are asked again."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_both_answer_today():
    made = runpy.run_path(str(ROOT / "tools" / "moto_page.py"))["page_text"]()
    assert (ROOT / "docs" / "moto.md").read_text("utf-8") == made, "make it anew with tools/moto_page.py"
