"""A person's word that a console-only setting was set: who, when, what was seen.

AWS offers no API that reads these settings, so on AWS the record of a person is all there is; in the sandbox
they are read.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path

from idc_helpers.changes import State
from idc_helpers.cleaning import clean_values
from idc_helpers.json_lines import append_json_line, read_json_lines


@dataclass(frozen=True)
class Attestation:
    """One record.

    Attributes
    ----------
    setting
        The console setting's key, such as ``"multi_factor_authentication"``.
    value
        The values that were set, as the plan named them.
    by, on, seen
        The person, the day (ISO 8601) and what the console showed afterwards.
    instance_arn
        The instance that it is about; empty for one that came with the scenario.
    """

    setting: str
    value: State
    by: str
    on: str
    seen: str
    instance_arn: str = ""


class AttestationBook:
    """The attestations of one run folder and of the scenario."""

    def __init__(self, path: Path, given: tuple[Attestation, ...] = ()) -> None:
        self.path = path
        self._given = given

    def record(self, setting: str, value: State, *, by: str, seen: str, instance_arn: str) -> Attestation:
        """Append a record dated today and return it."""
        if not by.strip() or not seen.strip():
            raise ValueError(
                f"an attestation names who did it and what was seen; found by={by!r}, seen={seen!r}"
            )
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        attestation = Attestation(setting, value, by.strip(), today, seen.strip(), instance_arn)
        append_json_line(self.path, clean_values(asdict(attestation)), to_disk=True)
        return attestation

    def find(self, setting: str, wanted: State, instance_arn: str) -> Attestation | None:
        """Return the newest record that this setting has these values on this instance, or None."""
        for attestation in reversed([*self._given, *self._recorded()]):
            same_instance = attestation.instance_arn in ("", instance_arn)
            if attestation.setting == setting and same_instance and attestation.value == wanted:
                return attestation
        return None

    def all_of(self, setting: str) -> list[Attestation]:
        """Return every record of a setting, whatever its values, the newest last."""
        return [entry for entry in (*self._given, *self._recorded()) if entry.setting == setting]

    def _recorded(self) -> list[Attestation]:
        return [Attestation(**values) for values in read_json_lines(self.path)]
