"""A scenario's people, groups and account assignments as CSV tables, and empty ones to fill in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from idc_aws.errors import InvalidValueError, ParametersError, Problem
from idc_aws.scenario.access import AccountAssignment
from idc_aws.scenario.people import Address, Enterprise, Group, User
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.sheets import safe_cell, write_sheet
from idc_aws.scenario.values import IN_A_FILE

_PARTS: Mapping[str, type[BaseModel]] = {"address": Address, "enterprise": Enterprise}


def _described(model: type[BaseModel]) -> dict[str, str]:
    fields = {name: each.description or "" for name, each in model.model_fields.items() if name not in _PARTS}
    return {name: re.sub(IN_A_FILE, "", text) for name, text in fields.items()}


PART_OF: Mapping[str, str] = {name: part for part, model in _PARTS.items() for name in model.model_fields}
_ASSIGNED = _described(AccountAssignment)

FIELDS: Mapping[str, Mapping[str, str]] = {
    "users": {
        **_described(User),
        **{name: text for model in _PARTS.values() for name, text in _described(model).items()},
        "groups": "The groups that the person is a member of, with semicolons between them; or leave it "
        "empty, and use the table of memberships.",
        "active": "Whether the person may sign in where the table comes from: 'false' or 'suspended' leaves "
        "the person out.",
    },
    "groups": {name: text for name, text in _described(Group).items() if name != "members"},
    "memberships": {
        "group": "The group's display name.",
        "user_name": "The member's user name, or e-mail address; somebody who is in no table of users must "
        "exist already.",
    },
    "assignments": {
        "permission_set": _ASSIGNED["permission_set"],
        "group": _ASSIGNED["group"],
        "user": _ASSIGNED["user"],
        "principal_type": "GROUP or USER, with principal_name in place of group and user.",
        "principal_name": "The group's display name or the user's name, in place of group and user.",
        "account": "One account, by its id or by its name.",
        "organizational_unit": "One organizational unit with all accounts in it and below it: by path, name "
        "or id. Never the management account.",
        "account_tags": "All accounts that have each of these tags, such as env=prod; team=shop. Never the "
        "management account.",
    },
}
"""What a table of each kind may hold: a field, and what it is."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "users": ("user_name", "given_name", "family_name"),
    "groups": ("display_name",),
    "memberships": ("group", "user_name"),
    "assignments": ("permission_set",),
}
# What other systems write, and the kit does not.
_OF_OTHERS = ("active", "principal_type", "principal_name")


def tables_of(scenario: Scenario) -> dict[str, list[list[str]]]:
    """Return a scenario's users, groups, memberships and account assignments as rows, headers first.

    Raises
    ------
    ParametersError
        When a table cannot keep a value: all of them.
    """
    lean = scenario.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    users, groups = lean.get("users", []), lean.get("groups", [])
    memberships = [(group, user["user_name"]) for user in users for group in user.get("groups", ())]
    memberships += [(group["display_name"], name) for group in groups for name in group.get("members", ())]
    entries: dict[str, list[dict[str, Any]]] = {
        "users": [_flat(user) for user in users],
        "groups": groups,
        "memberships": [{"group": group, "user_name": name} for group, name in memberships],
        "assignments": [row for one in lean.get("account_assignments", ()) for row in _assignment_rows(one)],
    }
    problems: list[Problem] = []
    tables = {}
    for kind, rows in entries.items():
        names = [
            name for name in _columns(kind) if name in REQUIRED[kind] or any(name in row for row in rows)
        ]
        tables[kind] = [
            names,
            *([_cell(kind, name, row.get(name), problems) for name in names] for row in rows),
        ]
    if problems:
        raise ParametersError(problems)
    return tables


def _columns(kind: str) -> list[str]:
    return [name for name in FIELDS[kind] if name not in _OF_OTHERS]


def _flat(user: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user's fields side by side; groups are in the table of memberships."""
    parts = {name: value for part in _PARTS for name, value in user.get(part, {}).items()}
    return {name: value for name, value in user.items() if name not in (*_PARTS, "groups")} | parts


def _assignment_rows(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    common = {name: entry[name] for name in ("permission_set", "group", "user") if name in entry}
    if tags := entry.get("account_tags"):
        common["account_tags"] = _tags_cell(tags)
    accounts, units = entry.get("accounts", ()), entry.get("organizational_units", ())
    yield from ({**common, "account": account} for account in accounts)
    yield from ({**common, "organizational_unit": unit} for unit in units)
    if not accounts and not units:
        yield common


def _tags_cell(tags: Mapping[str, str]) -> str:
    text = "; ".join(f"{key}={value}" for key, value in tags.items())
    try:
        if read_tags_cell(text) == tags:
            return text
    except ValueError:
        pass
    return json.dumps(tags, ensure_ascii=False)


_NO_TAGS = "is not a list of tags"


def read_tags_cell(text: str) -> dict[str, Any]:
    """Return tags from ``"env=prod; team=shop"`` or from JSON; a ValueError says what is wrong with them."""
    if text.startswith("{"):
        try:
            found: dict[str, Any] = json.loads(text, object_pairs_hook=_tags_once)
        except json.JSONDecodeError:
            raise ValueError(_NO_TAGS) from None
        return found
    pairs = [pair.partition("=") for pair in text.split(";")]
    if not all(key.strip() and equals for key, equals, _ in pairs):
        raise ValueError(_NO_TAGS)
    return _tags_once([(key.strip(), value.strip()) for key, _, value in pairs])


def _tags_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tags = dict(pairs)
    if len(tags) < len(pairs):  # the last one would count, and the other value mean nothing
        raise ValueError("names a key twice, and an account has one value of each tag")
    return tags


def _cell(kind: str, name: str, value: str | None, problems: list[Problem]) -> str:
    try:
        return safe_cell(value or "")
    except InvalidValueError as error:
        problems.append(Problem("the scenario", None, f"{kind}: {name}", error.message, error.remedy))
        return ""


def templates() -> dict[str, list[list[str]]]:
    """Return an empty table of each kind: a line that explains each column, then the headers."""
    return {
        kind: [
            *(
                [f"# {name}{' (required)' if name in REQUIRED[kind] else ''}: {FIELDS[kind][name]}"]
                for name in _columns(kind)
            ),
            _columns(kind),
        ]
        for kind in FIELDS
    }


def write_tables(tables: Mapping[str, list[list[str]]], folder: Path, delimiter: str = ",") -> list[Path]:
    """Write tables into a folder, each as ``KIND.csv``; return the files."""
    files = {folder / f"{kind}.csv": rows for kind, rows in tables.items()}
    for path, rows in files.items():
        write_sheet(path, rows, delimiter)
    return list(files)
