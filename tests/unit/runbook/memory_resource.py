"""A resource that lives in memory and behaves like AWS's: ids of its own, and failures on demand."""

from __future__ import annotations

import itertools

from idc_aws.changes import Action, WriteResult
from idc_aws.errors import WriteFailedError
from idc_aws.resource import Existing


class MemoryResource:
    by_hand = False
    derived_fields = ()

    def __init__(self, kind="thing", states=None, *, fail_on=None, refused=False):
        self.kind = kind
        self.states = {}
        self.ids = {}
        self.calls = []
        self.fail_on = fail_on
        self.refused = refused
        self.fails_with = WriteFailedError
        self.used = {}
        self.no_way_back = {}
        self._renamed = {}
        self._numbers = itertools.count(1)
        for key, state in (states or {}).items():
            self._put(key, state)

    def _put(self, key, state):
        if key not in self.ids:
            self.ids[key] = f"{self.kind}-{next(self._numbers)}"
        self.states[key] = {name: value for name, value in state.items() if value is not None}

    def read(self, keys):
        return {key: dict(self.states[key]) for key in keys if key in self.states}

    def identifiers(self, keys):
        return {key: self.ids[key] for key in keys if key in self.states}

    def existing(self, keys):
        return {key: Existing(self.ids[key], state) for key, state in self.read(keys).items()}

    def read_by_identifier(self, named):
        return {pair: state for pair in named if (state := self._renamed.get(pair[1])) is not None}

    def uses(self, named, ours, *, again=False):
        found = {one: [use for use in self.used.get(one, ()) if use.name not in ours] for one in named}
        return {one: tuple(uses) for one, uses in found.items() if uses}

    def irreversible(self, change):
        return self.no_way_back

    def write_all(self, changes, on_start):
        for change in changes:
            on_start(change)
            if change.key == self.fail_on:
                error = self.fails_with(f"{change.key!r} failed")
                error.nothing_written = self.refused
                raise error
            self.calls.append((change.action.value, change.key))
            if change.action is Action.DELETE:
                identifier = self.ids.pop(change.key)
                del self.states[change.key]
            else:
                self._put(change.key, change.after)
                identifier = self.ids[change.key]
            yield change, WriteResult(identifier, (f"request-{len(self.calls)}",))
