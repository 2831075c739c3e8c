"""The kit's notebooks for a person who runs them: without our outputs, which stay as folded examples."""

# The example is the cell's output: it is where the person's own result will be, and running the cell replaces
# it. So no cell differs from the kit's, and nothing has to be tidied up afterwards.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

SUMMARY = "Example: what this cell showed in another run"
_PLAIN = "An example of what this cell shows is folded here. Run the cell to see yours."


def with_examples(content: bytes) -> bytes:
    """Return a notebook as no one has run it yet: each output is a folded example of what to expect."""
    document = json.loads(content)
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            cell["outputs"] = _example(cell["outputs"])
    return f"{json.dumps(document, ensure_ascii=False, indent=1)}\n".encode()


def _example(outputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = "".join(map(_shown, outputs))
    if not shown:
        return []
    html = f'<details class="idc-example"><summary>{escape(SUMMARY)}</summary>{shown}</details>'
    data = {"text/html": html, "text/plain": _PLAIN}
    return [{"output_type": "display_data", "data": data, "metadata": {}}]


def _shown(output: Mapping[str, Any]) -> str:
    data = output.get("data", {})
    if "text/html" in data:
        return _joined(data["text/html"])
    text = _joined(output.get("text") or data.get("text/plain") or "")
    return f"<pre>{escape(text)}</pre>" if text else ""


def _joined(text: str | Sequence[str]) -> str:
    """Return a multi-line string of a notebook file, which may be a list of its lines."""
    return text if isinstance(text, str) else "".join(text)
