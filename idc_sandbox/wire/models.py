"""botocore's service models: requests held against them, and answers shaped by them.

botocore checks required members and types before it sends, but neither lengths, patterns, enums nor ranges:
AWS does that at the other end, and so do we. An operation's handler is then left with its rules and nothing
else.
"""

from __future__ import annotations

import datetime
import functools
import gzip
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idc_sandbox.errors import validation_error

if TYPE_CHECKING:
    import regex


# botocore's service models, read without botocore's code.

_METADATA = ("required", "min", "max", "pattern", "enum", "error", "exception", "document", "union")


class Shape:
    """A type of a model: a scalar here, the others in its subclasses."""

    def __init__(self, name: str, model: dict[str, Any], shapes: dict[str, Any]) -> None:
        self.name = name
        self.type_name: str = model["type"]
        self.metadata = {trait: model[trait] for trait in _METADATA if trait in model}
        self.serialization: dict[str, str] = {}
        if "location" in model:
            self.serialization["location"] = model["location"]
        if "locationName" in model:
            self.serialization["name"] = model["locationName"]
        self.required_members: list[str] = model.get("required", [])
        self._model = model
        self._shapes = shapes

    def _resolve(self, part: str) -> Shape:
        return _shape(self._model[part], self._shapes)


class StructureShape(Shape):
    """A type with members."""

    @functools.cached_property
    def members(self) -> dict[str, Shape]:
        """The members' types by name, in the model's order."""
        return {name: _shape(part, self._shapes) for name, part in self._model.get("members", {}).items()}

    @property
    def is_document_type(self) -> bool:
        """Whether it holds any JSON."""
        return bool(self.metadata.get("document"))

    @property
    def is_tagged_union(self) -> bool:
        """Whether exactly one member is given."""
        return bool(self.metadata.get("union"))


class ListShape(Shape):
    """A list of values of one type."""

    @functools.cached_property
    def member(self) -> Shape:
        """The items' type."""
        return self._resolve("member")


class MapShape(Shape):
    """A mapping from values of one type to values of another."""

    @functools.cached_property
    def key(self) -> Shape:
        """The keys' type."""
        return self._resolve("key")

    @functools.cached_property
    def value(self) -> Shape:
        """The values' type."""
        return self._resolve("value")


_SHAPE_OF_TYPE: dict[str, type[Shape]] = {"structure": StructureShape, "list": ListShape, "map": MapShape}


def _shape(reference: dict[str, Any], shapes: dict[str, Any]) -> Shape:
    """Return the type that a reference names, with what the reference adds to it."""
    model = {**shapes[reference["shape"]], **reference}
    return _SHAPE_OF_TYPE.get(model["type"], Shape)(reference["shape"], model, shapes)


class OperationModel:
    """An operation of a service."""

    def __init__(self, name: str, model: dict[str, Any], shapes: dict[str, Any]) -> None:
        self.name = name
        self.http: dict[str, Any] = model["http"]
        self.auth_type: str | None = model.get("authtype")
        self._model = model
        self._shapes = shapes

    @functools.cached_property
    def input_shape(self) -> StructureShape | None:
        """The request's type, or None when there is nothing to say."""
        return self._structure("input")

    @functools.cached_property
    def output_shape(self) -> StructureShape | None:
        """The answer's type, or None when there is nothing to answer."""
        return self._structure("output")

    @functools.cached_property
    def error_shapes(self) -> list[Shape]:
        """The errors that the operation models."""
        return [_shape(reference, self._shapes) for reference in self._model.get("errors", [])]

    def _structure(self, part: str) -> StructureShape | None:
        shape = _shape(self._model[part], self._shapes) if part in self._model else None
        return shape if isinstance(shape, StructureShape) else None


class ServiceModel:
    """A service's operations and types."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._operations: dict[str, Any] = description["operations"]
        self._shapes: dict[str, Any] = description["shapes"]
        self._models: dict[str, OperationModel] = {}
        self.operation_names = list(self._operations)

    def operation_model(self, name: str) -> OperationModel:
        """Return an operation; KeyError when the service has none of this name."""
        model = self._models.get(name)
        if model is None:
            model = self._models[name] = OperationModel(name, self._operations[name], self._shapes)
        return model

    def shape_for(self, name: str) -> Any:
        """Return a type by its name, a `Shape` of whatever kind; KeyError when there is none."""
        return _shape({"shape": name}, self._shapes)


@functools.cache
def service_model(service_name: str) -> ServiceModel:
    """Return the newest model of a service, such as ``"sso-admin"``; parsed once."""
    files = sorted(
        file for folder in data_folders() for file in folder.glob(f"{service_name}/*/service-2.json.gz")
    )
    if not files:
        raise LookupError(f"botocore has no service model {service_name!r}; install botocore again")
    return ServiceModel(json.loads(gzip.decompress(files[-1].read_bytes())))


@functools.cache
def region_names() -> frozenset[str]:
    """Return the names of the Regions of the partition ``aws``, such as ``"eu-west-1"``."""
    files = [file for folder in data_folders() for file in folder.glob("partitions.json")]
    partitions = json.loads(files[-1].read_bytes())["partitions"] if files else []
    regions = [name for partition in partitions if partition["id"] == "aws" for name in partition["regions"]]
    return frozenset(regions) - {"aws-global"}


def data_folders() -> list[Path]:
    """Return the folders of botocore's data, found and not imported."""
    package = importlib.util.find_spec("botocore")  # found, not imported
    return [Path(place) / "data" for place in (package.submodule_search_locations or () if package else ())]


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    import regex  # noqa: PLC0415  the first request that has a pattern waits for it, not the start

    # The models are written for Java: anchors are fullmatch's, and \w, \d and \s are ASCII. Where a pattern
    # means letters of all scripts it says \p{L}, which the flag would narrow as well.
    return regex.compile(pattern, 0 if "\\p{" in pattern else regex.ASCII)


def validate_request(operation: OperationModel, request: Any) -> None:
    """Hold a request against an operation's input shape."""
    problems: list[str] = []
    if operation.input_shape is not None:
        _check(operation.input_shape, request, "", problems)
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise validation_error(
            f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}", Reason=None
        )


def violations(shape: Shape, value: Any, path: str) -> list[str]:
    """Return how a value breaks its shape, in AWS's wording; empty when it does not.

    For values that reach their shape on a detour, such as the documents of an attribute operation.
    """
    problems: list[str] = []
    _check(shape, value, path, problems)
    return problems


def _check(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    if getattr(shape, "is_document_type", False):
        return
    allowed = _JSON_TYPES.get(shape.type_name)
    wrong_boolean = isinstance(value, bool) and shape.type_name in (
        "integer",
        "long",
        "float",
        "double",
        "timestamp",
    )
    if allowed and (not isinstance(value, allowed) or wrong_boolean):
        problems.append(f"Value {value!r} at '{path or 'body'}' must be of type {shape.type_name}")
        return
    _CHECK_OF_TYPE.get(shape.type_name, _check_nothing)(shape, value, path, problems)


def _check_nothing(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    """Types without further rules: booleans and timestamps."""


def _check_structure(shape: StructureShape, value: dict[str, Any], path: str, problems: list[str]) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            problems.append(f"Value null at '{_join(path, name)}' must not be null")
    for name, member_value in value.items():
        member = shape.members.get(name)
        if member is not None and member_value is not None:
            _check(member, member_value, _join(path, name), problems)
    given = [name for name in shape.members if value.get(name) is not None]
    if getattr(shape, "is_tagged_union", False) and len(given) != 1:
        problems.append(
            f"Value at '{path}' must have exactly one of {', '.join(shape.members)}, found {given or 'none'}"
        )


def _check_list(shape: ListShape, value: list[Any], path: str, problems: list[str]) -> None:
    _check_length(shape, len(value), value, path, problems)
    for index, item in enumerate(value, start=1):
        _check(shape.member, item, f"{path}.{index}.member", problems)


def _check_map(shape: MapShape, value: dict[str, Any], path: str, problems: list[str]) -> None:
    _check_length(shape, len(value), value, path, problems)
    for key, item in value.items():
        _check(shape.key, key, f"{path}.key", problems)
        _check(shape.value, item, f"{path}.{key}", problems)


def _check_string(shape: Shape, value: str, path: str, problems: list[str]) -> None:
    _check_length(shape, len(value), value, path, problems)
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        problems.append(
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(enum)}]"
        )
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        problems.append(
            f"Value '{value}' at '{path}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {pattern}"
        )


def _check_number(shape: Shape, value: float, path: str, problems: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        problems.append(f"Value '{value}' at '{path}' must have value greater than or equal to {low}")
    if high is not None and value > high:
        problems.append(f"Value '{value}' at '{path}' must have value less than or equal to {high}")


def _check_length(shape: Shape, length: int, value: Any, path: str, problems: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    if low is not None and length < low:
        problems.append(f"Value {shown} at '{path}' must have length greater than or equal to {low}")
    if high is not None and length > high:
        problems.append(
            f"Value {shown} at '{path}' must have length less than or equal to {high} (has {length})"
        )


_CHECK_OF_TYPE: dict[str, Any] = {
    "structure": _check_structure,
    "list": _check_list,
    "map": _check_map,
    "string": _check_string,
    "integer": _check_number,
    "long": _check_number,
    "float": _check_number,
    "double": _check_number,
}


def _join(path: str, name: str) -> str:
    # AWS names members in lower camel case in its validation messages.
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


def serialize(shape: Shape | None, value: Any) -> Any:
    """Return a handler's answer as JSON types: unset members dropped, times as epoch seconds."""
    if shape is None:
        return {}
    if getattr(shape, "is_document_type", False) or value is None:
        return value
    return _SERIALIZED.get(shape.type_name, _as_it_is)(shape, value)


def _structure(shape: StructureShape, value: dict[str, Any]) -> dict[str, Any]:
    return {name: serialize(shape.members[name], item) for name, item in value.items() if item is not None}


def _list(shape: ListShape, value: list[Any]) -> list[Any]:
    return [serialize(shape.member, item) for item in value]


def _map(shape: MapShape, value: dict[str, Any]) -> dict[str, Any]:
    return {key: serialize(shape.value, item) for key, item in value.items()}


def _timestamp(_shape: Shape, value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime.datetime) else value


def _as_it_is(_shape: Shape, value: Any) -> Any:
    return value


_SERIALIZED: dict[str, Any] = {"structure": _structure, "list": _list, "map": _map, "timestamp": _timestamp}
