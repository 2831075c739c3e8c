"""botocore's service models, read without botocore's code.

The models are data: JSON files in botocore's package. Its own classes for them bring its whole HTTP stack
along, which takes longer than everything else that a sandbox needs for its first answer. The words are the
same: what is read here can be looked up in ``botocore.model``.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
from pathlib import Path
from typing import Any

_METADATA = ("required", "min", "max", "pattern", "enum", "error", "exception", "document", "union")


class Shape:
    """A type of a model: a scalar here, the others in its subclasses.

    Attributes
    ----------
    name, type_name
        Such as ``"InstanceArn"`` and ``"string"``.
    metadata
        Its constraints: ``min``, ``max``, ``pattern``, ``enum``, ``required``, ``error``, …
    serialization
        Where it stands in a request: ``location``, and ``name`` when the wire has another one.
    """

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
    """An operation of a service.

    Attributes
    ----------
    http
        ``method`` and ``requestUri``.
    auth_type
        ``"none"`` for an operation that nobody signs, else usually None.
    """

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
    """A service's operations and types.

    Parameters
    ----------
    description
        The content of a ``service-2.json``.
    """

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
    """Return the newest model of a service, such as ``"sso-admin"``; parsed once.

    Raises
    ------
    LookupError
        When botocore is not installed or has no such service.
    """
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
