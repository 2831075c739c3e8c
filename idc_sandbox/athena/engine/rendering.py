"""How Athena says types, values and tables: a result's text and columns, SHOW CREATE TABLE, DESCRIBE."""

from __future__ import annotations

import datetime
import decimal
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# name of a type → precision, scale. UNCONFIRMED for most: clients need the members, and take any number.
_NUMBERS = {
    "tinyint": (3, 0), "smallint": (5, 0), "integer": (10, 0), "bigint": (19, 0), "float": (17, 0),
    "double": (17, 0), "boolean": (0, 0), "varchar": (2147483647, 0), "timestamp": (3, 0),
    "timestamp with time zone": (3, 0), "varbinary": (1073741824, 0),
}  # fmt: skip
_NAMES = {
    "HUGEINT": "bigint", "UHUGEINT": "bigint", "UBIGINT": "bigint", "UINTEGER": "bigint", "USMALLINT":
    "integer", "UTINYINT": "smallint", "BLOB": "varbinary", "TIME": "time", "JSON": "json", "FLOAT": "float",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "DATE": "date", "DOUBLE": "double",
    "INTEGER": "integer", "BIGINT": "bigint", "SMALLINT": "smallint", "TINYINT": "tinyint",
    "BOOLEAN": "boolean",
}  # fmt: skip


def athena_type(name: str) -> str:
    """Return Athena's name of a type of DuckDB's; what Athena does not have is a text."""
    if name.endswith("]"):
        return "array"
    kind = name.partition("(")[0]
    if kind in ("STRUCT", "MAP"):
        return {"STRUCT": "row", "MAP": "map"}[kind]
    if kind == "DECIMAL":
        return "decimal"
    return "timestamp" if kind.startswith("TIMESTAMP") and "ZONE" not in kind else _NAMES.get(kind, "varchar")


def column_info(name: str, type_name: str) -> dict[str, Any]:
    """Return what GetQueryResults says of a column, of DuckDB's type."""
    kind = athena_type(type_name)
    precision, scale = _NUMBERS.get(kind, (0, 0))
    if kind == "decimal":
        precision, scale = (int(one) for one in re.findall(r"\d+", type_name, re.ASCII)[:2])
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind == "varchar",
    }


Renderer = Callable[[Any], str | None]


def _render_text(value: Any) -> str | None:
    """Return Athena's text of a value; None for NULL."""
    if isinstance(value, str) or value is None:
        return value
    return _OF_TYPE.get(type(value), str)(value)


def _inner(value: Any) -> str:
    text = _render_text(value)
    return "null" if text is None else text


def _time(value: datetime.datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"


def _number(value: float) -> str:
    """Return a double as Java prints it: ``1.0E10`` from ten million on."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    digits, _, exponent = f"{decimal.Decimal(repr(value)):E}".partition("E")
    whole = digits.rstrip("0") if "." in digits else f"{digits}."
    return f"{whole}{'0' if whole.endswith('.') else ''}E{int(exponent)}"


def _row(value: Mapping[str, Any]) -> str:
    # Python has a dictionary for rows and maps alike; names of fields are lower case in Athena's tables.
    return "{" + ", ".join(f"{_inner(name)}={_inner(item)}" for name, item in value.items()) + "}"


def _list(value: Iterable[Any]) -> str:
    return "[" + ", ".join(_inner(item) for item in value) + "]"


def _anonymous(value: Iterable[Any]) -> str:
    return "{" + ", ".join(f"field{number}={_inner(item)}" for number, item in enumerate(value)) + "}"


def _interval(value: datetime.timedelta) -> str:
    sign, left = ("-", -value) if value < datetime.timedelta() else ("", value)
    minutes, seconds = divmod(left.seconds, 60)
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{left.microseconds // 1000:03d}"
    return f"{sign}{left.days} {clock}"


_OF_TYPE: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    float: _number,
    datetime.datetime: _time,
    datetime.time: lambda value: f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}",
    dict: _row,
    list: _list,
    tuple: _anonymous,
    bytes: lambda value: " ".join(f"{byte:02x}" for byte in value),
    datetime.timedelta: _interval,
}


_INTERVAL = re.compile(
    r"(?:(-?\d+) years? ?)?(?:(-?\d+) months? ?)?(?:(-?\d+) days? ?)?(?:(-?)(\d+):(\d+):(\d+)(?:\.(\d+))?)?",
    re.ASCII,
)


def _interval_of_text(text: str) -> str:
    """Return Trino's text of an interval, of months or of a time, for DuckDB's."""
    found = _INTERVAL.fullmatch(text)
    if found is None:
        return text
    years, months, days, sign, *clock, fraction = found.groups()
    if years or months:
        count = int(years or 0) * 12 + int(months or 0)
        return f"{'-' if count < 0 else ''}{abs(count) // 12}-{abs(count) % 12}"
    hours, minutes, seconds = (int(one or 0) for one in clock)
    time = datetime.timedelta(
        hours=hours, minutes=minutes, seconds=seconds, microseconds=int((fraction or "").ljust(6, "0"))
    )
    return _interval(datetime.timedelta(days=int(days or 0)) + (-time if sign else time))


def renderer_of(type_name: str) -> Renderer:
    """Return what makes the text of a column's values."""
    if type_name == "INTERVAL":
        return lambda value: None if value is None else _interval_of_text(value)
    if type_name.startswith("TIMESTAMP WITH TIME ZONE"):
        return lambda value: None if value is None else f"{_time(value)} UTC"
    return _render_text


def csv_line(values: Iterable[str | None]) -> str:
    """Return a line of Athena's result file: all in quotation marks, nothing for NULL."""
    cells = ('"' + value.replace('"', '""') + '"' if value is not None else "" for value in values)
    return ",".join(cells) + "\n"


def create_statement(table: dict[str, Any]) -> str:
    """Return the statement that makes a table or view, a line each part."""
    if table["kind"] == "VIRTUAL_VIEW":
        return f"CREATE VIEW {table['database']}.{table['name']} AS\n{table['view']}"
    lines = [f"CREATE EXTERNAL TABLE `{table['database']}.{table['name']}`(", *_columns(table["columns"])]
    if table["comment"]:
        lines.append(f"COMMENT {_text(table['comment'])}")
    if table["partitions"]:
        lines += ["PARTITIONED BY (", *_columns(table["partitions"])]
    lines += ["ROW FORMAT SERDE", f"  {_text(table['serde'])}"]
    if table["serde_properties"]:
        lines += ["WITH SERDEPROPERTIES (", *_pairs(table["serde_properties"])]
    lines += ["STORED AS INPUTFORMAT", f"  {_text(table['input_format'])}"]
    lines += ["OUTPUTFORMAT", f"  {_text(table['output_format'])}"]
    lines += ["LOCATION", f"  {_text(table['location'])}"]
    if table["properties"]:
        lines += ["TBLPROPERTIES (", *_pairs(table["properties"])]
    return "\n".join(lines)


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _columns(columns: list[dict[str, str]]) -> list[str]:
    shown = [
        f"  `{one['name']}` {one['type']}" + (f" COMMENT {_text(one['comment'])}" if one["comment"] else "")
        for one in columns
    ]
    return [*(f"{line}, " for line in shown[:-1]), f"{shown[-1]})"]


def _pairs(properties: dict[str, str]) -> list[str]:
    shown = [f"  {_text(name)}={_text(value)}" for name, value in sorted(properties.items())]
    return [*(f"{line}, " for line in shown[:-1]), f"{shown[-1]})"]


def described(table: dict[str, Any], *, is_full: bool) -> list[str]:
    """Return the lines of DESCRIBE: name, type and comment, padded and parted by tabs as Hive does."""
    columns = [*table["columns"], *table["partitions"]]
    lines = [_described_line(one["name"], one["type"], one["comment"]) for one in columns]
    if table["partitions"]:
        lines += [_described_line("", "", ""), _described_line("# Partition Information", "", "")]
        lines += [_described_line("# col_name", "data_type", "comment"), _described_line("", "", "")]
        lines += [_described_line(one["name"], one["type"], one["comment"]) for one in table["partitions"]]
    if is_full:
        details = {
            "Database:": table["database"],
            "Location:": table["location"],
            "Table Type:": table["kind"],
        }
        details["SerDe Library:"] = table["serde"]
        lines += ["\t\t", _described_line("# Detailed Table Information", "", "")]
        lines += [_described_line(name, value, "") for name, value in details.items()]
    return lines


def _described_line(*parts: str) -> str:
    return "\t".join(part.ljust(20) for part in parts)
