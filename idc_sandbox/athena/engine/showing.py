"""What SHOW CREATE TABLE and DESCRIBE say of a table."""

from __future__ import annotations

from typing import Any


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
