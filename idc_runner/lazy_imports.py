"""An import that takes seconds and that hardly anybody needs, put off until somebody does."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def put_off_import(name: str, *functions: str) -> None:
    """Let ``import`` of a module, and of its functions from it, return at once; a call imports it."""
    if name in sys.modules or importlib.util.find_spec(name) is None:
        return
    placeholder = ModuleType(
        name, "Stands in for the module of its name until one of its functions is called."
    )

    def real_attribute(attribute: str) -> Any:
        if attribute.startswith("__"):  # the import system asks for these
            raise AttributeError(attribute)
        if sys.modules.get(name) is placeholder:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    def deferred(function: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            return real_attribute(function)(*arguments, **options)

        return call

    placeholder.__getattr__ = real_attribute  # type: ignore[method-assign]
    for function in functions:
        setattr(placeholder, function, deferred(function))
    sys.modules[name] = placeholder


def put_off_slow_imports() -> None:
    """Put off what is known to be slow and of no use here."""
    put_off_import("rfc3987_syntax", "is_valid_syntax")
