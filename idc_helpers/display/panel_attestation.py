"""A person's record that a console-only setting was set: who did it, and what the console showed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from idc_helpers.display.guides import ConsoleGuide, Guide, guide_html
from idc_helpers.display.panel_actions import Screen
from idc_helpers.display.panels import Panel
from idc_helpers.display.tables import STYLE, in_html
from idc_helpers.errors import KitError
from idc_helpers.runbook.run_context import RunContext

_LABEL = {"description_width": "15em"}
_WIDE = widgets.Layout(width="98%", max_width="52em")


class AttestationPanel(Panel):
    """The guide of each setting, with a form below it to record that it is set.

    Parameters
    ----------
    guide
        What to set; a form is shown for what is to be recorded.
    context
        The run in whose folder the record is kept.
    on_recorded
        Called after each record: the plan that was shown does not count any more.
    """

    def __init__(self, guide: ConsoleGuide, context: RunContext, on_recorded: Callable[[], None]) -> None:
        super().__init__(context)
        self._on_recorded = on_recorded
        parts = (self._part(one, one in guide.to_record) for one in guide.guides)
        self.box.children = (self.place, *parts)

    def _part(self, guide: Guide, to_record: bool) -> Any:
        text = widgets.HTML(STYLE + guide_html(guide))
        return widgets.VBox([text, self._form(guide)] if to_record else [text])

    def _form(self, guide: Guide) -> Any:
        by = widgets.Text(description="Who did it", style=_LABEL, layout=_WIDE)
        seen = widgets.Textarea(description="What the console shows now", style=_LABEL, layout=_WIDE, rows=2)
        button = widgets.Button(description="Record that it is set", layout=_BUTTON)
        screen = Screen()

        def record(_: Any) -> None:
            try:
                attestation = self._record(guide, by.value, seen.value)
            except (KitError, ValueError, OSError) as error:
                screen.say(f"✘ {error}")
                return
            for widget in (by, seen, button):
                widget.disabled = True
            screen.say(f"✔ Recorded: {attestation.by} on {attestation.on}. Run the check below.")

        button.on_click(record)
        heading = widgets.HTML(f"<b>{in_html(guide.title)}: record what you did</b>")
        return widgets.VBox([heading, by, seen, button, screen.box])

    def _record(self, guide: Guide, by: str, seen: str) -> Any:
        instance = self._context.connection.instance_or_none()
        attestation = self._context.attestations.record(
            guide.setting,
            guide.wanted,
            by=by,
            seen=seen,
            instance_arn=instance.instance_arn if instance else "",
        )
        self._on_recorded()
        return attestation


_BUTTON = widgets.Layout(width="auto", min_width="14em")
