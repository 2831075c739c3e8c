"""botocore's service models, read without botocore's code: they check requests and shape answers."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from idc_sandbox.errors import validation_error

if TYPE_CHECKING:
    import regex


class Shape:
    """A type of a model, with what a reference to it adds."""

    def __init__(self, reference: dict[str, Any], shapes: dict[str, Any]) -> None:
        self._model = {**shapes[reference["shape"]], **reference}
        self._shapes = shapes
        self.name: str = reference["shape"]
        self.type_name: str = self._model["type"]
        self.required_members: list[str] = self._model.get("required", [])
        self.is_document_type: bool = self._model.get("document", False)  # any JSON
        self.is_tagged_union: bool = self._model.get("union", False)  # exactly one member is given
        self.is_sensitive: bool = self._model.get("sensitive", False)  # no log may hold it
        self.is_plain = self.is_document_type or self.type_name not in ("structure", "list", "map")
        self.serializer: Callable[[Any], Any] | None = None
        traits = ("required", "min", "max", "pattern", "enum", "error")
        self.metadata = {trait: self._model[trait] for trait in traits if trait in self._model}
        places = {"location": self._model.get("location"), "name": self._model.get("locationName")}
        places["payload"] = self._model.get("payload")  # the member that is the whole body
        self.serialization: dict[str, str] = {
            key: value for key, value in places.items() if value is not None
        }

    @functools.cached_property
    def members(self) -> dict[str, Shape]:
        """The members of a structure by name, in the model's order; none of other types."""
        return {name: Shape(part, self._shapes) for name, part in self._model.get("members", {}).items()}

    @functools.cached_property
    def member(self) -> Shape:
        """The type of a list's items."""
        return Shape(self._model["member"], self._shapes)

    @functools.cached_property
    def key(self) -> Shape:
        """The type of a map's keys."""
        return Shape(self._model["key"], self._shapes)

    @functools.cached_property
    def value(self) -> Shape:
        """The type of a map's values."""
        return Shape(self._model["value"], self._shapes)


class OperationModel:
    """An operation of a service; None stands for the shape of nothing to say or answer."""

    def __init__(self, name: str, model: dict[str, Any], shapes: dict[str, Any]) -> None:
        self.name = name
        self.http: dict[str, Any] = model["http"]
        self.auth_type: str | None = model.get("authtype")
        self.input_shape = Shape(model["input"], shapes) if "input" in model else None
        self.output_shape = Shape(model["output"], shapes) if "output" in model else None
        self.error_shapes = [Shape(reference, shapes) for reference in model.get("errors", [])]


class ServiceModel:
    """A service's operations and types."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._operations: dict[str, Any] = description["operations"]
        self._shapes: dict[str, Any] = description["shapes"]
        self._models: dict[str, OperationModel] = {}
        self.operation_names = list(self._operations)
        self.signature_version: str = description["metadata"]["signatureVersion"]  # such as "v4", "bearer"

    def operation_model(self, name: str) -> OperationModel:
        """Return an operation; KeyError when the service has none of this name."""
        if name not in self._models:
            self._models[name] = OperationModel(name, self._operations[name], self._shapes)
        return self._models[name]

    def shape_for(self, name: str, more_shapes: Mapping[str, Any] = MappingProxyType({})) -> Shape:
        """Return a type by its name, of the model or of more shapes; KeyError when there is none."""
        return Shape({"shape": name}, {**self._shapes, **more_shapes})


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


_NUMBERS = ("integer", "long", "float", "double", "timestamp")
_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "list": list,
    "map": dict,
    "structure": dict,
}


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str]:
    import regex  # noqa: PLC0415  the first request that has a pattern waits for it, not the start

    # The models are written for Java: anchors are fullmatch's, and \w, \d and \s are ASCII. Where a pattern
    # means letters of all scripts it says \p{L}, which the flag would narrow as well.
    # Java writes a character beyond the first plane as two halves.
    pattern = pattern.replace("\\uD800\\uDC00-\\uDBFF\\uDFFF", "\\U00010000-\\U0010FFFF")
    return regex.compile(pattern, 0 if "\\p{" in pattern else regex.ASCII)


def validate_request(operation: OperationModel, request: Any) -> None:
    """Hold a request against an operation's input shape."""
    if operation.input_shape is not None:
        refuse_violations(violations(operation.input_shape, request, ""))


def refuse_violations(problems: list[str]) -> None:
    """Refuse a request for what is wrong with it, if anything is."""
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise validation_error(f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}")


def violations(shape: Shape, value: Any, path: str) -> list[str]:
    """Return how a value breaks its shape, in AWS's wording; empty when it does not."""
    problems: list[str] = []
    _check(shape, value, path, problems)
    return problems


def _check(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    if shape.is_document_type:
        return
    is_of_type: bool = isinstance(value, _JSON_TYPES.get(shape.type_name, object))
    if not is_of_type or (isinstance(value, bool) and shape.type_name in _NUMBERS):
        problems.append(
            f"{_named(shape, repr(value))} at '{path or 'body'}' must be of type {shape.type_name}"
        )
        return
    match shape.type_name:
        case "structure":
            _check_structure(shape, value, path, problems)
        case "list":
            _check_length(shape, value, path, problems)
            for index, item in enumerate(value, start=1):
                _check(shape.member, item, f"{path}.{index}.member", problems)
        case "map":
            _check_length(shape, value, path, problems)
            for key, item in value.items():
                _check(shape.key, key, f"{path}.key", problems)
                _check(shape.value, item, f"{path}.{key}", problems)
        case "string":
            _check_length(shape, value, path, problems)
            _check_text(shape, value, path, problems)
        case "integer" | "long" | "float" | "double":
            _check_range(shape, value, f"Value '{value}' at '{path}' must have value", problems)


def _check_structure(shape: Shape, value: dict[str, Any], path: str, problems: list[str]) -> None:
    for name in shape.required_members:
        if value.get(name) is None:
            problems.append(f"Value null at '{_join(path, name)}' must not be null")
    for name, member_value in value.items():
        if name in shape.members and member_value is not None:
            _check(shape.members[name], member_value, _join(path, name), problems)
    given = [name for name in shape.members if value.get(name) is not None]
    if shape.is_tagged_union and len(given) != 1:
        problems.append(
            f"Value at '{path}' must have exactly one of {', '.join(shape.members)}, found {given or 'none'}"
        )


def _check_text(shape: Shape, value: str, path: str, problems: list[str]) -> None:
    enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    said = _named(shape, f"'{value}'")
    failed = f"{said} at '{path}' failed to satisfy constraint: Member must satisfy"
    if enum and value not in enum:
        problems.append(f"{failed} enum value set: [{', '.join(enum)}]")
    if pattern and not _compiled(pattern).fullmatch(value):
        problems.append(f"{failed} regular expression pattern: {pattern}")


def _named(shape: Shape, shown: str) -> str:
    """Return how a refusal, which logs and the trail keep, names a value."""
    return "Value" if shape.is_sensitive else f"Value {shown}"


def _check_length(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    _check_range(
        shape, len(value), f"{_named(shape, shown)} at '{path}' must have length", problems, " (has {})"
    )


def _check_range(shape: Shape, number: float, rule: str, problems: list[str], found: str = "") -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and number < low:
        problems.append(f"{rule} greater than or equal to {low}")
    if high is not None and number > high:
        problems.append(f"{rule} less than or equal to {high}{found.format(number)}")


def _join(path: str, name: str) -> str:
    # AWS names members in lower camel case in its validation messages.
    member = name[:1].lower() + name[1:]
    return f"{path}.{member}" if path else member


def serialize(shape: Shape | None, value: Any) -> Any:
    """Return a handler's answer as JSON types: unset members dropped."""
    if shape is None:
        return {}
    return value if shape.is_plain or value is None else _serializer(shape)(value)


def _serializer(shape: Shape) -> Callable[[Any], Any]:
    """Return what serializes a shape's values, made once: an answer may have a hundred users."""
    if shape.serializer is None:
        shape.serializer = _make_serializer(shape)
    return shape.serializer


def _make_serializer(shape: Shape) -> Callable[[Any], Any]:
    match shape.type_name:
        case "structure":
            members = shape.members
            plain = frozenset(name for name, member in members.items() if member.is_plain)

            def structure(value: dict[str, Any]) -> dict[str, Any]:
                if plain.issuperset(value) and None not in value.values():
                    return value
                return {
                    name: item if name in plain else _serializer(members[name])(item)
                    for name, item in value.items()
                    if item is not None
                }

            return structure
        case "list":
            member = shape.member
            return lambda value: [serialize(member, item) for item in value]
        case _:
            inner = shape.value
            return lambda value: {key: serialize(inner, item) for key, item in value.items()}
