"""What the target holds: tables, the organization as a tree, who reaches what, and a scenario of it."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from idc_aws.access import AssignmentRow, list_all_account_assignments, list_people_access, name_accounts
from idc_aws.calls import one_look
from idc_aws.changes import Action, Change, Plan, State
from idc_aws.connection import Connection, management_account_id
from idc_aws.errors import AccessDeniedError, AccountInstanceError, InstanceNotFoundError
from idc_aws.files import require_free
from idc_aws.identifiers import access_portal_url, counted, describe_length, first_of
from idc_aws.identity_store import list_users
from idc_aws.imported_files import USUAL_FILE, scenario_texts, write_texts
from idc_aws.importing import Imported, Selection, import_scenario
from idc_aws.organization import (
    Account,
    OrganizationalUnit,
    describe_organization,
    list_accounts,
    list_delegates,
    list_roots,
)
from idc_aws.permission_sets import PermissionSets
from idc_aws.project import work_folder
from idc_aws.scenario.reading import validate_scenario
from idc_aws.scrubbing import current_masker
from idc_aws.settings import CONSOLE_SETTINGS, ConsoleSetting, ConsoleSettings
from idc_aws.uses import MOST_COUNTED, count_applications, count_holdings
from idc_helpers.notebook.console_guide import format_choices
from idc_helpers.notebook.pictures import Matrix, Tree, TreeNode
from idc_helpers.notebook.screen import is_guided, show_checks
from idc_helpers.notebook.tables import Line, Table, format_change, format_plan
from idc_helpers.runbook.comparing import Check, CheckResults, differing_fields
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

_FIELD, _VALUE = "field", "value"
_NOT_SHOWN = "not shown to this caller"
_UNSEEN = "no API shows it: look in the AWS console"


def instance_details(connection: Connection) -> Table:
    """Return the instance's details: columns field, value."""
    # https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_DescribeInstance.html
    instance = connection.instance
    details = {
        "instance ARN": instance.instance_arn,
        "kind": f"{instance.kind} instance",
        "name": instance.name or "(none)",
        "status": instance.status,
        "primary Region": instance.region,
        "identity store ID": instance.identity_store_id,
        "owner account": name_accounts(connection, instance.owner_account_id),
        "AWS access portal": portal_url(connection),
        "delegated administrator": _said(lambda: _names(list_delegates(connection))),
        "applications": _said(lambda: str(count_applications(connection))),
    }
    return Table("The instance of IAM Identity Center", (_FIELD, _VALUE), tuple(details.items()))


def _said(read: Callable[[], str]) -> str:
    try:
        return read()
    except (AccessDeniedError, AccountInstanceError):
        return _NOT_SHOWN


def _names(accounts: list[Account]) -> str:
    return "\n".join(f"{account.name} ({account.account_id})" for account in accounts) or "(none)"


def portal_url(connection: Connection) -> str:
    """Return the access portal's address; on AWS the one that always works."""
    states = ConsoleSettings(connection).read(["access_portal"])
    subdomain = states.get("access_portal", {}).get("subdomain")
    return access_portal_url(connection.instance.identity_store_id, subdomain or None)


def settings(connection: Connection) -> Table:
    """Return the console-only settings in the console's words: setting, field, value; one row a field."""
    states = ConsoleSettings(connection).read(list(CONSOLE_SETTINGS))
    rows = [
        row for name in CONSOLE_SETTINGS for row in _setting_rows(CONSOLE_SETTINGS[name], states.get(name))
    ]
    return Table("Settings that only the console can change", ("setting", _FIELD, _VALUE), tuple(rows))


def identity_source(connection: Connection) -> Table:
    """Return where the people come from, in the console's words: columns field, value."""
    setting = CONSOLE_SETTINGS["identity_source"]
    state = ConsoleSettings(connection).read([setting.name]).get(setting.name)
    rows = [(label, _UNSEEN) for label in setting.fields.values()]
    rows = [*format_choices(setting.fields, state)] if state else rows
    shown = (*rows, ("AWS access portal URL", portal_url(connection)))
    return Table(setting.title, (_FIELD, _VALUE), shown)


def _setting_rows(setting: ConsoleSetting, state: State | None) -> list[tuple[str, str, str]]:
    if state is None:
        return [(setting.title, "", _UNSEEN)]
    found = format_choices(setting.fields, {name: state.get(name) for name in setting.fields})
    return [(setting.title, label, value) for label, value in found]


def permission_sets(connection: Connection) -> Table:
    """Return the permission sets: columns name, session duration, policies, description, provisioning."""
    states = PermissionSets(connection).read_known()
    rows = tuple(
        tuple(name_accounts(connection, text) for text in _permission_set_row(name, states[name]))
        for name in sorted(states)
    )
    columns = ("name", "session duration", "policies", "description", "provisioning")
    return Table(f"Permission sets: {len(rows)}", columns, rows)


def _permission_set_row(name: str, state: State | None) -> tuple[str, ...]:
    if state is None:
        return name, "", "", _NOT_SHOWN, ""
    policies = [policy_arn.rpartition("/")[2] for policy_arn in state["managed_policies"]]
    policies += [
        f"{policy['path']}{policy['name']} (customer managed)"
        for policy in state["customer_managed_policies"]
    ]
    policies += ["an inline policy"] if state.get("inline_policy") else []
    outdated = state.get("accounts_to_provision") or []
    provisioning = f"to provision again: {', '.join(outdated)}" if outdated else "up to date"
    return (
        name,
        describe_length(state["session_duration"]),
        "\n".join(policies),
        state.get("description") or "",
        provisioning,
    )


def users(connection: Connection, *, at_most: int = 50) -> Table:
    """Return users: columns user name, display name, e-mail, status, groups."""
    found, all_shown = list_users(connection, at_most=at_most)
    rows = tuple(
        (user.user_name, user.display_name, user.email, user.user_status.lower(), "\n".join(user.groups))
        for user in found
    )
    note = "" if all_shown else f"There are more: these are {at_most} of them."
    columns = ("user name", "display name", "e-mail", "status", "groups")
    return Table(f"Users: {len(rows)}", columns, rows, note=note)


def delegated_administrators(connection: Connection) -> Table:
    """Return the member accounts that may administer Identity Center: columns account, account id."""
    # https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedAdministrators.html
    rows = tuple((account.name, account.account_id) for account in list_delegates(connection))
    return Table(f"Delegated administrators of Identity Center: {len(rows)}", ("account", "account id"), rows)


def what_deleting_destroys(connection: Connection) -> Table:
    """Return what deleting the instance would delete for good: columns what, how many."""
    counts = count_holdings(connection)
    rows = tuple(
        (what, f"{number} or more" if number >= MOST_COUNTED else str(number))
        for what, number in counts.items()
    )
    note = "Deleting an instance cannot be undone: everybody's access ends, and the portal's address changes."
    return Table("What deleting the instance destroys", ("what", "how many"), rows, note=note)


_NO_INSTANCE = "There is no instance yet: applying notebook 01 enables it, and notebook 07 assigns."
Details = Mapping[str, Sequence[str]]


def organization_tree(connection: Connection, *, assignments: bool = False) -> Tree:
    """Return the organization: root, organizational units and accounts; outside of one, the account alone."""
    rows = _assignments(connection) if assignments else []
    details = _by_account(rows or ())
    in_charge = ""
    if describe_organization(connection) is None:
        caption = "This account is in no organization"
        roots = [_account(account, "", details) for account in list_accounts(connection)]
    else:
        caption, in_charge = "The organization", management_account_id(connection)
        units = list_roots(connection)
        roots = [_unit(unit, in_charge, details) for unit in units]
        roots += _left(details, {account.account_id for unit in units for account in unit.all_accounts()})
    if not assignments:
        return Tree(caption, tuple(roots))
    if rows is None:
        return Tree(caption, tuple(roots), _NO_INSTANCE)
    return Tree(f"{caption}, with who reaches what: {_sum(rows)}", tuple(roots))


def format_principal(row: AssignmentRow) -> str:
    """Return such as ``"group Auditors"``; a principal that was deleted goes by its id."""
    return f"{row.principal_type.lower()} {row.principal_name or f'(deleted) {row.principal_id}'}"


def _assignments(connection: Connection) -> list[AssignmentRow] | None:
    try:
        return list_all_account_assignments(connection)
    except InstanceNotFoundError:
        return None


def _sum(rows: Sequence[AssignmentRow]) -> str:
    accounts = len({row.account_id for row in rows})
    if not rows:
        return "no account assignments yet"
    return f"{counted(len(rows), 'account assignment')} in {counted(accounts, 'account')}"


def _by_account(rows: Iterable[AssignmentRow]) -> dict[str, list[str]]:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row.account_id][row.permission_set].append(format_principal(row))
    return {
        account_id: [f"{name} ← {', '.join(sorted(who))}" for name, who in sorted(permission_sets.items())]
        for account_id, permission_sets in found.items()
    }


def _unit(unit: OrganizationalUnit, in_charge: str, details: Details) -> TreeNode:
    """Return the node of an organizational unit with what is below it: units first, then accounts."""
    units = tuple(_unit(below, in_charge, details) for below in unit.units)
    accounts = tuple(_account(account, in_charge, details) for account in unit.accounts)
    label = unit.name if units or accounts else f"{unit.name} (no accounts)"
    return TreeNode(label, units + accounts, is_group=True)


def _left(details: Details, there: Collection[str]) -> list[TreeNode]:
    """Return the accounts that assignments name and that are in the organization no more, under one node."""
    gone = [TreeNode(one, details=tuple(lines)) for one, lines in sorted(details.items()) if one not in there]
    return [TreeNode("Not in the organization any more", tuple(gone), is_group=True)] if gone else []


def _account(account: Account, in_charge: str, details: Details) -> TreeNode:
    marks = ["management account"] if account.account_id == in_charge else []
    marks += [account.status.lower()] if account.status != "ACTIVE" else []
    marked = f" ({', '.join(marks)})" if marks else ""
    label = f"{account.name or 'this account'} · {account.account_id}{marked}"
    return TreeNode(label, details=tuple(details.get(account.account_id, ())))


_GONE = "not in the organization any more"
_NOTE = "A cell names the permission sets; “–” is no access."
_PEOPLE = " Groups are unfolded: each row is a person."


def who_reaches_what(connection: Connection, *, people: bool = False) -> Matrix:
    """Return principals by accounts, with the names of the permission sets in the cells; ``"–"`` for none."""
    from idc_helpers.notebook.frames import grouped_access_frame  # noqa: PLC0415 - pandas takes a while

    rows = list_people_access(connection) if people else list_all_account_assignments(connection)
    columns = _columns(connection, rows)
    reaches = [(format_principal(row), columns[row.account_id][1], row.permission_set) for row in rows]
    frame = grouped_access_frame(reaches, list(columns.values()))
    frame.index.name = "person" if people else "principal"
    caption = f"Who reaches what: {counted(len(frame), frame.index.name)}, {counted(len(columns), 'account')}"
    return Matrix(frame, caption, note=_NOTE + (_PEOPLE if people else ""))


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
    for account in (account for root in list_roots(connection) for account in root.all_accounts()):
        yield account.account_id, (account.path, _label(account.name, account.account_id))


def _label(name: str, account_id: str) -> str:
    return f"{name} ({account_id})" if name else account_id


_TITLE = "What you have already"
_MOST_TOLD = 10
_LATER = "Later: there is no instance yet. Notebook 01 enables it."


class Existing:
    """What the instance of a run holds already; read once, when it is first shown."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._imported: Imported | None = None

    def counts(self) -> Table:
        """Return how much there is: columns what, in the scenario, left out; reads only."""
        found = self._read()
        if found is None:
            return Table(_TITLE, ("what",), (), note=_LATER)
        rows = [
            (part.replace("_", " "), str(number), str(len(found.left_out.get(part, ()))))
            for part, number in found.counts.items()
        ]
        rows.append(("applications", "0", str(len(found.applications))))
        note = f"Could not be read: {', '.join(found.unread)}." if found.unread else ""
        return Table(_TITLE, ("what", "in the scenario", "left out"), tuple(rows), note=note)

    def left_out(self) -> Table:
        """Return what a scenario cannot say, or the caller may not read: column what; reads only."""
        found = self._read()
        rows = tuple((remark,) for remark in found.remarks) if found else ()
        note = _LATER if found is None else "" if rows else "Nothing: the scenario holds all of it."
        return Table(f"Left out: {len(rows)}", ("what",), rows, note=note)

    def save(self, path: str = USUAL_FILE, *, replace: bool = False) -> Line:
        """Write the scenario to a file, or to a folder with a file for each topic.

        In JupyterLab the path begins at the folder you work in; unattended it is in the run's folder, without
        people where personal data is masked. A file that exists is written again only with `replace`, or when
        it would stay the same.
        """
        found = self._read()
        if found is None:
            return Line(_LATER)
        base = work_folder() if is_guided() else self._context.run_folder
        texts = scenario_texts(found, base / path)
        main = next(iter(texts))
        if not all(_holds(file, text) for file, text in texts.items()):
            if not replace:
                require_free(texts, "Name another file, or replace it: replace=True.")
            write_texts(texts)
        named = main.relative_to(base) if main.is_relative_to(base) else main
        return Line(
            f"Written: {named} ({found}). In a terminal, `idc plan -f {shlex.quote(str(named))}`"
            " shows what it would change."
        )

    def check(self) -> Table | Line:
        """Return the check that a plan of the scenario changes nothing: result, name, detail; reads only."""
        found = self._read()
        if found is None:
            return Line(_LATER)
        steps = [Step(self._context, name) for name in target_steps()]
        for step in steps:
            step.scenario = validate_scenario(found.data)
        with one_look():
            plan = sum((step.compare() for step in steps), Plan())
        wrong = [change for change in plan.writes if not _only_provisions(change)]
        told = "; ".join(first_of([*map(format_change, wrong)], _MOST_TOLD))
        remedy = (
            "Somebody may have changed it since it was read: run the notebook again. If it stays so, "
            "`idc plan` with the file shows each value; correct it there."
        )
        check = Check(
            "a plan of what was read",
            not wrong,
            f"would {told}" if wrong else format_plan(plan),
            remedy,
        )
        return show_checks(_TITLE, self._context.record("existing", CheckResults((check,))))

    def _read(self) -> Imported | None:
        connection = self._context.connection
        if self._imported is None and connection.instance_or_none() is not None:
            selection = Selection(personal_data=is_guided() or current_masker() is None)
            self._imported = import_scenario(connection, selection)
        return self._imported


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text("utf-8") == text


def _only_provisions(change: Change) -> bool:
    """Tell whether a change only brings accounts to the version that there is."""
    differing = differing_fields(change.after or {}, change.before or {})
    return change.action is Action.UPDATE and set(differing) <= set(PermissionSets.derived_fields)
