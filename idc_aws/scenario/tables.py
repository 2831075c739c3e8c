"""CSV tables: files as people's tools write them, what each column holds, and a scenario's people in them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from idc_aws.errors import InvalidValueError, ParametersError, Problem
from idc_aws.files import kind_of_file, read_table, unfinished_merge, write_explained
from idc_aws.identifiers import cut_list, did_you_mean
from idc_aws.scenario.access import AccountAssignment
from idc_aws.scenario.people import Address, Enterprise, Group, User
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.values import IN_A_FILE

DELIMITERS = ",;\t"
_SAVE_AS = "Save it as “CSV UTF-8” in your spreadsheet."
# A spreadsheet runs a cell that begins so: https://owasp.org/www-community/attacks/CSV_Injection
_RUN = tuple("=+-@\t\r\n＝＋－＠")
_QUOTE = "'"


def safe_cell(value: str) -> str:
    """Return a value as a cell that a spreadsheet shows and never runs; `plain_value` gives it back.

    Raises
    ------
    InvalidValueError
        When the value ends with a space: a table cannot keep it.
    """
    if value.startswith((*_RUN, _QUOTE)) or value != value.lstrip():
        return _QUOTE + value
    if value != value.rstrip():
        remedy = "Remove the space, or keep this entry in the scenario."
        raise InvalidValueError(f"{value!r} ends with a space, which a table cannot keep", remedy=remedy)
    return value


def plain_value(cell: str) -> str:
    """Return what a cell means: without spaces around it, and without the quote of `safe_cell`."""
    rest = cell[1:]
    if cell.startswith(_QUOTE) and (rest.startswith((*_RUN, _QUOTE)) or rest != rest.lstrip()):
        return rest
    return cell.strip()


@dataclass
class Sheet:
    """A table: where it comes from, its headers, and its rows with their lines."""

    name: str
    line: int = 1
    headers: list[str] = field(default_factory=list)
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, line: int, header: str, message: str, remedy: str) -> None:
        """Keep what is wrong at a place."""
        self.problems.append(Problem(self.name, line, header, message, remedy))


def read_sheet(path: Path, kind: str) -> Sheet:
    """Read a CSV file of a kind of table; what is wrong with the file itself is kept with it."""
    sheet = Sheet(str(path))
    text = _text(sheet, path)
    if text is None:
        return sheet
    delimiter, text, first = without_sep(text)
    delimiter = delimiter or _delimiter(text, kind)
    rows = list(csv_rows(text, delimiter, lambda line, *why: sheet.refuse(line, "", *why), first))
    while rows and is_before_headers(rows[0][1]):
        rows.pop(0)
    if not rows:
        if not sheet.problems:
            sheet.refuse(first, "", "has no line of headers", "`idc table template` writes tables with them.")
        return sheet
    sheet.line, headers = rows[0]
    sheet.headers = [header.strip() for header in headers]
    for line, cells in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(headers) :]):
            message = f"has {len(cells)} cells, and there are {len(headers)} headers"
            sheet.refuse(line, "", message, "Put a value that holds a separator in double quotes.")
        else:
            sheet.rows.append((line, cells + [""] * (len(headers) - len(cells))))
    return sheet


def _text(sheet: Sheet, path: Path) -> str | None:
    try:
        content = path.read_bytes()
    except OSError as error:
        found = "it is a folder" if isinstance(error, IsADirectoryError) else error.strerror
        found = "there is no such file" if isinstance(error, FileNotFoundError) else found
        sheet.refuse(1, "", f"cannot be read: {found}", "Name a CSV file.")
        return None
    if what := kind_of_file(content):
        sheet.refuse(1, "", f"is {what}, not CSV in UTF-8", _SAVE_AS)
        return None
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"holds the byte 0x{content[error.start]:02x}, which is not UTF-8"
        sheet.refuse(line, "", message, _SAVE_AS)
        return None
    if merge := unfinished_merge(text):
        line, *why = merge
        sheet.refuse(line, "", *why)
        return None
    return text


def without_sep(text: str) -> tuple[str, str, int]:
    """Return the delimiter that a first line such as ``sep=;`` names, the rest, and its first line."""
    named = re.match(r"sep=([,;\t])\r?\n", text, re.IGNORECASE)
    return (named[1], text[named.end() :], 2) if named else ("", text, 1)


def csv_rows(
    text: str, delimiter: str, refuse: Callable[[int, str, str], object], first: int = 1
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a text, each with its line; a line that is not CSV is refused with why and remedy."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = first
    try:
        for cells in reader:
            yield start, cells
            start = first + reader.line_num
    except csv.Error as error:
        remedy = "Look at the quotes of this line: a quote within a value is doubled."
        refuse(start, f"is not CSV: {error}", remedy)


def is_before_headers(cells: Sequence[str]) -> bool:
    """Tell whether a line explains the table: empty, a comment, or the version of a template."""
    first = cells[0].strip() if cells else ""
    return not any(cell.strip() for cell in cells) or first.startswith(("#", "version:"))


def _delimiter(text: str, kind: str) -> str:
    def known(delimiter: str) -> tuple[int, int, bool]:
        rows = csv_rows(text, delimiter, lambda *_: None)
        headers = next((cells for _, cells in rows if not is_before_headers(cells)), [])
        # The header of one column says nothing: its delimiter is the one that no value holds.
        is_one_column = len(headers) == 1 and all(len(cells) < 2 for _, cells in rows)
        return sum(1 for header in headers if _fields_of(kind, header)), len(headers), is_one_column

    return max(DELIMITERS, key=known)


@cache
def _table(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_table("table_columns")[name]
    return found


@cache
def _known_headers(kind: str, names: tuple[str, ...] = ()) -> dict[str, tuple[int, str]]:
    """Return for each header in one spelling the field, and which one of several columns counts first."""
    found: dict[str, tuple[int, str]] = {}
    for name, headers in {**dict.fromkeys(names, ()), **_table(kind)}.items():
        for rank, header in enumerate((name, *headers)):
            found.setdefault(_squashed(header), (rank, name))
    return found


def _squashed(header: str) -> str:
    return "".join(filter(str.isalnum, header.casefold())).removesuffix("required")


def _fields_of(kind: str, header: str, names: tuple[str, ...] = ()) -> tuple[int, str] | None:
    known = _known_headers(kind, names)
    inside = re.search(r"\[(.*?)\]", header)
    for spelling in ([inside[1]] if inside else []) + [re.sub(r"\[.*?\]", "", header)]:
        if (found := known.get(_squashed(spelling))) is not None:
            return found
    return None


@dataclass
class Columns:
    """Which column of a sheet holds which field."""

    by_field: dict[str, int] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


def read_columns(
    sheet: Sheet, kind: str, fields: Sequence[str], mapping: Sequence[tuple[str, str]] = ()
) -> Columns:
    """Return which column holds which field; what is wrong with the headers is kept with the sheet."""
    columns, names = Columns(), tuple(fields)
    for header in sorted({header for header in sheet.headers if header and sheet.headers.count(header) > 1}):
        message = f"the column {header!r} appears twice"
        sheet.refuse(sheet.line, header, message, "Give each column a header of its own.")
    best: dict[str, tuple[int, int]] = {}
    for place, header in enumerate(sheet.headers):
        found = _fields_of(kind, header, names)
        if found and (found[1] not in best or found[0] < best[found[1]][0]):
            best[found[1]] = (found[0], place)
    columns.by_field = {name: place for name, (_, place) in best.items()}
    for header, name in mapping:
        if header in sheet.headers and name in fields:
            columns.by_field[name] = sheet.headers.index(header)
    used = set(columns.by_field.values())
    columns.ignored = [header for place, header in enumerate(sheet.headers) if place not in used and header]
    _refuse_secrets(sheet, [place for place in range(len(sheet.headers)) if place not in used])
    return columns


def require_columns(sheet: Sheet, columns: Columns, required: Iterable[str]) -> None:
    """Keep with the sheet which fields have no column, with what could hold them."""
    for name in required:
        if name not in columns.by_field:
            remedy = f'Name the column: --map "HEADER={name}". Not used: {_listed(columns.ignored)}.'
            sheet.refuse(sheet.line, "", f"no column holds {name!r}", remedy)


def _listed(names: Sequence[str]) -> str:
    return cut_list(map(repr, names), 20) or "none"


def _refuse_secrets(sheet: Sheet, places: Iterable[int]) -> None:
    named = re.compile(_table("secrets")["names"].replace("\\\n", ""), re.IGNORECASE)
    nothing = re.compile(_table("secrets")["says_nothing"], re.IGNORECASE)
    for place in places:
        header = re.sub(r"[_-]", " ", sheet.headers[place])
        if not named.search(header) and not named.search(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)):
            continue
        lines = [line for line, cells in sheet.rows if not nothing.fullmatch(cells[place].strip())]
        if lines:
            message = f"the column {sheet.headers[place]!r} may hold secrets"
            remedy = "Delete the column from the file. People set their own password when they first sign in."
            sheet.refuse(lines[0], sheet.headers[place], message, remedy)


def unknown_mappings(
    mapping: Iterable[tuple[str, str]], sheets: Mapping[str, Sheet], fields: Mapping[str, Sequence[str]]
) -> list[Problem]:
    """Return what is wrong with an explained mapping: a header that no table has, a field that is not one."""
    problems = []
    for header, name in mapping:
        kinds = [kind for kind, sheet in sheets.items() if header in sheet.headers]
        if not kinds:
            headers = [one for sheet in sheets.values() for one in sheet.headers]
            remedy = did_you_mean(header, headers) or f"The headers are: {_listed(headers)}."
            problems.append(Problem("--map", None, "", f"no table has a column {header!r}", remedy))
        elif not any(name in fields[kind] for kind in kinds):
            names = [one for kind in kinds for one in fields[kind]]
            remedy = did_you_mean(name, names) or f"The fields are: {', '.join(names)}."
            problems.append(Problem("--map", None, header, f"{name!r} is not a field", remedy))
    return problems


def parse_mapping(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of header and field from words such as ``"Mail=email"``."""
    pairs = [
        (header.strip(), equals, name.strip()) for header, equals, name in (w.rpartition("=") for w in words)
    ]
    wrong = [f"{header}{equals}{name}" for header, equals, name in pairs if not (header and name)]
    if wrong:
        remedy = 'Write a header, an equals sign and a field: --map "Mail=email".'
        raise ParametersError(
            [Problem("--map", None, "", f"{one!r} is not HEADER=FIELD", remedy) for one in wrong]
        )
    return [(header, name) for header, _, name in pairs]


def write_sheet(path: Path, rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """Write a CSV file of people, with the mark by which spreadsheets know UTF-8; cells must be safe."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    write_explained(path, f"\ufeff{text.getvalue()}")


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
