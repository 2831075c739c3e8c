"""*Save as scenario…*: the form's values in a scenario file, for batch runs."""

from __future__ import annotations

from typing import Any, Protocol

import ipywidgets as widgets

from idc_helpers.display.form_values import FormValues
from idc_helpers.display.panel_actions import Screen
from idc_helpers.display.panel_fold import Fold
from idc_helpers.errors import KitError

_WIDE = widgets.Layout(width="98%", max_width="44em")


class SavedStep(Protocol):
    """A step whose form can be saved."""

    values: FormValues


class SavePanel:
    """A path, a tick for changing a file that exists, and a button.

    Parameters
    ----------
    step
        Whose form is saved.
    """

    def __init__(self, step: SavedStep) -> None:
        self._step = step
        self._path = widgets.Text(
            value="parameters/my-scenario.yaml", description="Scenario file", layout=_WIDE
        )
        self._update = widgets.Checkbox(
            description="If the file exists, change this part of it", indent=False, layout=_WIDE
        )
        self._button = widgets.Button(
            description="Save", layout=widgets.Layout(width="auto", min_width="12em")
        )
        self._screen = Screen()
        field = widgets.VBox([self._path])
        field.add_class("idc-field")
        self._button.on_click(lambda _: self._save())
        inside = [field, self._update, self._button, self._screen.box]
        self.box = Fold("Save as scenario …", inside, lambda: "").box

    def disable(self, disabled: bool) -> None:
        """Lock or unlock everything."""
        for widget in (self._path, self._update, self._button):
            widget.disabled = disabled

    def _save(self) -> Any:
        typed = self._path.value.strip()
        try:
            saved = self._step.values.save(typed, update=self._update.value)
        except KitError as error:
            self._screen.say(f"✘ {error}")
            return
        self._screen.say(
            f"✔ Saved to {saved}, with this form's values and the rest of the scenario.\n"
            f"Check it with: idc parameters check {saved}\nRun it with: idc run --parameters {saved}"
        )
