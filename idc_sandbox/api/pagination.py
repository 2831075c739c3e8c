"""Pages of a list, as AWS cuts them.

A token names the last item of the page before it, so that items that come or go between two calls neither
repeat nor hide others; it is opaque to clients and bound to the operation that gave it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from idc_sandbox.errors import validation_error
from idc_sandbox.json_documents import parse_json

_Item = TypeVar("_Item")


def paginate(
    items: Iterable[_Item],
    *,
    operation_name: str,
    key: Callable[[_Item], str],
    request: dict[str, Any],
    maximum: int = 100,
) -> tuple[list[_Item], str | None]:
    """Return one page of items in the order of their keys, and the token of the next page or None.

    Parameters
    ----------
    items
        All items; keys are unique.
    request
        The operation's request; ``MaxResults`` and ``NextToken`` are read from it.
    maximum
        Items on a page when the request does not say.

    Raises
    ------
    ServiceError
        ``ValidationException`` for a token that this operation did not give.
    """
    ordered = sorted(items, key=key)
    last_key = _read_token(request.get("NextToken"), operation_name)
    if last_key is not None:
        ordered = [item for item in ordered if key(item) > last_key]
    size = min(int(request.get("MaxResults") or maximum), maximum)
    page = ordered[:size]
    token = _make_token(operation_name, key(page[-1])) if len(ordered) > size else None
    return page, token


def _make_token(operation_name: str, last_key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([operation_name, last_key]).encode()).decode()


def _read_token(token: str | None, operation_name: str) -> str | None:
    if not token:
        return None
    try:
        named_operation, last_key = parse_json(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        named_operation, last_key = None, None
    if named_operation != operation_name or not isinstance(last_key, str):
        raise validation_error(
            f"The NextToken {token[:40]!r} was not given by {operation_name}; start over without one."
        )
    return last_key
