"""Which objects a query reads: partitions by projection or by name, pruned by the query's conditions."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from idc_sandbox.athena.engine.types import duckdb_type, quoted
from idc_sandbox.athena.kinds import BAD_PROPERTY, MISSING_PATH, QueryFailedError

PartitionValues = tuple[str | None, ...]


@dataclass(frozen=True)
class SourceObject:
    """An object of the sandbox's S3 with the values of its partition."""

    bucket: str
    key: str
    size: int
    etag: str
    values: PartitionValues = ()

    @property
    def address(self) -> str:
        """Its address, as ``"$path"`` has it."""
        return f"s3://{self.bucket}/{self.key}"


Lister = Callable[[str, str], list[tuple[str, int, str]]]


def split_address(address: str) -> tuple[str, str]:
    """Return bucket and key of an address of S3."""
    found = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", address, re.DOTALL)
    if found is None:
        raise QueryFailedError(f"The path {address!r} is no address of S3", MISSING_PATH)
    return found[1], found[2]


def objects_under(address: str, list_objects: Lister, values: PartitionValues = ()) -> list[SourceObject]:
    """Return the objects below a folder; as Athena, without hidden and empty ones."""
    bucket, folder = split_address(address)
    prefix = folder if not folder or folder.endswith("/") else f"{folder}/"
    found = (SourceObject(bucket, *entry, values) for entry in list_objects(bucket, prefix))
    return [one for one in found if one.size and not _is_hidden(one.key)]


def _is_hidden(key: str) -> bool:
    name = key.rpartition("/")[2]
    return not name or name[0] in "._"


# --- projection: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html

_JAVA = {
    "yyyy": ("%Y", r"\d{4}"), "yy": ("%y", r"\d{2}"), "MM": ("%m", r"\d{2}"), "M": ("%m", r"\d{1,2}"),
    "dd": ("%d", r"\d{2}"), "d": ("%d", r"\d{1,2}"), "HH": ("%H", r"\d{2}"), "mm": ("%M", r"\d{2}"),
    "ss": ("%S", r"\d{2}"),
}  # fmt: skip
_PARTS = re.compile("|".join([*_JAVA, "'[^']*'", "."]), re.DOTALL)
_UNITS = {
    "YEAR": 366,
    "MONTH": 31,
    "WEEK": 7,
    "DAY": 1,
    "HOUR": 1 / 24,
    "MINUTE": 1 / 1440,
    "SECOND": 1 / 86400,
}


@dataclass(frozen=True)
class _Projected:
    """A projected column: what its part of a path looks like, and which values are in its range."""

    pattern: str
    is_in_range: Callable[[str], bool]


def _of_dates(properties: dict[str, str], name: str, now: datetime.datetime) -> _Projected:
    form = _needed(properties, name, "format")
    python_form, pattern = "", ""
    for part in _PARTS.findall(form):
        literal = part[1:-1] if part.startswith("'") and len(part) > 1 else part
        as_python, as_pattern = _JAVA.get(part, (literal.replace("%", "%%"), re.escape(literal)))
        python_form, pattern = python_form + as_python, pattern + as_pattern
    low, high = (_bound(text, python_form, now, name) for text in _range(properties, name))

    def is_in_range(text: str) -> bool:
        try:
            moment = datetime.datetime.strptime(text, python_form)
        except ValueError:
            return False
        return low <= moment <= high

    return _Projected(pattern, is_in_range)


def _bound(text: str, form: str, now: datetime.datetime, name: str) -> datetime.datetime:
    relative = re.fullmatch(
        r"\s*NOW\s*(?:([+-])\s*(\d{1,5})\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?\s*", text, re.ASCII
    )
    try:
        if relative:
            days = int(relative[2] or 0) * _UNITS.get(relative[3], 0)
            return now + datetime.timedelta(days=days if relative[1] == "+" else -days)
        return datetime.datetime.strptime(text.strip(), form)
    except (ValueError, OverflowError):
        raise _bad(name, "range", text) from None


def _projected(properties: dict[str, str], name: str, now: datetime.datetime) -> _Projected:
    kind = properties.get(f"projection.{name}.type", "")
    if kind == "date":
        return _of_dates(properties, name, now)
    if kind == "integer":
        ends = _range(properties, name)
        if not all(re.fullmatch(r"\s*-?\d{1,18}\s*", end, re.ASCII) for end in ends):
            raise _bad(name, "range", ",".join(ends))
        low, high = int(ends[0]), int(ends[1])
        return _Projected(r"-?\d{1,18}", lambda text: low <= int(text) <= high)
    if kind == "enum":
        values = [value.strip() for value in _needed(properties, name, "values").split(",")]
        return _Projected("|".join(re.escape(value) for value in values), lambda _text: True)
    if kind == "injected":
        return _Projected("[^/]+", lambda _text: True)
    raise _bad(name, "type", kind)


def _needed(properties: dict[str, str], name: str, what: str) -> str:
    value = properties.get(f"projection.{name}.{what}")
    if not value:
        raise _bad(name, what, value)
    return value


def _range(properties: dict[str, str], name: str) -> list[str]:
    ends = _needed(properties, name, "range").split(",")
    if len(ends) != 2:
        raise _bad(name, "range", ",".join(ends))
    return ends


def _bad(name: str, what: str, value: str | None) -> QueryFailedError:
    return QueryFailedError(
        f"HIVE_INVALID_PARTITION_VALUE: the table property 'projection.{name}.{what}' is {value!r}. "
        "Athena's page 'Supported types for partition projection' says what it may be",
        BAD_PROPERTY,
    )


def is_projected(table: dict[str, Any]) -> bool:
    """Tell whether a table's partitions are computed from its properties."""
    return str(table["properties"].get("projection.enabled", "")).lower() == "true" and bool(
        table["partitions"]
    )


def projected_objects(table: dict[str, Any], list_objects: Lister, now: float) -> list[SourceObject]:
    """Return the objects of the projected partitions of a table, which are found by their paths."""
    properties = table["properties"]
    names = [column["name"] for column in table["partitions"]]
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC).replace(tzinfo=None)
    projected = {name: _projected(properties, name, moment) for name in names}
    folder = table["location"].rstrip("/")
    default = folder + "".join(f"/{name}=${{{name}}}" for name in names)
    template = properties.get("storage.location.template", default).rstrip("/") + "/"
    parts = re.split(r"\$\{(\w+)\}", template, flags=re.ASCII)
    if set(parts[1::2]) != set(names):
        raise QueryFailedError(
            f"The table property 'storage.location.template' has {sorted(set(parts[1::2]))}, and the table's "
            f"partitions are {sorted(names)}: each must be in it",
            BAD_PROPERTY,
        )
    pattern, seen = "", set()
    for number, part in enumerate(parts):
        if number % 2 == 0:
            pattern += re.escape(part)
        else:
            group = f"p{names.index(part)}"
            pattern += f"(?P={group})" if part in seen else f"(?P<{group}>{projected[part].pattern})"
            seen.add(part)
    bucket, static = split_address(parts[0])
    matcher = re.compile(pattern)
    found = []
    for key, size, etag in list_objects(bucket, static):
        match = matcher.match(f"s3://{bucket}/{key}")
        if match is None or not size or _is_hidden(key):
            continue
        values = tuple(match[f"p{number}"] for number in range(len(names)))
        if all(projected[name].is_in_range(value) for name, value in zip(names, values, strict=True)):
            found.append(SourceObject(bucket, key, size, etag, values))
    return found


def hive_values(key: str, folder: str, names: Iterable[str]) -> PartitionValues | None:
    """Return the values in a key such as ``dt=2026-11-30/region=x/file``, or None where names are missing."""
    found = dict(re.findall(r"([^/=]+)=([^/]*)/", key.removeprefix(folder)))
    lowered = {name.lower(): value for name, value in found.items()}
    return tuple(lowered[name] for name in names) if all(name in lowered for name in names) else None


def prune(
    connection: duckdb.DuckDBPyConnection,
    table: dict[str, Any],
    tuples: Iterable[PartitionValues],
    conditions: list[str],
) -> set[PartitionValues]:
    """Return the partitions that may have rows of a query: all conditions are about their values alone."""
    distinct = sorted(set(tuples), key=repr)
    if not conditions or not distinct:
        return set(distinct)
    columns = table["partitions"]
    shown = ", ".join(
        f"TRY_CAST(v[{number}] AS {duckdb_type(column['type'])}) AS {quoted(column['name'])}"
        for number, column in enumerate(columns, start=1)
    )
    rows = connection.execute(
        f"SELECT n FROM (SELECT n, {shown} FROM (SELECT unnest(?) AS v, unnest(?) AS n))"  # noqa: S608
        f" WHERE {' AND '.join(f'({condition})' for condition in conditions)}",
        [[list(values) for values in distinct], list(range(len(distinct)))],
    ).fetchall()
    return {distinct[number] for (number,) in rows}
