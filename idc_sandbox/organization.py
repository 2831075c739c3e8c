"""The organization that a sandbox starts with: one of its own, or a company's from a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from idc_sandbox.aws_double.administrator import MANAGEMENT_ACCOUNT_ID
from idc_sandbox.errors import SandboxStartError

# Source of what is allowed: https://docs.aws.amazon.com/organizations/latest/APIReference/API_CreateAccount.html
STATUSES = ("ACTIVE", "SUSPENDED", "PENDING_CLOSURE")
_ACCOUNT_KEYS = ("name", "id", "email", "status", "tags")
_UNIT_KEYS = ("name", "organizational_units", "accounts")
_TOP_KEYS = ("management_account", "organizational_units", "accounts")
_MOST_LEVELS = 5  # of units below the root
_DEEPEST = 40  # libyaml ends the process where its own stack ends
_MOST_SHOWN = 50

Organization = dict[str, Any]
"""Keys ``management_account``, ``organizational_units`` and ``accounts``, all as in the file."""


def email_of(name: str) -> str:
    """Return the address of an account that has none in the file."""
    return f"{re.sub('[^a-z0-9.]+', '-', name.lower()).strip('-.') or 'account'}@example.com"


def _units(**accounts: list[str]) -> list[Organization]:
    return [
        {"name": unit, "accounts": [{"name": name, "email": email_of(name)} for name in names]}
        for unit, names in accounts.items()
    ]


DEFAULT_ORGANIZATION: Organization = {
    "management_account": {"name": "Management", "email": email_of("Management")},
    "organizational_units": _units(
        Security=["Security tooling", "Log archive"], Workloads=["Development", "Production"]
    ),
}


def read_organization(path: Path) -> Organization:
    """Return the organization in a YAML or JSON file; everything that is wrong with it is said at once."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _refused(
            path, [(None, f"cannot be read: {error.strerror or error}", "Check the path.")]
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _refused(path, [(line, "is not text in UTF-8", "Save it as UTF-8.")]) from error
    return _Reading(path, text).organization()


_Problem = tuple[int | None, str, str]


def _refused(path: Path, problems: list[_Problem]) -> SandboxStartError:
    shown = [
        f"  {path.name}{'' if line is None else f', line {line}'}: {found}. {remedy}"
        for line, found, remedy in problems[:_MOST_SHOWN]
    ]
    if len(problems) > _MOST_SHOWN:
        shown.append(f"  and {len(problems) - _MOST_SHOWN} more")
    number = "1 value needs" if len(problems) == 1 else f"{len(problems)} values need"
    return SandboxStartError(
        f"the organization in {str(path)!r} cannot be used: {number} fixing. Nothing was started.\n"
        + "\n".join(shown)
    )


class _Reading:
    """One look at a file: values with their lines, and what is wrong with them."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        # Between JSON's values a tab is a space; YAML wants none there, and JSON has none within a value.
        self._text = text.replace("\t", " ") if path.suffix.lower() == ".json" else text
        self._problems: list[_Problem] = []
        self._accounts: list[tuple[int, Organization]] = []

    def organization(self) -> Organization:
        """Return what the file says, or refuse it whole."""
        top = self._mapping(self._compose(), "the file", _TOP_KEYS)
        about = top.get("management_account")
        management = {} if about is None else self._account(about, is_management=True)
        management.setdefault("name", "Management")
        management.setdefault("email", email_of(management["name"]))
        found = {"management_account": management, **self._content(top, 0)}
        self._require_unique({"id": MANAGEMENT_ACCOUNT_ID, **management})
        if self._problems:
            raise _refused(self._path, sorted(self._problems, key=lambda problem: problem[0] or 0))
        return found

    def _compose(self) -> Any:
        import yaml  # noqa: PLC0415  a sandbox that takes no file starts without it

        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            level = 0
            event: Any
            for event in yaml.parse(self._text, Loader=loader):
                level += isinstance(event, yaml.CollectionStartEvent)
                level -= isinstance(event, yaml.CollectionEndEvent)
                if level > _DEEPEST or isinstance(event, yaml.AliasEvent):
                    what = "an alias" if level <= _DEEPEST else f"more than {_DEEPEST} levels"
                    line = event.start_mark.line + 1
                    raise _refused(self._path, [(line, f"holds {what}", "Write the values out.")])
            return yaml.compose(self._text, Loader=loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line, said = (mark.line + 1 if mark else None), getattr(error, "problem", None) or "a character"
            remedy = "Check indentation, colons and quotes there."
            raise _refused(self._path, [(line, f"is neither YAML nor JSON: {said}", remedy)]) from error

    def _content(self, values: dict[str, Any], level: int) -> Organization:
        units = [self._unit(node, level + 1) for node in self._list(values.get("organizational_units"))]
        seen: set[str] = set()
        for node, unit in units:
            if (name := unit.get("name", "")) in seen:
                self._wrong(node, f"the unit {name!r} is named twice in one parent", "Rename one of them.")
            elif name:
                seen.add(name)
        accounts = [self._account(node) for node in self._list(values.get("accounts"))]
        return {"organizational_units": [unit for _, unit in units], "accounts": accounts}

    def _unit(self, node: Any, level: int) -> tuple[Any, Organization]:
        values = self._mapping(node, "an organizational unit", _UNIT_KEYS)
        unit: Organization = {}
        if level == _MOST_LEVELS + 1:
            self._wrong(node, f"units are nested more than {_MOST_LEVELS} deep", "Move this one up.")
        if name := self._text_of(values.get("name"), node, "an organizational unit", 128):
            unit["name"] = name
        return node, unit | self._content(values, level)

    def _account(self, node: Any, *, is_management: bool = False) -> Organization:
        values = self._mapping(node, "an account", _ACCOUNT_KEYS)
        account: Organization = {}
        if name := self._text_of(values.get("name"), node, "an account", 50):
            account = {"name": name, "email": email_of(name)}
            if not re.fullmatch("[ -~]+", name):
                self._wrong(values["name"], f"the name {name!r} has letters that AWS refuses", "Use ASCII.")
        self._take(account, values, "id", lambda text: _id_problem(text, is_management=is_management))
        self._take(account, values, "email", _email_problem)
        self._take(account, values, "status", lambda text: _status_problem(text, is_management=is_management))
        if "tags" in values:
            account["tags"] = self._tags(values["tags"])
        if not is_management:
            self._accounts.append((self._line(node), account))
        return account

    def _take(
        self, account: Organization, values: dict[str, Any], key: str, problem: Callable[[str], str | None]
    ) -> None:
        node = values.get(key)
        if node is None:
            return
        text = self._scalar(node, key)
        if text is None:
            return
        if remedy := problem(text):
            self._wrong(node, f"{key} is {text!r}", remedy)
        else:
            account[key] = text

    def _tags(self, node: Any) -> dict[str, str]:
        found = {name: self._scalar(value, name) or "" for name, value in self._pairs(node, "tags")}
        if len(found) > 50:
            self._wrong(node, f"an account has {len(found)} tags", "AWS allows 50.")
        for name, value in found.items():
            if not 0 < len(name) <= 128 or len(value) > 256 or name.lower().startswith("aws:"):
                self._wrong(
                    node,
                    f"AWS does not take the tag {name[:40]!r}",
                    "A key has 1 to 128 characters and does not begin with 'aws:', a value at most 256.",
                )
        return found

    def _require_unique(self, management: Organization) -> None:
        for key, reason in (
            ("id", "Each account has its own; leave it out, and the sandbox makes one up."),
            ("email", "AWS wants another address for each account; `email:` gives it."),
        ):
            seen = {management[key].casefold(): 0}
            for line, account in self._accounts:
                value = account.get(key, "").casefold()
                if value and value in seen:
                    where = f"line {seen[value]}" if seen[value] else "the management account"
                    self._problems.append((line, f"{key} {account[key]!r} is that of {where}", reason))
                seen.setdefault(value, line)

    def _mapping(self, node: Any, what: str, known: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in self._pairs(node, what):
            if name not in known:
                self._wrong(value, f"{what} has no {name[:40]!r}", f"There are: {', '.join(known)}.")
            elif value.tag != "tag:yaml.org,2002:null":
                found[name] = value
        return found

    def _pairs(self, node: Any, what: str) -> Iterator[tuple[str, Any]]:
        pairs = None if node is None else node.value
        if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
            self._wrong(node, f"{what} is no mapping of names to values", "Write `name: value`, a line each.")
            return
        seen: set[str] = set()
        for key, value in pairs:
            name = str(key.value)
            if name in seen:
                self._wrong(key, f"{name[:40]!r} appears twice", "Remove one of them.")
            seen.add(name)
            yield name, value

    def _list(self, node: Any) -> list[Any]:
        if node is None:
            return []
        if not isinstance(node.value, list) or any(isinstance(part, tuple) for part in node.value):
            self._wrong(node, "a list was expected", "Begin each entry with `- `.")
            return []
        return node.value

    def _text_of(self, node: Any, owner: Any, what: str, longest: int) -> str | None:
        if node is None:
            self._wrong(owner, f"{what} has no name", "Give `name:`.")
            return None
        text = self._scalar(node, "name")
        if text is not None and not 0 < len(text.strip()) <= longest:
            self._wrong(node, f"the name has {len(text)} characters", f"AWS allows 1 to {longest}.")
            return None
        return text

    def _scalar(self, node: Any, key: str) -> str | None:
        # The text as it is written: an account id that begins with 0 is no number.
        if isinstance(node.value, str):
            return str(node.value)
        self._wrong(node, f"{key[:40]} is no single value", "Give one text.")
        return None

    def _wrong(self, node: Any, found: str, remedy: str) -> None:
        self._problems.append((self._line(node), found, remedy))

    def _line(self, node: Any) -> int:
        return 1 if node is None else int(node.start_mark.line) + 1


def _id_problem(text: str, *, is_management: bool) -> str | None:
    if is_management and text != MANAGEMENT_ACCOUNT_ID:
        return f"The sandbox's management account is always {MANAGEMENT_ACCOUNT_ID}: leave `id:` out."
    return None if re.fullmatch("[0-9]{12}", text) else "An account id has 12 digits."


def _email_problem(text: str) -> str | None:
    is_one = re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text) and 6 <= len(text) <= 64
    return None if is_one else "Give an address of 6 to 64 characters, such as log-archive@example.com."


def _status_problem(text: str, *, is_management: bool) -> str | None:
    if is_management and text in STATUSES[1:]:
        return "The management account of a sandbox is ACTIVE."
    return None if text in STATUSES else f"There are: {', '.join(STATUSES)}."


def organization_text(organization: Organization) -> str:
    """Return an organization as one line of JSON, the same for the same content."""
    return json.dumps(organization, sort_keys=True)
