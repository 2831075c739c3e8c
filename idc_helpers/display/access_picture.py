"""Who reaches which account with which permission set, as a matrix; reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from idc_helpers.aws.access import AssignmentRow, list_all_account_assignments
from idc_helpers.aws.connection import Connection
from idc_helpers.aws.organization import OrganizationalUnit, describe_organization, list_accounts, list_roots
from idc_helpers.aws.people_access import list_people_access
from idc_helpers.display.organization_picture import principal_in_words
from idc_helpers.display.pictures import Matrix
from idc_helpers.errors import AccessDeniedError

_GONE = "not in the organization any more"
_NOTE = "A cell names the permission sets; “–” is no access."
_PEOPLE = " Groups are unfolded: each row is a person."


def who_reaches_what(connection: Connection, *, people: bool = False) -> Matrix:
    """Return principals by accounts, with the names of the permission sets in the cells; ``"–"`` for none.

    The accounts stand below their organizational units.

    Parameters
    ----------
    people
        Unfold each group into its members; otherwise a group stays a group.

    Notes
    -----
    Source:
    https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_ListAccountAssignmentsForPrincipal.html
    """
    from idc_helpers.display.frames import grouped_access_frame  # noqa: PLC0415 - pandas takes a while

    rows = list_people_access(connection) if people else list_all_account_assignments(connection)
    columns = _columns(connection, rows)
    reaches = [(principal_in_words(row), columns[row.account_id][1], row.permission_set) for row in rows]
    frame = grouped_access_frame(reaches, list(columns.values()))
    frame.index.name = "person" if people else "principal"
    caption = f"Who reaches what: {_count(len(frame), frame.index.name)}, {_count(len(columns), 'account')}"
    return Matrix(frame, caption, note=_NOTE + (_PEOPLE if people else ""))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else {'person': 'people'}.get(noun, f'{noun}s')}"


def _columns(connection: Connection, rows: Iterable[AssignmentRow]) -> dict[str, tuple[str, str]]:
    """Return by account id its organizational unit and its label, in the tree's order."""
    try:
        columns = dict(_accounts(connection))
    except AccessDeniedError:
        columns = {}  # only those that somebody reaches
    # An account that left the organization may still have assignments.
    group = _GONE if columns else "account"
    return columns | {
        row.account_id: (group, row.account_id) for row in rows if row.account_id not in columns
    }


def _accounts(connection: Connection) -> Iterator[tuple[str, tuple[str, str]]]:
    if describe_organization(connection) is None:
        for account in list_accounts(connection):
            yield account.account_id, ("no organization", _label(account.name, account.account_id))
        return
    for root in list_roots(connection):
        yield from _in_unit(root)


def _in_unit(unit: OrganizationalUnit) -> Iterator[tuple[str, tuple[str, str]]]:
    for account in unit.accounts:
        yield account.account_id, (account.path, _label(account.name, account.account_id))
    for below in unit.units:
        yield from _in_unit(below)


def _label(name: str, account_id: str) -> str:
    return f"{name} ({account_id})" if name else account_id
