"""Who reaches which account with which permission set, as a matrix; reads only."""

from __future__ import annotations

from idc_helpers.aws.access import AssignmentRow, list_all_account_assignments
from idc_helpers.aws.connection import Connection
from idc_helpers.aws.organization import list_accounts
from idc_helpers.aws.people_access import list_people_access
from idc_helpers.display.frames import access_frame
from idc_helpers.display.pictures import Matrix
from idc_helpers.errors import AccessDeniedError


def who_reaches_what(connection: Connection, *, people: bool = False) -> Matrix:
    """Return principals by accounts, with the names of the permission sets in the cells; ``"–"`` for none.

    Parameters
    ----------
    people
        Unfold each group into its members; otherwise a group stays a group.

    Notes
    -----
    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentsForPrincipal.html
    """
    assignments = list_people_access(connection) if people else list_all_account_assignments(connection)
    labels = _accounts(connection)
    # An account that left the organization may still have assignments.
    labels |= {
        entry.account_id: _label("", entry.account_id)
        for entry in assignments
        if entry.account_id not in labels
    }
    reaches = [(_principal(entry), labels[entry.account_id], entry.permission_set) for entry in assignments]
    return Matrix(
        access_frame(reaches, list(labels.values())), "Who reaches what: permission sets by account"
    )


def _accounts(connection: Connection) -> dict[str, str]:
    try:
        accounts = list_accounts(connection)
    except AccessDeniedError:
        return {}  # only those that somebody reaches
    return {account.account_id: _label(account.name, account.account_id) for account in accounts}


def _principal(entry: AssignmentRow) -> str:
    return f"{entry.principal_type} {entry.principal_name or f'(deleted) {entry.principal_id}'}"


def _label(name: str, account_id: str) -> str:
    return f"{name} ({account_id})" if name else account_id
