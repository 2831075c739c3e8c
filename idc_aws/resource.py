"""The kinds of things on the target, all of one shape: read by name and by id, and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, ClassVar, NamedTuple, TypeVar

from botocore.exceptions import ClientError
from typing_extensions import override

from idc_aws.calls import Call, about_to_send, by_key, is_spreading, retry_conflicts
from idc_aws.changes import Action, Change, State, Use, WriteResult, format_uses, in_words
from idc_aws.connection import Connection
from idc_aws.errors import KitError, NotFoundError, WriteFailedError
from idc_aws.failures import failed_read, failed_write, is_refusal

T = TypeVar("T")


class Existing(NamedTuple):
    """A thing that is there: AWS's id or ARN of it, and its state."""

    identifier: str
    state: State


class Resource(ABC):
    """One kind of thing on the target; the only door through which runbooks read and write."""

    kind: ClassVar[str]
    derived_fields: ClassVar[Collection[str]] = ()
    """Fields of a state that nobody sets: they follow from others."""
    is_in_instance: ClassVar[bool] = True
    """Whether there are none of the kind without an instance."""
    by_hand: bool = False
    """Whether on this target only a person can write it (a console-only setting on AWS)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of those of the named things that exist; reads only."""
        return self._of_named(keys, self._read)

    def read_all(self) -> dict[str, State]:
        """Return the states of all that exist, by key, read by lists; reads only."""
        if not self._can_exist():
            return {}
        with failed_read(f"the {self.kind.removesuffix('s').replace('_', ' ')}s"):
            return self._read_all()

    def identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return AWS's ids or ARNs of those of the named things that exist; reads only."""
        return self._of_named(keys, self._identifiers)

    def existing(self, keys: Collection[str]) -> dict[str, Existing]:
        """Return the ids and the states of those of the named things that exist; reads only."""
        return self._of_named(keys, self._existing)

    def _of_named(
        self, keys: Collection[str], look: Callable[[Collection[str]], dict[str, T]]
    ) -> dict[str, T]:
        if not keys or not self._can_exist():
            return {}
        with failed_read(self._named(keys)):
            return look(keys)

    def read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of the things with these pairs of key and identifier, renamed ones too."""
        if not named or self._connection.instance_or_none() is None:
            return {}
        with failed_read(self._named([key for key, _ in named])):
            return self._read_by_identifier(named)

    def uses(
        self, named: Mapping[str, str], ours: Collection[tuple[str, str]], *, again: bool = False
    ) -> dict[str, tuple[Use, ...]]:
        """Return what hangs on things, but not what is ours; `again`, before deleting, looks only cheaply."""
        if not named or self._connection.instance_or_none() is None:
            return {}
        with failed_read(f"what uses {self._named(list(named.values()))}"):
            found = self._uses(named, ours, again=again)
        others = {one: tuple(use for use in uses if use.name not in ours) for one, uses in found.items()}
        return {one: uses for one, uses in others.items() if uses}

    def irreversible(self, change: Change) -> dict[str, str]:  # noqa: ARG002
        """Return what of a change AWS offers no way to make: why, by field; with ``""`` for all of it."""
        return {}

    @abstractmethod
    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes, call `on_start` before each one's first write, and yield each when complete."""
        # A field of `Change.after` that is None: the attribute is removed.

    def _can_exist(self) -> bool:
        return not self.is_in_instance or self._connection.instance_or_none() is not None

    def _named(self, keys: Collection[str]) -> str:
        return f"{self.kind.replace('_', ' ')} {', '.join(repr(key) for key in list(keys)[:3])}"

    @abstractmethod
    def _read(self, keys: Collection[str]) -> dict[str, State]:
        """Return the states of those that exist."""

    @abstractmethod
    def _read_all(self) -> dict[str, State]:
        """Return the states of all that exist."""

    def _existing(self, keys: Collection[str]) -> dict[str, Existing]:
        """Return the ids and states of those that exist; in one look where one of them tells the other."""
        states = self._read(keys)
        identifiers = self._identifiers(states)
        return {key: Existing(identifiers.get(key, ""), state) for key, state in states.items()}

    def _identifiers(self, keys: Collection[str]) -> dict[str, str]:
        """Return the ids of those that exist; one look for each."""
        found = by_key(self._identifier, keys)
        return {key: identifier for key, identifier in found.items() if identifier is not None}

    def _identifier(self, key: str) -> str | None:
        """Return AWS's id, or None where there is no such thing; not asked where `_identifiers` looks."""
        raise NotImplementedError

    def _read_by_identifier(self, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], State]:
        """Return the states of those that still exist; one look for each."""
        found = by_key(lambda pair: self._read_one(*pair), named)
        return {pair: state for pair, state in found.items() if state is not None}

    def _read_one(self, key: str, identifier: str) -> State | None:  # noqa: ARG002
        """Return the state of what has this id, where its key no longer leads there; None: it is gone."""
        return None

    def _uses(
        self,
        named: Mapping[str, str],  # noqa: ARG002
        ours: Collection[tuple[str, str]],  # noqa: ARG002
        *,
        again: bool,  # noqa: ARG002
    ) -> dict[str, list[Use]]:
        """Return what hangs on each thing, by its identifier; what is ours may be left out."""
        return {}


class Writer:
    """Makes the calls of one change and keeps AWS's request ids."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.request_ids: list[str] = []
        self.may_have_written = False

    def send(
        self,
        service_name: str,
        method_name: str,
        *,
        is_retryable: Callable[[ClientError], bool] = is_spreading,
        **request: Any,
    ) -> dict[str, Any]:
        """Make a call that writes, again while earlier writes spread; return AWS's answer."""
        clients = self._connection.clients
        given = {name: value for name, value in request.items() if value is not None}
        given = self._connection.in_instance(service_name, method_name, given)
        about_to_send(Call(service_name, clients.operation(service_name, method_name).name, given))
        before, self.may_have_written = self.may_have_written, True
        try:
            answer = retry_conflicts(
                lambda: clients.call(service_name, method_name, given),
                is_retryable=is_retryable,
                timing=self._connection.timing,
            )
        except (ClientError, KitError) as error:
            self.may_have_written = before or not is_refusal(error)
            raise
        self.request_ids.append(str(answer.get("ResponseMetadata", {}).get("RequestId", "")))
        return answer

    def change_tags(
        self, resource_arn: str, before: Mapping[str, str], after: Mapping[str, str], **where: Any
    ) -> None:
        """Make the tags of a resource of sso-admin what they shall be; calls only what differs."""
        gone = sorted(set(before) - set(after))
        new = {key: value for key, value in after.items() if before.get(key) != value}
        if gone:
            self.send("sso-admin", "untag_resource", ResourceArn=resource_arn, TagKeys=gone, **where)
        if new:
            tags = tag_list(new)
            self.send("sso-admin", "tag_resource", ResourceArn=resource_arn, Tags=tags, **where)

    def result(self, identifier: str) -> WriteResult:
        """Return what the change left behind."""
        return WriteResult(identifier, tuple(request_id for request_id in self.request_ids if request_id))


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    """Return tags as AWS's APIs take them; None where there are none."""
    return [{"Key": key, "Value": value} for key, value in tags.items()] if tags else None


def read_tags(connection: Connection, resource_arn: str, **where: str) -> dict[str, str]:
    """Return the tags of a resource of sso-admin, sorted by key."""
    listed = connection.items("sso-admin", "list_tags_for_resource", ResourceArn=resource_arn, **where)
    return dict(sorted((tag["Key"], tag["Value"]) for tag in listed))


class OneByOne(Resource):
    """A resource whose changes are made one after another, each named when it fails."""

    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        """Make the changes one after another and yield each when it is complete; writes."""
        self._prepare(changes)
        for change in changes:
            on_start(change)
            yield change, self._make(change)

    def _prepare(self, changes: Sequence[Change]) -> None:
        """Read once, before the first of them, what several changes need."""

    def _make(self, change: Change) -> WriteResult:
        writer = Writer(self._connection)
        try:
            with failed_write(change):
                identifier = self._write(change, writer)
        except KitError as error:
            error.nothing_written = not writer.may_have_written
            raise
        return writer.result(identifier)

    def _write(self, change: Change, writer: Writer) -> str:
        if change.action is Action.CREATE:
            return self._create(change.key, change.after or {}, writer)
        if change.action is Action.UPDATE:
            return self._update(change.key, change.before or {}, change.after or {}, writer)
        if change.action is Action.DELETE:
            identifier = change.identifier or self._existing_identifier(change.key)
            self._require_unused(change, identifier)
            self._delete(change.key, identifier, writer)
            return identifier
        raise WriteFailedError(
            f"{change.action.value} is not a write; {self.kind} {change.key!r} was not touched"
        )

    def _existing_identifier(self, key: str) -> str:
        """Return AWS's id or ARN of a thing that must exist."""
        identifier = self.identifiers([key]).get(key)
        if identifier is None:
            raise NotFoundError(
                f"there is no {self.kind.replace('_', ' ')} {key!r}",
                remedy="Plan again: it may have been deleted meanwhile.",
            )
        return identifier

    def _require_unused(self, change: Change, identifier: str) -> None:
        """Look once more: somebody may have begun to use the thing since the plan was made."""
        found = self.uses({identifier: change.key}, change.takes, again=True).get(identifier, ())
        if found:
            raise WriteFailedError(
                f"the {in_words(change.kind, change.key)} is used by others: {format_uses(found)}; "
                "it was not deleted",
                remedy="Delete what uses it first if it is to go, or leave it to the people who use it.",
            )

    @abstractmethod
    def _create(self, key: str, state: State, writer: Writer) -> str:
        """Create and return AWS's id."""

    @abstractmethod
    def _update(self, key: str, before: State, after: State, writer: Writer) -> str:
        """Change what differs between the two states and return AWS's id."""

    @abstractmethod
    def _delete(self, key: str, identifier: str, writer: Writer) -> None:
        """Delete the very thing that has this id."""


class SideBySide(OneByOne):
    """A resource whose changes do not depend on each other: several are made at the same time.

    A failure lets those under way end, and starts no more.
    """

    @override
    def write_all(
        self, changes: Sequence[Change], on_start: Callable[[Change], None]
    ) -> Iterator[tuple[Change, WriteResult]]:
        if self._connection.writers == 1 or len(changes) == 1:
            yield from super().write_all(changes, on_start)
            return
        self._prepare(changes)
        waiting, failed = deque(changes), list[tuple[Change, KitError]]()
        running: dict[Future[WriteResult], Change] = {}
        with ThreadPoolExecutor(self._connection.writers) as executor:
            while running or (waiting and not failed):
                while waiting and not failed and len(running) < self._connection.writers:
                    change = waiting.popleft()
                    try:
                        on_start(change)
                    except KitError as error:
                        failed.append((change, error))
                    else:
                        running[executor.submit(copy_context().run, self._make, change)] = change
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    change = running.pop(ended)
                    failure = ended.exception()
                    if isinstance(failure, KitError):
                        failed.append((change, failure))
                    else:
                        yield change, ended.result()
        if failed:
            raise _all_in_one(failed)


def _all_in_one(failed: Sequence[tuple[Change, KitError]]) -> KitError:
    """Return one error for changes that failed at the same time; it has each with its own in `failed`."""
    errors = [error for _, error in failed]
    # One that is not about the change, such as a missing permission, says it all.
    told = next((error for error in errors if not isinstance(error, WriteFailedError)), errors[0])
    if len(errors) > 1 and isinstance(told, WriteFailedError):
        listed = "\n".join(f"- {error.message}. {error.remedy}".rstrip() for error in errors)
        told = WriteFailedError(
            f"{len(errors)} changes failed:\n{listed}",
            remedy="What was done before is kept. Fix what is named, then plan and apply again.",
        )
    told.failed = tuple(failed)
    return told
