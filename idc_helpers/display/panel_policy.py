"""An editor of a policy in JSON that says as one types where it breaks and how much room is left."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from idc_helpers.display.panel_editors import ABSENT, WIDE, Editor
from idc_helpers.display.policy_text import policy_as_text, policy_state
from idc_helpers.display.tables import in_html


class PolicyEditor(Editor):
    """A policy document.

    Parameters
    ----------
    value
        A mapping, or a text in JSON.
    """

    def __init__(self, value: Any) -> None:
        self._area = widgets.Textarea(
            rows=10, layout=WIDE, placeholder='{"Version": "2012-10-17", "Statement": []}'
        )
        self._area.add_class("idc-code")
        self._state = widgets.HTML()
        super().__init__(widgets.VBox([self._area, self._state]), [self._area])
        self._area.observe(lambda _: self._say(), names="value")
        self.write(value)
        self._say()

    def read(self) -> Any:
        """Return the text as it was typed, or `ABSENT`: the model says what is wrong with it."""
        return self._area.value if self._area.value.strip() else ABSENT

    def write(self, value: Any) -> None:
        """Show a policy, indented."""
        self._area.value = policy_as_text(value)

    def _say(self) -> None:
        self._state.value = (
            f'<span class="idc-help" role="status">{in_html(policy_state(self._area.value))}</span>'
        )
