"""An import that takes seconds and that hardly anybody needs, put off until somebody does."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def put_off_import(name: str, *functions: str) -> None:
    """Let ``import`` of a module, and ``from … import`` of its functions, return at once; a call imports it.

    Parameters
    ----------
    name
        Of a module outside of any package. One that is imported already, or not installed, is left alone.
    functions
        What others import from it.

    Notes
    -----
    jsonschema, and so all that reads notebooks, imports ``rfc3987_syntax`` for a format that no notebook
    uses, and that builds a grammar for 2.5 s.
    """
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
