"""Hive's types, as a table's definition has them: read, and said as DuckDB's, spelled as in JSON records."""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from idc_sandbox.athena.kinds import ddl_failed

_SIMPLE = {
    exp.DType.TEXT: ("string", "VARCHAR"),
    exp.DType.VARCHAR: ("varchar", "VARCHAR"),
    exp.DType.CHAR: ("char", "VARCHAR"),
    exp.DType.TINYINT: ("tinyint", "TINYINT"),
    exp.DType.SMALLINT: ("smallint", "SMALLINT"),
    exp.DType.INT: ("int", "INTEGER"),
    exp.DType.BIGINT: ("bigint", "BIGINT"),
    exp.DType.FLOAT: ("float", "FLOAT"),
    exp.DType.DOUBLE: ("double", "DOUBLE"),
    exp.DType.BOOLEAN: ("boolean", "BOOLEAN"),
    exp.DType.TIMESTAMP: ("timestamp", "TIMESTAMP"),
    exp.DType.TIMESTAMPTZ: ("timestamp", "TIMESTAMP"),
    exp.DType.DATE: ("date", "DATE"),
    exp.DType.BINARY: ("binary", "BLOB"),
    exp.DType.VARBINARY: ("binary", "BLOB"),
}
# What a view's columns may be besides.
_AS_OTHERS = {
    exp.DType.INT128: "bigint",
    exp.DType.UBIGINT: "bigint",
    exp.DType.UINT: "bigint",
    exp.DType.USMALLINT: "int",
    exp.DType.UTINYINT: "smallint",
    exp.DType.JSON: "string",
    exp.DType.UUID: "string",
    exp.DType.TIME: "string",
    exp.DType.INTERVAL: "string",
    exp.DType.NULL: "string",
}


def plain_name(name: str) -> str:
    """Return a column's name in lower case; names go into statements, so odd ones are refused."""
    if not re.fullmatch(r"[\w@$-]{1,255}", name, re.ASCII):
        raise ddl_failed(
            f"FAILED: the name {name[:80]!r} of a column may have letters, digits, _, -, @ and $ only"
        )
    return name.lower()


def hive_type(kind: exp.DataType) -> str:
    """Return a type as Hive writes it, such as ``struct<arn:string>``; others are refused."""
    inner = kind.expressions
    if kind.this in _SIMPLE:
        numbers = [one.name for one in inner]
        name = _SIMPLE[kind.this][0]
        return f"{name}({','.join(numbers)})" if numbers and name in ("varchar", "char") else name
    if kind.this in _AS_OTHERS:
        return _AS_OTHERS[kind.this]
    if kind.this is exp.DType.DECIMAL:
        return f"decimal({','.join([one.name for one in inner] or ['10', '0'])})"
    if kind.this in (exp.DType.ARRAY, exp.DType.LIST) and len(inner) == 1:
        return f"array<{hive_type(inner[0])}>"
    if kind.this is exp.DType.MAP and len(inner) == 2:
        return f"map<{hive_type(inner[0])},{hive_type(inner[1])}>"
    if kind.this is exp.DType.STRUCT and inner:
        fields = (f"{plain_name(field.name)}:{hive_type(field.args['kind'])}" for field in inner)
        return f"struct<{','.join(fields)}>"
    raise ddl_failed(f"FAILED: ParseException: the type {kind.sql(dialect='hive')!r} is not one of Athena's")


def quoted(name: str) -> str:
    """Return a name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """Return a text as a literal of SQL, or NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


_TOKENS = re.compile(r"[<>:,]|\([^)]*\)|[^<>:,()]+")


class HiveType:
    """A type of a table's column, read from its text."""

    def __init__(self, name: str, fields: dict[str, HiveType], numbers: str = "") -> None:
        self.name = name  # "struct", "array", "map" or that of a simple type
        self.fields = fields  # of a struct by name; of an array `element`; of a map `key` and `value`
        self.numbers = numbers

    def in_duckdb(self) -> str:
        """Return the type as DuckDB writes it."""
        inner = [one.in_duckdb() for one in self.fields.values()]
        match self.name:
            case "array":
                return f"{inner[0]}[]"
            case "map":
                return f"MAP({inner[0]}, {inner[1]})"
            case "struct":
                named = zip(self.fields, inner, strict=True)
                return "STRUCT(" + ", ".join(f"{quoted(name)} {kind}" for name, kind in named) + ")"
            case "decimal":
                return f"DECIMAL{self.numbers}"
        return _IN_DUCKDB.get(self.name, "VARCHAR")


_IN_DUCKDB = dict(_SIMPLE.values()) | {"integer": "INTEGER", "real": "FLOAT"}


def read_type(text: str) -> HiveType:
    """Return a type from its text."""
    tokens = [token.strip() for token in _TOKENS.findall(text.strip()) if token.strip()]
    made, _ = _read(tokens, 0)
    return made


def _read(tokens: list[str], at: int) -> tuple[HiveType, int]:
    name, at = tokens[at].lower(), at + 1
    numbers = ""
    fields: dict[str, HiveType] = {}
    if at < len(tokens) and tokens[at].startswith("("):
        numbers, at = tokens[at], at + 1
    if at < len(tokens) and tokens[at] == "<":
        labels = {"array": ["element"], "map": ["key", "value"]}.get(name)
        while tokens[at] != ">":
            at += 1
            if labels is None:
                label, at = tokens[at], at + 2  # its name and a colon
            else:
                label = labels[len(fields)]
            fields[label], at = _read(tokens, at)
        at += 1
    return HiveType(name, fields, numbers), at


def duckdb_type(text: str) -> str:
    """Return DuckDB's type for one of Hive's."""
    return read_type(text).in_duckdb()


# How the keys of JSON records are spelled: tables have them in lower case, DuckDB wants them as they are.

_LONGEST_SAMPLE = 500_000
_MOST_RECORDS = 2_000
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_CLOUDTRAIL = """
    eventVersion userIdentity type principalId arn accountId invokedBy accessKeyId userName
    onBehalfOf userId identityStoreArn credentialId sessionContext attributes mfaAuthenticated
    creationDate sessionIssuer ec2RoleDelivery webIdFederationData federatedProvider inScopeOf
    sourceArn sourceAccount issuerType credentialsIssuedTo assumedRoot signInSessionArn eventTime
    eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage
    requestParameters responseElements additionalEventData requestID eventID readOnly resources ARN
    eventType apiVersion managementEvent recipientAccountId serviceEventDetails sharedEventID
    vpcEndpointId vpcEndpointAccountId eventCategory addendum reason updatedFields originalRequestID
    originalEventID sessionCredentialFromConsole edgeDeviceDetails tlsDetails tlsVersion cipherSuite
    clientProvidedHostHeader insightDetails eventContext
"""
CLOUDTRAIL_SPELLING = {name.lower(): name for name in _CLOUDTRAIL.split() if name not in ("ARN", "arn")}


@dataclass(frozen=True)
class Spelling:
    """The keys of a record, or of a struct inside, by their names in lower case."""

    keys: dict[str, str]
    inside: dict[str, Spelling]


def sample_records(text: bytes | mmap.mmap) -> list[dict[str, Any]]:
    """Return the first records of a JSON array, or of a text with a record on each line."""
    return list(_records(text[:_LONGEST_SAMPLE].decode("utf-8", "ignore")))[:_MOST_RECORDS]


def _records(text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    between = re.compile(r"[\s,\[]*")
    for _ in range(_MOST_RECORDS):
        start = between.match(text, at)
        try:
            record, at = decoder.raw_decode(text, start.end() if start else at)
        except (ValueError, RecursionError):
            return
        if isinstance(record, dict):
            yield record


def spelling_of(
    kind: HiveType, samples: list[Any], text: bytes | mmap.mmap, known: Mapping[str, str]
) -> Spelling:
    """Return how a struct's fields are spelled: in samples, as they are known, or as the text has them."""
    counted: Counter[str] = Counter()
    for sample in samples:
        counted.update(list(sample))
    seen: dict[str, str] = {}
    for key, _ in counted.most_common():
        seen.setdefault(key.lower(), key)
    keys, inside = {}, {}
    missing = [name for name in kind.fields if name not in seen and name not in known]
    found = _in_text(missing, text)
    for name, field in kind.fields.items():
        keys[name] = seen.get(name) or known.get(name) or found.get(name, name)
        struct = _struct_of(field)
        if struct is not None:
            below = [item for sample in samples for item in _items(sample.get(keys[name]))]
            inside[name] = spelling_of(struct, below, text, known)
    return Spelling(keys, inside)


def _struct_of(kind: HiveType) -> HiveType | None:
    while kind.name in ("array", "map"):
        kind = list(kind.fields.values())[-1]
    return kind if kind.name == "struct" else None


def _items(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))
    elif isinstance(value, dict):
        yield value


def _in_text(names: list[str], text: bytes | mmap.mmap) -> dict[str, str]:
    if not names:
        return {}
    wanted = "|".join(re.escape(name) for name in names).encode()
    spelled: dict[str, str] = {}
    for match in re.finditer(rb'"(' + wanted + rb')"\s*:', text, re.IGNORECASE):
        key = match[1].decode("utf-8", "replace")
        spelled.setdefault(key.lower(), key)
        if len(spelled) == len(names):
            break
    return spelled


def spelled_type(kind: HiveType, spelling: Spelling | None) -> str:
    """Return DuckDB's type for a field whose keys are spelled so."""
    match kind.name:
        case "array":
            return f"{spelled_type(kind.fields['element'], spelling)}[]"
        case "map":
            return f"MAP({kind.fields['key'].in_duckdb()}, {spelled_type(kind.fields['value'], spelling)})"
        case "struct" if spelling is not None:
            fields = (
                f"{quoted(spelling.keys[name])} {spelled_type(field, spelling.inside.get(name))}"
                for name, field in kind.fields.items()
            )
            return f"STRUCT({', '.join(fields)})"
    return kind.in_duckdb()


def renamed(value: str, kind: HiveType, spelling: Spelling | None = None, depth: int = 0) -> str:
    """Return SQL for a value with a type's fields alone, named as there; DuckDB's casts leave the others."""
    if kind.name == "array":
        item = f"x{depth}"
        inner = renamed(item, kind.fields["element"], spelling, depth + 1)
        return value if inner == item else f"list_transform({value}, lambda {item}: {inner})"
    if kind.name != "struct":
        return value
    fields = {}
    for name, field in kind.fields.items():
        key, inside = (name, None) if spelling is None else (spelling.keys[name], spelling.inside.get(name))
        fields[name] = renamed(f"{value}.{quoted(key)}", field, inside, depth)
    packed = ", ".join(f"{quoted(name)}: {inner}" for name, inner in fields.items())
    return f"CASE WHEN {value} IS NOT NULL THEN {{{packed}}} END"
