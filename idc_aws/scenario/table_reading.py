"""CSV tables of people, groups, memberships and account assignments, read as a scenario's data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from idc_aws.errors import ParametersError, Problem
from idc_aws.files import read_table
from idc_aws.identifiers import counted, cut_list
from idc_aws.scenario.reading import validate_scenario
from idc_aws.scenario.tables import (
    FIELDS,
    PART_OF,
    REQUIRED,
    Columns,
    Sheet,
    plain_value,
    read_columns,
    read_sheet,
    read_tags_cell,
    require_columns,
    unknown_mappings,
)
from idc_aws.scenario.yaml_lines import Location

_GROUPS_APART = re.compile(r"[;|\n]")
_SPOILT = re.compile(r"(?P<rounded>\d(?:[.,]\d+)?E\+?\d+)|[1-9]\d{7,10}", re.IGNORECASE | re.ASCII)
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.ASCII)


@dataclass(frozen=True)
class _Row:
    sheet: Sheet
    columns: Columns
    line: int
    cells: Sequence[str]

    def __getitem__(self, name: str) -> str:
        place = self.columns.by_field.get(name)
        return "" if place is None else plain_value(self.cells[place])

    def raw(self, name: str) -> str:
        """Return a cell as it is in the file."""
        return self.cells[self.columns.by_field[name]]

    def header(self, name: str) -> str:
        """Return what the file calls a field."""
        place = self.columns.by_field.get(name)
        return name if place is None else self.sheet.headers[place]

    def refuse(self, name: str, message: str, remedy: str) -> None:
        """Keep what is wrong with a cell."""
        self.sheet.refuse(self.line, self.header(name), message, remedy)

    def place_seen_from(self, other: _Row) -> str:
        """Return where the row is, for a message about another one."""
        return f"line {self.line}" if self.sheet is other.sheet else f"{self.sheet.name}:{self.line}"


_Origins = dict[Location, tuple[_Row, str]]


class _Entries:
    """The entries of a section of the scenario, by what tells them apart."""

    def __init__(self, section: str) -> None:
        self.section = section
        self.entries: dict[Any, dict[str, Any]] = {}
        self._places: dict[Any, Location] = {}

    def add(self, key: Any, entry: dict[str, Any]) -> Location:
        """Add an entry and return its place."""
        self._places[key] = (self.section, len(self.entries))
        self.entries[key] = entry
        return self._places[key]

    def append(self, key: Any, name: str, value: str, origins: _Origins, origin: tuple[_Row, str]) -> None:
        """Add a value to a list of an entry, once, and note where it is from."""
        listed = self.entries[key].setdefault(name, [])
        if value not in listed:
            origins[*self._places[key], name, len(listed)] = origin
            listed.append(value)


@dataclass
class ReadTables:
    """What tables hold: the data of a scenario, and what a person should know of how they were read."""

    data: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def read_tables(files: Mapping[str, Path], mapping: Sequence[tuple[str, str]] = ()) -> ReadTables:
    """Read tables as a scenario's `groups`, `account_assignments` and `users`; nothing is called.

    Parameters
    ----------
    files
        CSV files by kind: `users`, `groups`, `memberships`, `assignments`.
    mapping
        Pairs of header and field for columns that have a name of their own.

    Raises
    ------
    ParametersError
        When a file cannot be read, or something in it cannot be right: all problems, with their lines.
    """
    sheets = {kind: read_sheet(path, kind) for kind, path in files.items()}
    problems = unknown_mappings(mapping, sheets, {kind: tuple(fields) for kind, fields in FIELDS.items()})
    reading = _Reading(sheets, mapping)
    reading.take()
    problems += [problem for sheet in sheets.values() for problem in sheet.problems]
    if not problems and not any(sheet.rows for sheet in sheets.values()):
        problems += [Problem(one.name, one.line, "", "has no rows", "Add some.") for one in sheets.values()]
    problems += reading.refused_by_models({(one.file, one.line) for one in problems})
    if problems:
        order = [sheet.name for sheet in sheets.values()]
        at = {name: number for number, name in enumerate(order)}
        raise ParametersError(sorted(problems, key=lambda one: (at.get(one.file, -1), one.line or 0)))
    return ReadTables(reading.data, reading.notes)


class _Reading:
    """Tables on their way to a scenario's data, with the row of everything in it."""

    def __init__(self, sheets: Mapping[str, Sheet], mapping: Sequence[tuple[str, str]]) -> None:
        self.notes: list[str] = []
        self.data: dict[str, Any] = {}
        self._rows = {kind: self._rows_of(kind, sheet, mapping) for kind, sheet in sheets.items()}
        self._origins: _Origins = {}
        self._spellings: dict[tuple[str, str], tuple[str, str, _Row]] = {}
        self._by_email: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._groups, self._users = _Entries("groups"), _Entries("users")
        self._assignments = _Entries("account_assignments")

    def _rows_of(self, kind: str, sheet: Sheet, mapping: Sequence[tuple[str, str]]) -> list[_Row]:
        if not sheet.headers:
            return []
        before = len(sheet.problems)
        columns = read_columns(sheet, kind, tuple(FIELDS[kind]), mapping)
        held = columns.by_field
        if kind == "users" and "user_name" not in held and "email" in held:
            held["user_name"] = held["email"]
        require_columns(sheet, columns, REQUIRED[kind])
        self._explain(sheet, columns)
        rows = [_Row(sheet, columns, line, cells) for line, cells in sheet.rows]
        return rows if len(sheet.problems) == before else []

    def _explain(self, sheet: Sheet, columns: Columns) -> None:
        renamed = [
            f"{sheet.headers[place]} → {name}"
            for name, place in columns.by_field.items()
            if sheet.headers[place] != name
        ]
        if renamed:
            self.notes.append(f"{sheet.name}: {', '.join(renamed)}")
        if columns.ignored:
            how = f'take one with --map "{columns.ignored[0]}=FIELD"'
            self.notes.append(f"{sheet.name}: not used: {', '.join(columns.ignored)} ({how})")

    def take(self) -> None:
        """Take all rows, each kind after those that it refers to."""
        self._take_groups()
        self._take_users()
        self._take_memberships()
        self._take_assignments()
        sections = (self._groups, self._assignments, self._users)
        self.data = {one.section: list(one.entries.values()) for one in sections if one.entries}

    def _take_groups(self) -> None:
        for row in self._rows.get("groups", ()):
            if not self._is_twice("group", "display_name", row):
                place = self._groups.add(row["display_name"] or row.line, {})
                self._groups.entries[row["display_name"] or row.line] |= self._held(row, place, "groups")

    def _take_users(self) -> None:
        not_active = set(read_table("table_columns")["people"]["not_active"])
        left_out = []
        for row in self._rows.get("users", ()):
            if row["active"].casefold() in not_active:
                left_out.append(row["user_name"])
                self._left_out |= {row["user_name"], row["email"]} - {""}
                continue
            if self._is_twice("user", "user_name", row) or self._is_twice("e-mail address", "email", row):
                continue
            key = row["user_name"] or row.line
            place = self._users.add(key, {})
            user = self._held(row, place, "users")
            named = [name.strip() for name in _GROUPS_APART.split(user.pop("groups", ""))]
            user["groups"] = list(dict.fromkeys(filter(None, named)))
            for number, name in enumerate(user["groups"]):
                self._origins[*place, "groups", number] = (row, "groups")
                self._require_spelling("group", name, "groups", row)
            if row["email"]:
                self._by_email[row["email"]] = row["user_name"]
            self._users.entries[key] |= user
        if left_out:
            self.notes.append(
                f"left out, because the table says that they may not sign in: {_shortened(left_out, 'user')}"
            )

    def _held(self, row: _Row, place: Location, kind: str) -> dict[str, Any]:
        """Return the fields of a row that say something, and note where each of them is from."""
        held: dict[str, Any] = {}
        self._origins[place] = (row, "")
        for name in FIELDS[kind]:
            way = (PART_OF[name], name) if kind == "users" and name in PART_OF else (name,)
            self._origins[*place, *way] = (row, name)
            if name != "active" and (value := row[name]):
                if _ROUNDED.fullmatch(value):
                    remedy = "Format the column as text, and type the number again."
                    row.refuse(name, f"{value!r} is a number that a spreadsheet has rounded", remedy)
                within = held.setdefault(way[0], {}) if len(way) > 1 else held
                within[name] = value
        return held

    def _take_memberships(self) -> None:
        first: dict[tuple[str, str], _Row] = {}
        existing: list[str] = []
        for row in self._rows.get("memberships", ()):
            group, name = row["group"], self._by_email.get(row["user_name"], row["user_name"])
            if name in self._left_out or self._lacks(row, "group", "user_name"):
                continue
            if (earlier := first.setdefault((group, name), row)) is not row:
                message = f"{name!r} is a member of {group!r} already, in {earlier.place_seen_from(row)}"
                row.refuse("user_name", message, "Remove one of the two lines.")
                continue
            is_spelt = self._require_spelling("user", name, "user_name", row)
            if not self._require_spelling("group", group, "group", row) or not is_spelt:
                continue
            if name in self._users.entries:
                self._users.append(name, "groups", group, self._origins, (row, "group"))
                continue
            if group not in self._groups.entries:
                self._origins[self._groups.add(group, {"display_name": group})] = (row, "group")
            self._groups.append(group, "members", name, self._origins, (row, "user_name"))
            existing.append(name)
        if existing:
            people = _shortened(list(dict.fromkeys(existing)), "member")
            self.notes.append(f"in no table of users, so they must exist already: {people}")

    def _take_assignments(self) -> None:
        first: dict[tuple[str, ...], _Row] = {}
        for row in self._rows.get("assignments", ()):
            group, user = row["group"], row["user"]
            if row["principal_name"]:
                is_user = row["principal_type"].casefold() == "user"
                group, user = ("", row["principal_name"]) if is_user else (row["principal_name"], user)
            user = self._by_email.get(user, user)
            account, unit = row["account"], row["organizational_unit"]
            key = (row["permission_set"], group, user, row["account_tags"])
            if (earlier := first.setdefault((*key, account, unit), row)) is not row:
                message = f"the same assignment is in {earlier.place_seen_from(row)}"
                row.refuse("permission_set", message, "Remove one of the two lines.")
                continue
            self._require_spelling("group", group, "group", row)
            self._require_spelling("user", user, "user", row)
            if by := _SPOILT.fullmatch(account):
                did = "rounded" if by["rounded"] else "taken zeros from: it has twelve digits"
                remedy = "Format the column as text, and type the twelve digits again."
                row.refuse("account", f"{account!r} is an account id that a spreadsheet has {did}", remedy)
                continue
            if key not in self._assignments.entries:
                named = {"permission_set": row["permission_set"], "group": group, "user": user}
                place = self._assignments.add(key, {name: value for name, value in named.items() if value})
                self._origins |= {place: (row, ""), (*place, "accounts"): (row, "account")}
                self._origins |= {(*place, name): (row, name) for name in (*named, "account_tags")}
                if row["account_tags"]:
                    self._assignments.entries[key]["account_tags"] = self._tags(row)
            if account:
                self._assignments.append(key, "accounts", account, self._origins, (row, "account"))
            if unit:
                of_unit = (row, "organizational_unit")
                self._assignments.append(key, "organizational_units", unit, self._origins, of_unit)

    def _tags(self, row: _Row) -> dict[str, Any]:
        try:
            return read_tags_cell(row["account_tags"])
        except ValueError as error:
            remedy = "Write each as key=value, with semicolons between them: env=prod; team=shop."
            row.refuse("account_tags", f"{row['account_tags']!r} {error}", remedy)
            return {}

    def _lacks(self, row: _Row, *names: str) -> bool:
        missing = [name for name in names if not row[name]]
        for name in missing:
            row.refuse(name, "is empty", f"Write one: {FIELDS['memberships'][name]}")
        return bool(missing)

    def _is_twice(self, kind: str, name: str, row: _Row) -> bool:
        """Refuse what an earlier row holds in this or another spelling."""
        value = row[name]
        if not value:
            return False
        _, earlier_cell, earlier = self._spellings.setdefault(
            (kind, _one_spelling(value)), (value, row.raw(name), row)
        )
        if earlier is row:
            return False
        if kind == "e-mail address" and name in row.columns.by_field:
            first = earlier["user_name"]
            message = (
                f"{row.raw(name)!r} is the e-mail address of {first!r} too, in {earlier.place_seen_from(row)}"
            )
        else:
            found = f"the {kind} {earlier_cell!r} in {earlier.place_seen_from(row)}"
            message = f"{row.raw(name)!r} is {found} again{_difference(earlier_cell, row.raw(name))}"
        row.refuse(name, message, "Keep one of the two lines, or correct the value.")
        return True

    def _require_spelling(self, kind: str, value: str, name: str, row: _Row) -> bool:
        """Refuse a name that is written in another way elsewhere: it would be another group, or person."""
        if not value:
            return True
        known, _, where = self._spellings.setdefault((kind, _one_spelling(value)), (value, value, row))
        if known == value:
            return True
        message = f"{value!r} is written {known!r} in {where.place_seen_from(row)}{_difference(known, value)}"
        row.refuse(name, message, "Write it the same everywhere.")
        return False

    def refused_by_models(self, reported: set[tuple[str, int | None]]) -> Iterator[Problem]:
        """Yield what a scenario's models refuse, at its line; of lines that are reported already, nothing."""
        try:
            validate_scenario(self.data, "the tables")
        except ParametersError as error:
            for problem in error.problems:
                row, name = self._origin(problem.path)
                if (row.sheet.name, row.line) not in reported:
                    header = row.header(name) if name else ""
                    yield Problem(row.sheet.name, row.line, header, problem.message, problem.remedy)

    def _origin(self, path: str) -> tuple[_Row, str]:
        """Return the row and the field that a place of the scenario is from: each entry is from one."""
        steps = re.findall(r"\w+", path, re.ASCII)
        location: Location = tuple(int(step) if step.isdecimal() else step for step in steps)
        while location not in self._origins:
            location = location[:-1]
        return self._origins[location]


def _shortened(names: Sequence[str], noun: str) -> str:
    return f"{counted(len(names), noun)} ({cut_list(names, 10)})"


def _one_spelling(value: str) -> str:
    """Return what all spellings of a name have in common: no case, one form of each accent, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _difference(one: str, other: str) -> str:
    """Return in what two spellings of a name differ; empty: in nothing."""
    if one == other:
        return ""
    if one.strip() == other.strip():
        return ": they differ in spaces around them"
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return ": they look the same, and differ in how accents are stored"
    if one.casefold() == other.casefold():
        return ": they differ in upper and lower case"
    return ": they differ in spelling alone"
