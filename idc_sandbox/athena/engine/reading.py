"""An object of S3 made into columns: once, as a Parquet file that later queries read."""

from __future__ import annotations

import hashlib
import json
import mmap
import re
import zlib
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import duckdb

from idc_sandbox.athena.engine.partitions import SourceObject
from idc_sandbox.athena.engine.types import (
    CLOUDTRAIL_SPELLING,
    HiveType,
    duckdb_type,
    literal,
    quoted,
    read_type,
    renamed,
    sample_records,
    spelled_type,
    spelling_of,
)
from idc_sandbox.athena.kinds import BAD_DATA, QueryFailedError, not_supported, out_of_memory

PATH = "$path"
_FORM = 1  # of the files: another number makes all of them anew
_LARGEST = 1024**3
_RECORDS = re.compile(rb'\s*\{\s*"Records"\s*:\s*(?=\[)')
_END = re.compile(rb"\]\s*\}\s*\Z")
_GZIP = b"\x1f\x8b"
_PIECE = 1024**2


def form_of(table: dict[str, Any]) -> str:
    """Return how a table's objects are written: cloudtrail, json, opencsv, text or parquet."""
    serde, form = table["serde"], table["input_format"]
    if form.endswith("CloudTrailInputFormat") or serde.endswith("CloudTrailSerde"):
        return "cloudtrail"
    if serde.endswith((".JsonSerDe", ".JsonSerde")):
        return "json"
    if serde.endswith("OpenCSVSerde"):
        return "opencsv"
    if serde.endswith("ParquetHiveSerDe"):
        return "parquet"
    if serde.endswith("LazySimpleSerDe"):
        return "text"
    raise not_supported(
        f"HIVE_UNSUPPORTED_FORMAT: the sandbox does not read the SerDe {serde!r}; it reads CloudTrail, JSON, "
        "CSV and Parquet"
    )


def cached_name(table: dict[str, Any], source: SourceObject) -> str:
    """Return the name of the file that holds an object as this table sees it."""
    shape = [table[part] for part in ("columns", "partitions", "serde", "serde_properties", "input_format")]
    header = table["properties"].get("skip.header.line.count")
    about = [_FORM, source.bucket, source.key, source.etag, source.size, source.values, header, *shape]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest() + ".parquet"


class Converter:
    """Makes Parquet files of a table's objects; what it needs for a moment lies in a folder."""

    def __init__(self, table: dict[str, Any], folder: Path) -> None:
        self._table = table
        self._folder = folder
        self._form = form_of(table)
        self._types = {column["name"]: read_type(column["type"]) for column in table["columns"]}

    def convert(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: SourceObject,
        raw: Path,
        target: Path,
        wanted: dict[str, HiveType] | None = None,
    ) -> None:
        """Make the file of an object, with all columns or what is wanted of them; the raw one is deleted."""
        made = self._folder / f"{target.name}.new"
        text = self._folder / f"{target.name}.text"
        try:
            types = self._types if wanted is None else wanted
            # What is for one query is not made small.
            compression = "zstd" if wanted is None else "snappy"
            columns, origin = self._selection(connection, raw, text, types)
            constants = [
                f"TRY_CAST({literal(value)} AS {duckdb_type(column['type'])}) AS {quoted(column['name'])}"
                for column, value in zip(self._table["partitions"], source.values, strict=True)
            ]
            path = f"{literal(source.address)} AS {quoted(PATH)}"
            listed = ", ".join([*columns, *constants, path])
            connection.execute(
                f"COPY (SELECT {listed} FROM {origin}) TO {literal(str(made))}"  # noqa: S608
                f" (FORMAT parquet, COMPRESSION {compression})"
            )
            made.replace(target)
        except (duckdb.OutOfMemoryException, MemoryError):
            raise out_of_memory() from None
        except duckdb.Error as error:
            raise _bad_data(error, source) from None
        finally:
            for path_left in (raw, text, made):
                path_left.unlink(missing_ok=True)

    def _selection(
        self, connection: duckdb.DuckDBPyConnection, raw: Path, text: Path, types: dict[str, HiveType]
    ) -> tuple[list[str], str]:
        """Return the columns and where they come from; `text` is written where the raw bytes will not do."""
        if self._form == "parquet":
            return self._of_parquet(connection, raw, types)
        _unpack(raw, text)
        if self._form not in ("cloudtrail", "json"):
            return self._of_csv(text, types)
        if not text.stat().st_size:
            text.write_bytes(b"[]" if self._form == "cloudtrail" else b"\n")
        elif self._form == "cloudtrail":
            _leave_array_of_records(text)
        return self._of_json(text, types)

    def _of_json(self, text: Path, types: dict[str, HiveType]) -> tuple[list[str], str]:
        is_trail = self._form == "cloudtrail"
        # Of records nothing can be read but some column of theirs.
        read = types or dict(list(self._types.items())[:1])
        record = HiveType("struct", read)
        known = dict(CLOUDTRAIL_SPELLING) if is_trail else {}
        properties = self._table["serde_properties"]
        with _mapped(text) as data:
            spelling = spelling_of(record, sample_records(data), data, known)
        for name in read:
            spelling.keys[name] = properties.get(f"mapping.{name}", spelling.keys[name])
        shown = ", ".join(
            f"{literal(spelling.keys[name])}: {literal(spelled_type(kind, spelling.inside.get(name)))}"
            for name, kind in read.items()
        )
        form = "array" if is_trail else "newline_delimited"
        lenient = str(properties.get("ignore.malformed.json", "")).lower() == "true" and not is_trail
        # One record, however large, must fit into the reader's buffer.
        largest = 64 * 1024 * 1024
        origin = (
            f"read_json({literal(str(text))}, format = '{form}', columns = {{{shown}}}, compression = "
            f"'uncompressed', maximum_object_size = {largest}, ignore_errors = {str(lenient).lower()}, "
            "records = 'true')"
        )
        columns = [
            f"{renamed(quoted(spelling.keys[name]), kind, spelling.inside.get(name))} AS {quoted(name)}"
            for name, kind in types.items()
        ]
        return columns, origin

    def _of_csv(self, text: Path, types: dict[str, HiveType]) -> tuple[list[str], str]:
        properties, is_open = self._table["serde_properties"], self._form == "opencsv"
        delimiter = properties.get("separatorChar" if is_open else "field.delim", "," if is_open else "\x01")
        quote = properties.get("quoteChar", '"') if is_open else ""
        escape = properties.get("escapeChar" if is_open else "escape.delim", "\\" if is_open else "")
        header = self._table["properties"].get("skip.header.line.count", "0")
        # OpenCSVSerde knows no NULL: an empty text stays one, and is no number.
        null = "\x00" if is_open else properties.get("serialization.null.format", "\\N")
        shown = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self._types)
        origin = (
            f"read_csv({literal(str(text))}, auto_detect = false, header = false, columns = {{{shown}}}, "
            f"delim = {literal(delimiter)}, quote = {literal(quote)}, escape = {literal(escape)}, "
            f"skip = {int(header) if header.isdecimal() else 0}, null_padding = true, strict_mode = false, "
            f"nullstr = {literal(null)}, compression = 'none', max_line_size = 4194304)"
        )
        delimiters = [properties.get("collection.delim", "\x02"), properties.get("mapkey.delim", "\x03")]
        columns = [
            f"{_from_text(quoted(name), kind, delimiters, is_strict=is_open)} AS {quoted(name)}"
            for name, kind in types.items()
        ]
        return columns, origin

    def _of_parquet(
        self, connection: duckdb.DuckDBPyConnection, raw: Path, types: dict[str, HiveType]
    ) -> tuple[list[str], str]:
        origin = f"read_parquet({literal(str(raw))})"
        described = connection.execute(f"DESCRIBE SELECT * FROM {origin}").fetchall()  # noqa: S608
        present = {row[0].lower() for row in described}
        columns = [
            (
                f"CAST({quoted(name)} AS {kind.in_duckdb()})"
                if name in present
                else f"NULL::{kind.in_duckdb()}"
            )
            + f" AS {quoted(name)}"
            for name, kind in types.items()
        ]
        return columns, origin


def _from_text(value: str, kind: HiveType, delimiters: list[str], *, is_strict: bool) -> str:
    """Return SQL that reads a column's value from the text that LazySimpleSerDe or OpenCSVSerde has of it."""
    inner = list(kind.fields.values())
    if not inner:
        return f"{'CAST' if is_strict else 'TRY_CAST'}({value} AS {kind.in_duckdb()})"
    if is_strict or any(one.fields for one in inner):
        raise not_supported(
            f"HIVE_UNSUPPORTED_FORMAT: the sandbox does not read {kind.in_duckdb()} from text; use JSON or "
            "Parquet"
        )
    between, of_key = map(literal, delimiters)
    items = f"string_split({value}, {between})"
    if kind.name == "array":
        return f"list_transform({items}, lambda one: TRY_CAST(one AS {inner[0].in_duckdb()}))"
    if kind.name == "map":
        pair = (
            f"row(CAST(split_part(one, {of_key}, 1) AS {inner[0].in_duckdb()}), "
            f"TRY_CAST(nullif(split_part(one, {of_key}, 2), '') AS {inner[1].in_duckdb()}))"
        )
        present = f"list_filter({items}, lambda one: one <> '')"
        return f"map_from_entries(list_transform({present}, lambda one: {pair}))"
    fields = ", ".join(
        f"{quoted(name)}: TRY_CAST({items}[{number}] AS {field.in_duckdb()})"
        for number, (name, field) in enumerate(kind.fields.items(), start=1)
    )
    return f"CASE WHEN {value} IS NOT NULL THEN {{{fields}}} END"


def _unpack(raw: Path, text: Path) -> None:
    """Write the bytes of an object, unpacked, piece by piece; one that unpacks without an end is refused."""
    with raw.open("rb") as source:
        data = source.read(_PIECE)
        if not data.startswith(_GZIP):
            raw.rename(text)
            return
        with text.open("wb", buffering=0) as target:
            while data.startswith(_GZIP):
                data = _unpack_member(source, data, target)


def _unpack_member(source: BinaryIO, data: bytes, target: FileIO) -> bytes:
    """Write one of the texts that a gzip object is made of; return the bytes behind it that were read."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        while not unpacker.eof:
            target.write(unpacker.decompress(data, _PIECE))
            if target.tell() > _LARGEST:
                raise out_of_memory()
            data = unpacker.unconsumed_tail or (b"" if unpacker.eof else source.read(_PIECE))
            if not (data or unpacker.eof):
                raise QueryFailedError("HIVE_BAD_DATA: a gzip object ends too early", BAD_DATA)
    except zlib.error as error:
        raise QueryFailedError(f"HIVE_BAD_DATA: a gzip object is damaged: {error}", BAD_DATA) from None
    return unpacker.unused_data + source.read(_PIECE)


def _mapped(text: Path) -> mmap.mmap:
    with text.open("r+b") as file:
        return mmap.mmap(file.fileno(), 0)


def _leave_array_of_records(text: Path) -> None:
    """Blank out what is around the array of ``{"Records": […]}``: DuckDB reads an array record by record."""
    with _mapped(text) as data:
        last = len(data) - min(len(data), 64)
        begin, end = _RECORDS.match(data), _END.search(data[last:])
        if begin is not None and end is not None:
            data[: begin.end()] = b" " * begin.end()
            data[last + end.start() + 1 :] = b" " * (len(data) - last - end.start() - 1)
            return
        whole = data[:]
    try:
        records = json.loads(whole)["Records"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise QueryFailedError(
            'HIVE_BAD_DATA: an object is not of the form {"Records": […]} of CloudTrail', BAD_DATA
        ) from None
    text.write_bytes(json.dumps(records).encode())


def _bad_data(error: duckdb.Error, source: SourceObject) -> QueryFailedError:
    said = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", str(error).partition("\n")[0])
    said = re.sub(r'\s*(?:in file )?"?/[^"\s]*"?', "", said)
    return QueryFailedError(f"HIVE_BAD_DATA: {source.address}: {said}", BAD_DATA)
