"""What may be there once only in a scenario: names, e-mail addresses and account assignments.

The rules read plain mappings, so that they also speak about a scenario that has other mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from idc_helpers.models.base import Location, Refusal


def repeated_values(scenario: Mapping[str, Any]) -> list[Refusal]:
    """Return a refusal for each value that is there a second time.

    Names are compared without regard to upper and lower case: AWS refuses ``ANA`` beside ``ana``, and two
    permission sets that differ in case alone are a trap for readers.

    Parameters
    ----------
    scenario
        A scenario as plain data; parts of the wrong shape are passed over.
    """
    refusals = []
    for list_name, keys in _UNIQUE:
        for key in keys:
            refusals += _repeated(
                _texts(scenario, list_name, key), f"{list_name[:-1].replace('_', ' ')} with {key}"
            )
    return refusals + _repeated_assignments(scenario)


_UNIQUE = (
    ("permission_sets", ("name",)),
    ("groups", ("display_name",)),
    ("users", ("user_name", "email")),
)


def _entries(scenario: Mapping[str, Any], list_name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = scenario.get(list_name)
    if isinstance(entries, list):
        yield from ((position, entry) for position, entry in enumerate(entries) if isinstance(entry, Mapping))


def _texts(scenario: Mapping[str, Any], list_name: str, key: str) -> Iterator[tuple[Location, str]]:
    for position, entry in _entries(scenario, list_name):
        # A predefined permission set without a name of its own has the policy's.
        given = key if entry.get(key) or list_name != "permission_sets" else "predefined"
        value = entry.get(given)
        if isinstance(value, str) and value:
            yield (list_name, position, given), value


def _repeated(values: Iterator[tuple[Location, str]], what: str) -> list[Refusal]:
    first: dict[str, Location] = {}
    refusals = []
    for location, value in values:
        earlier = first.setdefault(value.casefold(), location)
        if earlier is not location:
            message = f"{value!r} is there already: a {what} {value!r} is at {earlier[0]}[{earlier[1]}]"
            refusals.append(Refusal(location, message, "Change one of the two, or remove it.", value))
    return refusals


def _repeated_assignments(scenario: Mapping[str, Any]) -> list[Refusal]:
    first: dict[tuple[object, ...], int] = {}
    refusals = []
    for position, entry in _entries(scenario, "account_assignments"):
        principal = (
            ("GROUP", entry["group"]) if isinstance(entry.get("group"), str) else ("USER", entry.get("user"))
        )
        accounts = entry.get("accounts")
        for place, account in enumerate(accounts if isinstance(accounts, list) else []):
            assignment = (entry.get("permission_set"), *principal, account)
            if not all(isinstance(part, str) for part in assignment):
                continue
            if assignment in first:
                message = (
                    f"{account!r} is assigned already: account_assignments[{first[assignment]}] gives "
                    f"{entry.get('permission_set')!r} to {principal[1]!r} in this account"
                )
                location = ("account_assignments", position, "accounts", place)
                refusals.append(Refusal(location, message, "Remove it here.", account))
            first.setdefault(assignment, position)
    return refusals
