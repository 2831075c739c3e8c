"""Exercises of notebooks 02 to 08, done by the administrator."""

from __future__ import annotations

from idc_aws.access import AssignmentRow, assignment_key, list_all_account_assignments, list_permission_sets
from idc_aws.changes import State
from idc_aws.connection import management_account_id
from idc_aws.identifiers import did_you_mean
from idc_aws.identity_store import find_group_id, list_group_members, list_names_of_groups
from idc_aws.organization import DelegatedAdministrators, list_accounts, resolve_account
from idc_aws.permission_sets import PermissionSets
from idc_aws.settings import KEY, AttributesForAccessControl, ConsoleSettings
from idc_helpers.runbook.exercises.exercise import (
    Examination,
    Exercise,
    Finding,
    Look,
    remove_assignment,
    remove_group,
    remove_membership,
    remove_permission_set,
)

_LEFT = (
    "What you make with a form of this kit has a receipt: Undo and the teardown revert it. What you make"
    " in a terminal or a console has none, so neither deletes it, and the teardown leaves an instance alone"
    " that still holds it. The check prints the command that removes it, and notebook 99 lists all that is"
    " left."
)


def _permission_set(look: Look) -> Examination:
    name = look.names["permission_set"]
    known = list_permission_sets(look.connection)
    if name not in known:
        absent = f"there is none. {did_you_mean(name, known)}".rstrip()
        return Examination((Finding(f"permission set {name} exists", False, absent),))
    state = PermissionSets(look.connection).read([name])[name]
    clean_up = (
        () if look.is_receipted("permission_set", name) else (remove_permission_set(look, known[name]),)
    )
    return Examination(
        (Finding(f"permission set {name} exists", True, "yes"), *_permission_set_fields(look, state)),
        clean_up,
    )


def _permission_set_fields(look: Look, state: State) -> tuple[Finding, ...]:
    wanted, service = look.names["session_duration"], look.names["service"]
    duration, relay_state = state["session_duration"], str(state.get("relay_state") or "")
    policies = [arn.rpartition("/")[2] for arn in state["managed_policies"]]
    policies += [f"{one['name']} (customer managed)" for one in state["customer_managed_policies"]]
    policies += ["an inline policy"] if state.get("inline_policy") else []
    is_landing = relay_state.startswith("https://") and f"/{service}/" in relay_state
    return (
        Finding(f"a session lasts {wanted}", duration == wanted, duration),
        Finding(f"people land in the console of {service}", is_landing, relay_state or "no relay state"),
        Finding(
            "it allows something",
            bool(policies),
            ", ".join(policies) or "no policy: a person who enters may do nothing at all",
        ),
    )


def _group(look: Look) -> Examination:
    name = look.names["group"]
    group_id = find_group_id(look.connection, name)
    if group_id is None:
        there = list_names_of_groups(look.connection)
        absent = f"there is none. {did_you_mean(name, there)}".rstrip()
        return Examination((Finding(f"group {name} exists", False, absent),))
    request = {"IdentityStoreId": look.connection.instance.identity_store_id, "GroupId": group_id}
    described = look.connection.client("identitystore").describe_group(**request).get("Description", "")
    clean_up = () if look.is_receipted("group", name) else (remove_group(look, name, group_id),)
    return Examination(
        (
            Finding(f"group {name} exists", True, group_id),
            Finding("a description says whom it is for", bool(described), described or "none"),
        ),
        clean_up,
    )


def _assignment(look: Look) -> Examination:
    group, wanted = look.names["group"], look.names["permission_set"]
    account = resolve_account(look.connection, look.names["account"])
    where = f"{account.name or account.account_id}"
    if find_group_id(look.connection, group) is None:
        return Examination((_no_group(group, "the exercise of notebook 06 makes it"),))
    rows = [row for row in list_all_account_assignments(look.connection) if row.principal_name == group]
    rows = [row for row in rows if row.principal_type == "GROUP"]
    here = [row.permission_set for row in rows if row.account_id == account.account_id]
    elsewhere = [row for row in rows if row.account_id != account.account_id]
    more = [name for name in here if name != wanted]
    findings = (
        Finding(f"{group} has {wanted} in {where}", wanted in here, _reaches(here, rows, where)),
        Finding("and nothing more there", bool(here) and not more, ", ".join(more) or "nothing more"),
        Finding("and no other account", bool(rows) and not elsewhere, _elsewhere(elsewhere)),
    )
    return Examination(findings, tuple(remove_assignment(look, row) for row in rows if not _ours(look, row)))


def _no_group(group: str, way: str) -> Finding:
    return Finding(f"group {group} exists", False, f"there is none: {way}")


def _reaches(here: list[str], rows: list[AssignmentRow], where: str) -> str:
    if here:
        return ", ".join(here)
    return f"nothing in {where}" if rows else "no assignment at all"


def _elsewhere(rows: list[AssignmentRow]) -> str:
    listed = (f"{row.permission_set} in {row.account_name or row.account_id}" for row in rows)
    return ", ".join(listed) or "none"


def _ours(look: Look, row: AssignmentRow) -> bool:
    key = assignment_key(row.principal_type, row.principal_name, row.permission_set, row.account_id)
    return look.is_receipted("account_assignment", key)


def _members(look: Look) -> Examination:
    group = look.names["group"]
    group_id = find_group_id(look.connection, group)
    if group_id is None:
        return Examination((_no_group(group, "the exercise of notebook 06 makes it"),))
    members = list_group_members(look.connection, group_id)
    names = ", ".join(name for name, _ in members)
    found = f"{len(members)}: {names}" if members else "nobody"
    clean_up = (
        remove_membership(look, name, group, membership_id)
        for name, membership_id in members
        if not look.is_receipted("group_membership", f"{name} in {group}")
    )
    return Examination(
        (Finding(f"group {group} has two members or more", len(members) > 1, found),), tuple(clean_up)
    )


ACCESS_EXERCISES = (
    Exercise(
        name="on_call",
        notebook="05_permission_sets",
        title="a set for people on call",
        task=(
            "A person on call at night needs to look, quickly, and for a short time. Make a permission set"
            " `{permission_set}` whose session lasts two hours (`{session_duration}`), that lands people in"
            " the console of `{service}` (its relay state), and that allows reading."
        ),
        hint=(
            "Three fields of the form above; or two calls, of which the first answers with the ARN that the"
            " second needs:\n"
            "    aws sso-admin create-permission-set --instance-arn ARN --name {permission_set}"
            " --session-duration {session_duration} --relay-state https://console.aws.amazon.com/{service}/\n"
            "    aws sso-admin attach-managed-policy-to-permission-set --instance-arn ARN"
            " --permission-set-arn ARN --managed-policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess"
        ),
        afterwards=_LEFT,
        examine=_permission_set,
        names={"permission_set": "OnCall", "session_duration": "PT2H", "service": "cloudwatch"},
    ),
    Exercise(
        name="group_of_auditors",
        notebook="06_groups",
        title="a group of auditors",
        task=(
            "Auditors are coming: people who read logs and change nothing. Make a group `{group}`, with a"
            " description that says whom it is for."
        ),
        hint=(
            "One more line in the form; or one call:\n"
            "    aws identitystore create-group --identity-store-id d-… --display-name {group}"
            " --description 'People who read the logs'"
        ),
        afterwards=f"Keep it for the exercises of the next notebooks. {_LEFT}",
        examine=_group,
        names={"group": "Auditors"},
    ),
    Exercise(
        name="read_only_for_auditors",
        notebook="07_account_assignments",
        title="one account, read-only",
        task=(
            "Give the group `{group}` the permission set `{permission_set}` in the account `{account}`:"
            " there, and nowhere else."
        ),
        hint=(
            "By the form: “Add another”; a group that was made after it was opened is offered when its cell"
            " is run again. By the CLI, with the account's id, and the group's id as the principal:\n"
            "    aws sso-admin create-account-assignment --instance-arn ARN --permission-set-arn ARN"
            " --principal-type GROUP --principal-id ID --target-type AWS_ACCOUNT --target-id ID\n"
            "It answers IN_PROGRESS; who_reaches_what() above shows when it is there."
        ),
        afterwards=_LEFT,
        examine=_assignment,
        names={"group": "Auditors", "permission_set": "ReadOnlyAccess", "account": "Log archive"},
    ),
    Exercise(
        name="two_auditors",
        notebook="08_users",
        title="two auditors",
        task=(
            "One auditor falls ill, so there have to be two. Make two people members of the group `{group}`;"
            " then look at the matrix above once more: what do they reach now, without any assignment of"
            " their own?"
        ),
        hint=(
            "By the form: one more group for two of the users; a group that was made after it was opened is"
            " offered when its cell is run again. By the CLI, once for each:\n"
            "    aws identitystore create-group-membership --identity-store-id d-… --group-id ID"
            " --member-id UserId=ID\n"
            "Ids of users and groups come from list-users and list-groups."
        ),
        afterwards=_LEFT,
        examine=_members,
        names={"group": "Auditors"},
    ),
)
"""In the order of the notebooks."""


_EMPTY = "nothing yet: give it as the answer, in quotes, and run the cell again"


def _identity_store(look: Look) -> Examination:
    instance = look.connection.instance
    words = "the identity store's id"
    if look.answer == instance.identity_store_id:
        return _answered(words, True, look.answer)
    hints = {
        "": _EMPTY,
        instance.instance_arn: "that is the ARN of the instance; the identity store has an id of its own",
        instance.owner_account_id: "that is the account which owns the instance",
    }
    otherwise = f"{look.answer!r} is not it: an id starts with d- and has ten more characters"
    if look.answer.startswith("d-"):
        otherwise = f"{look.answer!r} is another one: was the call made in Region {instance.region!r}?"
    return _answered(words, False, hints.get(look.answer, otherwise))


def _answered(words: str, done: bool, found: str) -> Examination:
    return Examination((Finding(words, done, found),))


def _mapping(look: Look) -> Examination:
    found = AttributesForAccessControl(look.connection).read([KEY]).get(KEY, {}).get("attributes", {})
    key, source = look.names["key"], look.names["source"]
    near = next((one for one in found if one.casefold() == key.casefold() and one != key), "")
    there = found.get(key) or (f"there is {near!r}: capital letters count" if near else "no such key")
    wanted = look.context.scenario.access_control_attributes
    kept = dict(wanted.attributes) if wanted else {}
    lost = sorted(name for name, value in kept.items() if found.get(name) != value)
    still = (
        "all there" if not lost else f"gone or changed: {', '.join(lost)}; the call replaces the whole list"
    )
    return Examination(
        (
            Finding(f"{key} is mapped to {source}", found.get(key) == source, str(there)),
            Finding("the mappings of before are still there", not lost, still),
        )
    )


def _portal_session(look: Look) -> Examination:
    if look.connection.console is None:
        return Examination(
            unreadable="No API shows this setting, so on AWS you are your own judge: open it again and look."
        )
    wanted = look.names["duration"]
    found = ConsoleSettings(look.connection).read(["sessions"])["sessions"]
    background = look.context.scenario.authentication.sessions.user_background
    other = found["user_background"]
    is_mixed_up = other == wanted and found["user_interactive"] != wanted
    kept = "that is the session of background jobs; people have the other one" if is_mixed_up else other
    return Examination(
        (
            Finding(
                f"a portal session lasts {wanted}",
                found["user_interactive"] == wanted,
                found["user_interactive"],
            ),
            Finding("background sessions are as they were", other == background, kept),
        )
    )


def _delegate(look: Look) -> Examination:
    accounts = {account.account_id: account for account in list_accounts(look.connection)}
    delegates = DelegatedAdministrators(look.connection).read(list(accounts))
    words = "the id of the delegated administrator's account"
    if not delegates:
        return _answered(words, False, "there is no delegated administrator yet: apply the step above")
    if look.answer in delegates:
        return _answered(words, True, f"{look.answer}, {accounts[look.answer].name}")
    if look.answer in accounts:
        is_manager = look.answer == management_account_id(look.connection)
        why = "which needs no delegation" if is_manager else "which may administer nothing here"
        return _answered(words, False, f"that is {accounts[look.answer].name!r}, {why}")
    found = f"{look.answer!r} is not an account of this organization" if look.answer else _EMPTY
    return _answered(words, False, found)


SETTINGS_EXERCISES = (
    Exercise(
        name="ask_for_the_instance",
        notebook="01_enable_identity_center",
        title="ask for the instance yourself",
        task=(
            "Tools ask the API, not a table. Ask it yourself, in a terminal: which instances are there? Among"
            " what it answers is the id of the identity store. Give that as the answer below."
        ),
        hint=(
            "File → New → Terminal: in the sandbox the AWS CLI there talks to the sandbox. Then:\n"
            "    aws sso-admin list-instances\n"
            "Now ask in another Region, and compare:\n"
            "    aws sso-admin list-instances --region eu-west-1"
        ),
        afterwards="Nothing remains: you only looked.",
        examine=_identity_store,
        asks=True,
    ),
    Exercise(
        name="one_more_mapping",
        notebook="02_settings",
        title="let policies see one more attribute",
        task=(
            "Policies shall see people's division too: map the key `{key}` to `{source}`, and keep what is"
            " mapped already. Then run the step's plan again: what does it say about you?"
        ),
        hint=(
            "By the form: one more line under “Attributes”, Review, Apply. By the CLI, with all mappings,"
            " because the call replaces the whole list:\n"
            "    aws sso-admin update-instance-access-control-attribute-configuration"
            " --instance-arn ARN --instance-access-control-attribute-configuration"
            ' \'{{"AccessControlAttributes": [{{"Key": "{key}", "Value": {{"Source": ["{source}"]}}}}, …]}}\''
        ),
        afterwards=(
            "The scenario does not name the new key, so the next plan of this step offers to take it away:"
            " applying it cleans up."
        ),
        examine=_mapping,
        names={"key": "Division", "source": "${path:enterprise.division}"},
    ),
    Exercise(
        name="shorter_portal_session",
        notebook="03_authentication",
        title="a shorter day",
        task=(
            "Eight hours is a long time for a laptop in a café. Let a session of the access portal last four"
            " hours (`{duration}`), and leave background sessions as they are."
        ),
        hint=(
            "By the form of “Sessions” above: user interactive, Review, Apply. Or on the sandbox's settings"
            " page: File → New Launcher has a tile for it, and in a terminal this prints the link:\n"
            "    idc sandbox pages\n"
            "On AWS: Settings → Authentication → Session duration → Configure."
        ),
        afterwards="The scenario says eight hours: planning and applying “Sessions” again sets it back.",
        examine=_portal_session,
        names={"duration": "PT4H"},
    ),
    Exercise(
        name="name_the_delegate",
        notebook="04_management",
        title="who else holds the keys?",
        task=(
            "Which account, apart from the management account, may administer Identity Center?"
            " Answer with its id, as AWS Organizations shows it."
        ),
        hint=(
            "Delegation is a matter of AWS Organizations, not of Identity Center; its name there is the"
            " service principal:\n"
            "    aws organizations list-delegated-administrators --service-principal sso.amazonaws.com"
        ),
        afterwards="Nothing remains: you only looked.",
        examine=_delegate,
        asks=True,
    ),
)
"""In the order of the notebooks."""
