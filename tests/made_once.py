"""What libraries make anew for each call or client, though it is always the same: made once a worker."""

from __future__ import annotations

import functools
from typing import Any
from weakref import WeakKeyDictionary

import botocore.client
import botocore.endpoint_provider
import botocore.hooks
import botocore.httpsession
import pytest
import typer.testing


def make_once(patch: pytest.MonkeyPatch) -> None:
    """Keep Typer's commands, and botocore's names of events, client classes, rules and context of TLS."""
    patch.setattr(typer.testing, "_get_command", functools.cache(typer.testing._get_command))
    patch.setattr(botocore.hooks.EventAliaser, "_alias_event_name", _names_once())
    patch.setattr(botocore.endpoint_provider, "RuleSet", _rules_once())
    context = functools.cache(botocore.httpsession.create_urllib3_context)
    patch.setattr(botocore.httpsession, "create_urllib3_context", context)
    patch.setattr(botocore.client.ClientCreator, "_create_client_class", _classes_once())


def _names_once() -> Any:
    make = botocore.hooks.EventAliaser._alias_event_name
    names: dict[str, str] = {}

    def alias(self: Any, event_name: str) -> str:
        if event_name not in names:
            names[event_name] = make(self, event_name)
        return names[event_name]

    return alias


def _classes_once() -> Any:
    make = botocore.client.ClientCreator._create_client_class
    classes = WeakKeyDictionary[Any, dict[str, type]]()

    def create(self: Any, service_name: str, service_model: Any) -> type:
        of_session = classes.setdefault(self._event_emitter, {})
        if service_name not in of_session:
            of_session[service_name] = make(self, service_name, service_model)
        return of_session[service_name]

    return create


def _rules_once() -> Any:
    make = botocore.endpoint_provider.RuleSet
    made: dict[tuple[int, int], tuple[Any, ...]] = {}

    def rule_set(rules: Any, partitions: Any, **more: Any) -> Any:
        key = (id(rules), id(partitions))  # what is kept with it keeps these two apart from others
        if key not in made:
            made[key] = (make(rules=rules, partitions=partitions, **more), rules, partitions)
        return made[key][0]

    return rule_set
