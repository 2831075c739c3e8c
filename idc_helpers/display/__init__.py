"""What notebooks see: tables, pictures, live progress and, for a person at the screen, panels."""

from idc_helpers.display.notebook import Runbook, open_runbook

__all__ = ["Runbook", "open_runbook"]
