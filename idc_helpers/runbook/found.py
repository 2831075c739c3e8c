"""What there is of what receipts name, in a few looks for each kind, however many receipts. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from idc_helpers.aws.assignment_keys import whole_assignment_identifier
from idc_helpers.changes import Action, Resource, State
from idc_helpers.errors import InvalidValueError, NotFoundError
from idc_helpers.runbook.receipts import Receipt


def named_identifier(receipt: Receipt) -> str:
    """Return the id that a receipt names; empty where it has none.

    An interrupted creation has none yet; the plan before it found nothing of that name. Account assignments
    had none in earlier receipts but their key.
    """
    if receipt.status != "done" or receipt.identifier == receipt.key:
        return ""
    if receipt.kind == "account_assignment":
        return whole_assignment_identifier(receipt.identifier, receipt.key)
    return receipt.identifier


class Found:
    """What receipts name, as it is; kept up to date with what is planned.

    Attributes
    ----------
    unreadable
        Why a receipt cannot be understood, by its id.
    """

    def __init__(self, receipts: Sequence[Receipt], resources: Mapping[str, Resource]) -> None:
        self.unreadable: dict[str, str] = {}
        self._resources = resources
        self._states: dict[tuple[str, str], State | None] = {}
        self._identifiers: dict[tuple[str, str], str] = {}
        # By kind, key and id: what only its id still leads to, because its key leads nowhere or to another.
        self._by_identifier: dict[tuple[str, str, str], State] = {}
        self._instances: dict[str, bool] = {}
        for kind in dict.fromkeys(receipt.kind for receipt in receipts):
            self._read(kind, [receipt for receipt in receipts if receipt.kind == kind])

    def _read(self, kind: str, receipts: list[Receipt]) -> None:
        resource = self._resources.get(kind)
        if resource is None:
            for receipt in receipts:
                self._cannot_read(receipt, f"the kind {kind!r} is not known to this version of the kit")
            return
        try:
            self._look(kind, resource, receipts)
        except (InvalidValueError, NotFoundError) as error:
            if len(receipts) == 1:  # it is this one; another one does not suffer for it
                self._cannot_read(receipts[0], error.message)
                return
            for receipt in receipts:
                self._read(kind, [receipt])

    def _look(self, kind: str, resource: Resource, receipts: list[Receipt]) -> None:
        states = resource.read(list(dict.fromkeys(receipt.key for receipt in receipts)))
        identifiers = resource.identifiers(list(states))
        named = {(receipt.key, named_identifier(receipt)) for receipt in receipts}
        others = {(key, one) for key, one in named if one and one != identifiers.get(key)}
        found = resource.read_by_identifier(others) if others else {}
        self._states |= {(kind, key): state for key, state in states.items()}
        self._identifiers |= {(kind, key): identifier for key, identifier in identifiers.items()}
        self._by_identifier |= {(kind, *pair): state for pair, state in found.items()}

    def _cannot_read(self, receipt: Receipt, why: str) -> None:
        name = f"the receipt of {receipt.kind} {receipt.key!r}"
        self.unreadable[receipt.receipt_id] = f"{name} cannot be understood: {why}"

    def state(self, receipt: Receipt) -> State | None:
        """Return the state of what has the receipt's key now, or None."""
        return self._states.get((receipt.kind, receipt.key))

    def identifier(self, receipt: Receipt) -> str:
        """Return the id of what has the receipt's key now."""
        return self._identifiers.get((receipt.kind, receipt.key), "")

    def by_identifier(self, receipt: Receipt) -> State | None:
        """Return the state of the very thing that a receipt names, where its key does not lead there."""
        return self._by_identifier.get((receipt.kind, receipt.key, named_identifier(receipt)))

    def has_instance(self, instance_arn: str) -> bool:
        """Return whether another instance than the connection's is visible."""
        if instance_arn not in self._instances:
            pair = ("organization", instance_arn)
            resource = self._resources.get("instance")
            self._instances[instance_arn] = bool(resource and resource.read_by_identifier([pair]))
        return self._instances[instance_arn]

    def take_back(self, receipt: Receipt, state: State | None) -> None:
        """Go on as if this were undone: several receipts may be of one thing."""
        if self._by_identifier.pop((receipt.kind, receipt.key, named_identifier(receipt)), None) is None:
            self._states[receipt.kind, receipt.key] = state


def is_creation(receipt: Receipt) -> bool:
    """Return whether a receipt is of something that was made, not changed."""
    return receipt.action == Action.CREATE
