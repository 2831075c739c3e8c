"""Who gets which access: changes that are started, how far those are, and the wizard that assigns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import groups_of, users_of

MOST_AT_ONCE = 15  # requests that AWS works on at a time
_REFRESH_S = "2"
# What is changed -> who describes it, by which id, under which name
_DESCRIBERS = {
    "create": (
        "DescribeAccountAssignmentCreationStatus",
        "AccountAssignmentCreationRequestId",
        "AccountAssignmentCreationStatus",
    ),
    "delete": (
        "DescribeAccountAssignmentDeletionStatus",
        "AccountAssignmentDeletionRequestId",
        "AccountAssignmentDeletionStatus",
    ),
    "provision": (
        "DescribePermissionSetProvisioningStatus",
        "ProvisionPermissionSetRequestId",
        "PermissionSetProvisioningStatus",
    ),
}
_WORDS = {"create": "Assign", "delete": "Remove", "provision": "Update"}
_STATUS_WORDS = {"IN_PROGRESS": "In progress", "SUCCEEDED": "Provisioned", "FAILED": "Failed"}


class Principal(NamedTuple):
    """A user or a group."""

    kind: str
    principal_id: str
    name: str
    detail: str = ""

    @property
    def key(self) -> str:
        """How forms name it: ``"GROUP:…"``."""
        return f"{self.kind}:{self.principal_id}"

    @property
    def type_word(self) -> str:
        """Its type as the console says it."""
        return self.kind.capitalize()

    @property
    def path(self) -> str:
        """Its own page."""
        return f"{ROOT}/{self.kind.lower()}s/{self.principal_id}"


class Grant(NamedTuple):
    """A permission set for a user or group in an account."""

    account_id: str
    principal_key: str
    permission_set_arn: str


def permission_sets_by_arn(console: Console) -> dict[str, dict[str, Any]]:
    """Return all permission sets, by name."""
    described = (
        console.call_sso("DescribePermissionSet", PermissionSetArn=arn)["PermissionSet"]
        for arn in console.list_sso("ListPermissionSets")
    )
    found = sorted(({"Description": ""} | one for one in described), key=lambda one: one["Name"].casefold())
    return {one["PermissionSetArn"]: one for one in found}


def permission_set_path(arn: str) -> str:
    """Return the page of a permission set."""
    return f"{ROOT}/permission-sets/{arn.rpartition('/')[2]}"


def list_users(console: Console) -> list[Principal]:
    """Return all users, by user name."""
    return [
        Principal("USER", one["UserId"], one["UserName"], one.get("DisplayName") or "")
        for one in users_of(console)
    ]


def list_groups(console: Console) -> list[Principal]:
    """Return all groups, by name."""
    return [
        Principal("GROUP", one["GroupId"], one.get("DisplayName") or "", one.get("Description") or "")
        for one in groups_of(console)
    ]


def principals_by_key(console: Console) -> dict[str, Principal]:
    """Return users and groups as forms name them."""
    return {one.key: one for one in (*list_users(console), *list_groups(console))}


def named_principals(keys: Iterable[str], known: dict[str, Principal]) -> list[Principal]:
    """Return users and groups by their keys; one that was deleted has its id for a name."""
    return [known.get(key) or _deleted(key) for key in keys]


def _deleted(key: str) -> Principal:
    kind, _, principal_id = key.partition(":")
    return Principal(kind, principal_id, f"{principal_id} (deleted)")


def account_name(console: Console, account_id: str) -> str:
    """Return an account's name."""
    return str(console.organizations("DescribeAccount", AccountId=account_id)["Account"]["Name"])


def grants_in(console: Console, account_id: str) -> list[Grant]:
    """Return who has which permission set in an account."""
    return [
        Grant(account_id, f"{one['PrincipalType']}:{one['PrincipalId']}", arn)
        for arn in console.list_sso("ListPermissionSetsProvisionedToAccount", AccountId=account_id)
        for one in console.list_sso("ListAccountAssignments", AccountId=account_id, PermissionSetArn=arn)
    ]


def _start(console: Console, kind: str, grant: Grant) -> str:
    """Start creating or deleting an assignment; return the request as the progress page takes it."""
    operation_name = {"create": "CreateAccountAssignment", "delete": "DeleteAccountAssignment"}[kind]
    principal_type, _, principal_id = grant.principal_key.partition(":")
    answer = console.call_sso(
        operation_name,
        TargetType="AWS_ACCOUNT",
        TargetId=grant.account_id,
        PermissionSetArn=grant.permission_set_arn,
        PrincipalType=principal_type,
        PrincipalId=principal_id,
    )
    return request_name(kind, answer)


def request_name(kind: str, answer: dict[str, Any]) -> str:
    """Return a request that was started as the progress page takes it."""
    return f"{kind}:{answer[_DESCRIBERS[kind][2]]['RequestId']}"


def product_of(accounts: Sequence[str], principals: Sequence[str], sets: Sequence[str]) -> list[Grant]:
    """Return a grant for each account, user or group, and permission set."""
    return [Grant(account, key, arn) for account in accounts for key in principals for arn in sets]


class Wanted(NamedTuple):
    """What shall be so: in each account, each user or group has the sets, and not the removed ones."""

    accounts: Sequence[str]
    principals: Sequence[str]
    sets: Sequence[str] = ()
    removed_sets: Sequence[str] = ()

    @property
    def joined(self) -> dict[str, str]:
        """Return what is not empty, as fields."""
        return {name: ",".join(values) for name, values in self._asdict().items() if values}


def start_changes(console: Console, wanted: Wanted, requests: Sequence[str] = ()) -> Response:
    """Start as many changes as AWS takes at a time, after `requests`; return the way to follow them all."""
    left = _left(console, wanted, _described(console, requests))
    started = [_start(console, kind, grant) for kind, grant in left[:MOST_AT_ONCE]]
    rest = wanted.joined if requests or len(left) > MOST_AT_ONCE else {}
    return follow(console, [*requests, *started], **rest)


def follow(console: Console, requests: Iterable[str], **rest: str) -> Response:
    """Return the way to the page that follows requests; `rest` names what is left to be started."""
    return console.go(_progress_path(requests, rest))


def _progress_path(requests: Iterable[str], rest: dict[str, str]) -> str:
    return f"/accounts/progress?{urlencode({'requests': ','.join(requests), **rest})}"


def split(text: str) -> list[str]:
    """Return what a field holds that several values were joined in."""
    return [one for one in text.split(",") if one]


def given(console: Console, name: str) -> str:
    """Return a value of the form that was sent, or else of the address."""
    return str(console.form.get(name) or console.query(name))


def _given_wanted(console: Console) -> Wanted:
    return Wanted(*(split(given(console, name)) for name in Wanted._fields))


def _described(console: Console, requests: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    """Return what each request changes, and its status as AWS has it."""
    found = []
    for request in requests:
        kind, _, request_id = request.partition(":")
        if kind not in _DESCRIBERS:
            raise ServiceError("ValidationException", f"{request!r} is no request that was started here.")
        operation_name, id_name, status_name = _DESCRIBERS[kind]
        found.append((kind, console.call_sso(operation_name, **{id_name: request_id})[status_name]))
    return found


def _left(
    console: Console, wanted: Wanted, described: Iterable[tuple[str, dict[str, Any]]]
) -> list[tuple[str, Grant]]:
    """Return what is wanted and was not started yet."""
    accounts, principals, sets, removed = wanted
    started = {
        (kind, Grant(status["TargetId"], _principal_key(status), status["PermissionSetArn"]))
        for kind, status in described
        if kind in ("create", "delete")
    }
    changes = [("create", grant) for grant in product_of(accounts, principals, sets)]
    if removed:  # of all these, only what there is can be removed
        there = {grant for account_id in accounts for grant in grants_in(console, account_id)}
        old = product_of(accounts, principals, removed)
        changes += [("delete", grant) for grant in old if grant in there]
    return [change for change in changes if change not in started]


def _principal_key(status: dict[str, Any]) -> str:
    return f"{status['PrincipalType']}:{status['PrincipalId']}"


def show_progress(console: Console) -> Response:
    """Show how far the requests are; the page looks again by itself until they are done."""
    requests = split(given(console, "requests"))
    sets, known, names = permission_sets_by_arn(console), principals_by_key(console), dict[str, str]()
    rows, counts = [], dict.fromkeys(_STATUS_WORDS, 0)
    described = _described(console, requests)
    for kind, status in described:
        account_id = str(status.get("TargetId") or status.get("AccountId"))
        if account_id not in names:
            names[account_id] = account_name(console, account_id)
        key = _principal_key(status) if "PrincipalId" in status else ""
        arn = status["PermissionSetArn"]
        counts[status["Status"]] += 1
        rows.append(
            {
                "what": _WORDS[kind],
                "account_id": account_id,
                "account_name": names[account_id],
                "principal": next(iter(named_principals([key], known)), None) if key else None,
                "permission_set": sets[arn]["Name"] if arn in sets else arn,
                "status": "Removed"
                if (kind, status["Status"]) == ("delete", "SUCCEEDED")
                else _STATUS_WORDS[status["Status"]],
                "reason": status.get("FailureReason") or "",
            }
        )
    wanted = _given_wanted(console)
    left = _left(console, wanted, described)
    if not requests and not left:
        return console.go("/accounts")
    answer = console.show(
        "progress.html",
        rows=rows,
        counts=counts,
        left=len(left),
        next_count=min(len(left), MOST_AT_ONCE),
        requests=",".join(requests),
        rest=wanted.joined.items(),
        again=f"{ROOT}{_progress_path(requests, wanted.joined)}",
        crumbs=(("AWS accounts", f"{ROOT}/accounts"),),
    )
    if counts["IN_PROGRESS"] and not console.problem and console.query("follow") != "no":
        answer.headers["Refresh"] = _REFRESH_S
    return answer


def take_progress(console: Console) -> Response:
    """Start the next of what is left."""
    return start_changes(console, _given_wanted(console), split(given(console, "requests")))


PROGRESS_SCREENS = (Screen("/accounts/progress", show_progress, take_progress),)


MOST_ACCOUNTS = 10
_PRINCIPALS, _SETS, _REVIEW = "principals", "permission-sets", "review"
_STEPS = (
    (_PRINCIPALS, "Select users and groups"),
    (_SETS, "Select permission sets"),
    (_REVIEW, "Review and submit"),
)
_TABS = ("users", "groups")


def _chosen(console: Console) -> Wanted:
    """Return what the earlier steps hold and what was ticked on this one."""
    form = console.form
    return Wanted(
        split(given(console, "accounts")),
        list(dict.fromkeys([*split(form.get("principals", "")), *form.getlist("principal")])),
        list(dict.fromkeys([*split(form.get("sets", "")), *form.getlist("permission_set")])),
    )


def show_assign(console: Console) -> Response:
    """Show the first step, or the one whose form was refused."""
    chosen = _chosen(console)
    if not chosen.accounts:
        return console.go("/accounts")
    return _show(console, console.form.get("step", _PRINCIPALS), chosen)


def take_assign(console: Console) -> Response:
    """Go to another step with everything kept; the last one starts the assignments."""
    chosen = _chosen(console)
    step, act = console.form.get("step", ""), console.form.get("act", "")
    if not 0 < len(chosen.accounts) <= MOST_ACCOUNTS:
        raise validation_error(f"Choose 1 to {MOST_ACCOUNTS} accounts at a time.")
    if act not in ("next", "submit"):
        return _show(console, act if act in dict(_STEPS) else step, chosen)
    if not chosen.principals:
        raise validation_error("Select at least one user or group.")
    if step == _PRINCIPALS:
        return _show(console, _SETS, chosen)
    if not chosen.sets:
        raise validation_error("Select at least one permission set.")
    if act == "next":
        return _show(console, _REVIEW, chosen)
    return start_changes(console, chosen)


def _show(console: Console, step: str, chosen: Wanted) -> Response:
    names = [(account_id, account_name(console, account_id)) for account_id in chosen.accounts]
    common: dict[str, Any] = {
        "accounts": names,
        "step": step,
        "steps": _STEPS,
        "number": [name for name, _ in _STEPS].index(step if step in dict(_STEPS) else _PRINCIPALS) + 1,
        "crumbs": (("AWS accounts", f"{ROOT}/accounts"),),
    }
    if step == _SETS:
        carried = Wanted(chosen.accounts, chosen.principals, []).joined
        sets = permission_sets_by_arn(console)
        return console.show("assign-sets.html", sets=sets, ticked=chosen.sets, carried=carried, **common)
    if step == _REVIEW:
        sets = permission_sets_by_arn(console)
        return console.show(
            "assign-review.html",
            principals=named_principals(chosen.principals, principals_by_key(console)),
            sets=[sets[arn] for arn in chosen.sets if arn in sets],
            carried=chosen.joined,
            count=len(product_of(chosen.accounts, chosen.principals, chosen.sets)),
            **common,
        )
    return _show_principals(console, chosen, common)


def _show_principals(console: Console, chosen: Wanted, common: dict[str, Any]) -> Response:
    act, tab = console.form.get("act", ""), console.form.get("tab", "")
    tab = act if act in _TABS else tab if tab in _TABS else _TABS[0]
    search = console.form.get("search", "") if act not in _TABS else ""
    everybody = list_users(console) if tab == "users" else list_groups(console)
    shown = [one for one in everybody if search.strip().casefold() in f"{one.name} {one.detail}".casefold()]
    keys = {one.key for one in shown}
    hidden = [key for key in chosen.principals if key not in keys]
    return console.show(
        "assign-principals.html",
        tab=tab,
        search=search,
        shown=shown,
        ticked=chosen.principals,
        selected=named_principals(chosen.principals, principals_by_key(console)),
        carried=Wanted(chosen.accounts, hidden, chosen.sets).joined,
        **(common | {"step": _PRINCIPALS}),
    )


ASSIGN_SCREENS = (Screen("/accounts/assign", show_assign, take_assign),)
