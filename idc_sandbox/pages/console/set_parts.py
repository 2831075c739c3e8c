"""What the screens of permission sets share: calls and forms of one; and the wizard that makes one."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.responses import Response

from idc_sandbox.api.sso_admin.permission_sets import MAXIMUM_POLICIES, policy_name, require_inline_policy
from idc_sandbox.api.sso_admin.provisioning import NOT_LATEST
from idc_sandbox.api.sso_admin.rules import require_tags
from idc_sandbox.errors import ServiceError, validation_error
from idc_sandbox.pages.console.access import permission_sets_by_arn
from idc_sandbox.pages.console.desk import ROOT, Console, Screen
from idc_sandbox.pages.console.directory import filled_rows
from idc_sandbox.pages.visits import duration_words
from idc_sandbox.wire.models import service_model, violations
from idc_sandbox.wire.permissions import require_permission

AWS_POLICY = "arn:aws:iam::aws:policy/"
# https://docs.aws.amazon.com/singlesignon/latest/userguide/permissionsetpredefined.html lists eleven; the
# console has the second one too.
PREDEFINED_POLICIES = {
    "AdministratorAccess": ("AdministratorAccess", "Everything, in all services."),
    "AWSManagementConsoleAdministratorAccess": (
        "job-function/AWSManagementConsoleAdministratorAccess",
        "Everything that the Management Console itself offers.",
    ),
    "Billing": ("job-function/Billing", "Bills, payments, budgets and costs."),
    "DatabaseAdministrator": ("job-function/DatabaseAdministrator", "Databases, and what runs them."),
    "DataScientist": ("job-function/DataScientist", "Services for analysing data."),
    "NetworkAdministrator": ("job-function/NetworkAdministrator", "Networks and their connections."),
    "PowerUserAccess": ("PowerUserAccess", "Everything but users, groups and organizations."),
    "ReadOnlyAccess": ("ReadOnlyAccess", "Reads everything, contents included, and changes nothing."),
    "SecurityAudit": ("SecurityAudit", "Reads how security is configured."),
    "SupportUser": ("job-function/SupportUser", "Works on support cases with AWS."),
    "SystemAdministrator": ("job-function/SystemAdministrator", "Servers and what applications need."),
    "ViewOnlyAccess": ("job-function/ViewOnlyAccess", "Lists what there is, without contents."),
}
_MOST_FOUND = 40  # of one search
# How long one session lasts: as the API says it, and as the screen does.
SESSION_DURATIONS = {f"PT{hours}H": duration_words(hours * 3600) for hours in range(1, 13)}


class PermissionSet:
    """One permission set at the console."""

    def __init__(self, console: Console, arn: str) -> None:
        self.console = console
        self.arn = arn

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"/permission-sets/{self.arn.rpartition('/')[2]}"

    def call(self, operation_name: str, **request: Any) -> dict[str, Any]:
        """Return the answer to an operation on this set."""
        return self.console.call_sso(operation_name, PermissionSetArn=self.arn, **request)

    def items(self, operation_name: str, **request: Any) -> list[Any]:
        """Return the items of a list of this set's."""
        return self.console.list_sso(operation_name, PermissionSetArn=self.arn, **request)

    def describe(self) -> dict[str, Any]:
        """Return the set's settings."""
        described: dict[str, Any] = self.call("DescribePermissionSet")["PermissionSet"]
        return described

    def accounts(self, *, are_outdated: bool = False) -> list[str]:
        """Return the accounts that have the set, or those of them that lag behind it."""
        status = {"ProvisioningStatus": NOT_LATEST} if are_outdated else {}
        return self.items("ListAccountsForProvisionedPermissionSet", **status)

    def policies(self) -> Policies:
        """Return the policies that the set has."""
        managed = self.items("ListManagedPoliciesInPermissionSet")
        try:
            boundary = self.call("GetPermissionsBoundaryForPermissionSet")["PermissionsBoundary"]
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            boundary = None  # that is how the API says that there is none
        return Policies(
            managed=[policy["Arn"] for policy in managed],
            customer=self.items("ListCustomerManagedPolicyReferencesInPermissionSet"),
            inline=self.call("GetInlinePolicyForPermissionSet").get("InlinePolicy", ""),
            boundary=boundary,
        )

    def tags(self) -> list[dict[str, str]]:
        """Return the set's tags."""
        return self.console.list_sso("ListTagsForResource", ResourceArn=self.arn)

    def change_tags(self, operation_name: str, **request: Any) -> None:
        """Add or remove tags."""
        self.console.call_sso(operation_name, ResourceArn=self.arn, **request)

    def add_policies(self, policies: Policies) -> None:
        """Give the set policies, in addition to those that it has."""
        for arn in policies.managed:
            self.call("AttachManagedPolicyToPermissionSet", ManagedPolicyArn=arn)
        for reference in policies.customer:
            self.call(
                "AttachCustomerManagedPolicyReferenceToPermissionSet",
                CustomerManagedPolicyReference=reference,
            )
        if policies.inline:
            self.call("PutInlinePolicyToPermissionSet", InlinePolicy=policies.inline)
        if policies.boundary:
            self.call("PutPermissionsBoundaryToPermissionSet", PermissionsBoundary=policies.boundary)

    def provision_everywhere(self) -> str:
        """Bring all accounts that have the set up to date; return how the name of the notice of it ends."""
        # Source: https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosessionduration.html
        if not self.accounts():
            return ""
        try:
            self.call("ProvisionPermissionSet", TargetType="ALL_PROVISIONED_ACCOUNTS")
        except ServiceError as error:
            if error.code != "ThrottlingException":
                raise
            return "-but-outdated"  # what was saved stays: too many provisionings are outstanding
        return "-and-provisioned"


class Policies(NamedTuple):
    """The policies of a permission set, as the API names them."""

    managed: list[str]
    customer: list[dict[str, str]]
    inline: str
    boundary: dict[str, Any] | None


class FoundPolicies(NamedTuple):
    """AWS managed policies that a search found, how many more it did, and why it could not."""

    arns: list[str]
    left_out: int = 0
    problem: str = ""


def find_managed_policies(console: Console, words: str) -> FoundPolicies:
    """Return the AWS managed policies whose names have all the words; without words the predefined ones."""
    double = console.context.double
    try:
        require_permission(double, console.context.caller, "iam:ListPolicies")
    except ServiceError as denied:
        return FoundPolicies([], problem=denied.message)
    if not words.strip():
        return FoundPolicies([AWS_POLICY + name for name, _ in PREDEFINED_POLICIES.values()])
    wanted = words.casefold().split()
    found = [
        arn
        for arn in double.aws_managed_policies()
        if all(word in arn.removeprefix(AWS_POLICY).casefold() for word in wanted)
    ]
    found.sort(key=lambda arn: policy_name(arn).casefold() != " ".join(wanted))  # the very name first
    return FoundPolicies(found[:_MOST_FOUND], max(0, len(found) - _MOST_FOUND))


def chosen_policies(console: Console, *, with_boundary: bool) -> Policies:
    """Return the policies that a form names, all of them checked."""
    form = console.form
    managed, customer = list(dict.fromkeys(form.getlist("managed"))), _chosen_references(console)
    unknown = [arn for arn in managed if not console.context.double.is_managed_policy(arn)]
    if unknown:
        raise validation_error(f"AWS has no managed policy {unknown[0]!r}.")
    if len(managed) + len(customer) > MAXIMUM_POLICIES:
        raise validation_error(
            f"A permission set has at most {MAXIMUM_POLICIES} managed policies, AWS's and your own together."
        )
    inline = form.get("inline", "").strip().replace("\r\n", "\n")  # forms send the former
    if inline:
        require_inline_policy(inline)
    if not with_boundary and (form.get("boundary_managed") or form.get("boundary_name")):
        raise validation_error("Tick “Use a permissions boundary”, or empty the fields that name one.")
    boundary = chosen_boundary(console) if with_boundary else None
    return Policies(managed, customer, inline, boundary)


def _chosen_references(console: Console) -> list[dict[str, str]]:
    """Return the customer managed policies that a form names; an empty row is none."""
    form = console.form
    rows = zip(form.getlist("customer_name"), form.getlist("customer_path"), strict=False)
    references = [_reference(name, path) for name, path in rows if name.strip()]
    keys = [(one["Name"].casefold(), one["Path"]) for one in references]
    twice = [name for name, path in keys if keys.count((name, path)) > 1]
    if twice:
        raise validation_error(f"The customer managed policy {twice[0]!r} is named twice.")
    return references


def _reference(name: str, path: str) -> dict[str, str]:
    reference = {"Name": name.strip(), "Path": path.strip() or "/"}
    if ":" in reference["Name"]:
        raise validation_error(
            f"{reference['Name']!r} is an ARN: type the policy's name alone, and its path beside it."
        )
    shape = service_model("sso-admin").shape_for("CustomerManagedPolicyReference")
    if violations(shape, reference, ""):
        raise validation_error(
            f"{reference['Path'] + reference['Name']!r} cannot be a policy's path and name. A name has 1 to "
            "128 letters, digits and + = , . @ - _, and a path begins and ends with a slash, such as /teams/."
        )
    return reference


def chosen_boundary(console: Console) -> dict[str, Any]:
    """Return the permissions boundary that a form names."""
    form = console.form
    if form.get("boundary_kind") == "customer":
        if not form.get("boundary_name", "").strip():
            raise validation_error("Type the name of the customer managed policy that is the boundary.")
        reference = _reference(form["boundary_name"], form.get("boundary_path", ""))
        return {"CustomerManagedPolicyReference": reference}
    named = form.get("boundary_managed", "").strip()
    if not named:
        raise validation_error("Type the name of the AWS managed policy that is the boundary.")
    known = console.context.double.aws_managed_policies()
    found = [arn for arn in known if named in (arn, arn.removeprefix(AWS_POLICY), policy_name(arn))]
    if not found:
        raise validation_error(f"AWS has no managed policy {named!r}. Names are case-sensitive.")
    return {"ManagedPolicyArn": found[0]}


def checked_settings(console: Console, *, now: dict[str, Any]) -> dict[str, str | None]:
    """Return description, session duration and relay state of a form; `now` is what the set has."""
    form = console.form
    description, relay = form.get("description", "").strip(), form.get("relay_state", "").strip()
    duration = form.get("session_duration", "")
    if duration not in {*SESSION_DURATIONS, now.get("SessionDuration")}:
        raise validation_error("Session duration: choose 1 to 12 hours.")
    if description:
        _require_fit("Description", description, "use at most 700 characters of a Western script.")
    elif now.get("Description"):
        raise validation_error("Description: it can be changed, but not emptied: the API has no way to.")
    if relay and relay != now.get("RelayState"):
        _require_fit("RelayState", relay, "use at most 240 characters, without spaces at the ends.")
        if not _is_console_address(relay):
            raise validation_error(
                "Relay state: type the address of a page of the AWS Management Console, such as "
                "https://us-east-1.console.aws.amazon.com/s3/home."
            )
    return {"Description": description or None, "SessionDuration": duration, "RelayState": relay or None}


def require_set_name(console: Console, name: str) -> None:
    """Refuse a name that a permission set cannot have, or that another one has."""
    if not name:
        raise validation_error("Permission set name: type one.")
    _require_fit("Name", name, "use at most 32 letters, digits and + = , . @ - _, and no spaces.")
    try:
        names = {one["Name"] for one in permission_sets_by_arn(console).values()}
    except ServiceError:
        return  # they may not be read: creating the set will say what else is wrong
    if name in names:
        raise validation_error(f"Permission set name: {name!r} exists already.")


def chosen_tags(console: Console) -> list[dict[str, str]]:
    """Return the tags that a form names; an empty row is none."""
    rows = filled_rows(console, "tag_key", "tag_value")
    tags = [{"Key": key, "Value": value} for key, value in rows]
    shape = service_model("sso-admin").shape_for("Tag")
    for tag in tags:
        if not tag["Key"]:
            raise validation_error(f"Tags: the value {tag['Value']!r} has no key.")
        if violations(shape, tag, ""):
            raise validation_error(
                f"Tags: {tag['Key']!r} cannot be a tag. A key has up to 128 letters, digits, spaces and "
                "_ . : / = + - @, a value up to 256 of them."
            )
    require_tags(tags)
    return tags


def _require_fit(member: str, value: str, rule: str) -> None:
    shape = service_model("sso-admin").operation_model("CreatePermissionSet").input_shape
    assert shape is not None
    if violations(shape.members[member], value, ""):
        label = {"Name": "Permission set name", "RelayState": "Relay state"}.get(member, member)
        raise validation_error(f"{label}: {rule}")


def _is_console_address(address: str) -> bool:
    # That the console refuses other addresses is UNCONFIRMED; its text says that it wants one of a console.
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "https" and f".{host}".endswith(
        (".console.aws.amazon.com", ".console.amazonaws.cn", ".console.amazonaws-us-gov.com")
    )


_STEPS = ("type", "policies", "details", "review")
_LONGEST_NAME = 32
_TITLES = {
    "type": "Select permission set type",
    "policies": "Specify policies and permissions boundary",
    "details": "Specify permission set details",
    "review": "Review and create",
}
# What each step asks for. The other steps carry it along, hidden.
_FIELDS = {
    "type": ("kind", "predefined"),
    "policies": (
        "policy_search",
        "managed",
        "customer_name",
        "customer_path",
        "inline",
        "use_boundary",
        "boundary_kind",
        "boundary_managed",
        "boundary_name",
        "boundary_path",
    ),
    "details": (
        "name",
        "prefilled",
        "description",
        "session_duration",
        "relay_state",
        "tag_key",
        "tag_value",
    ),
    "review": (),
}


def show_wizard(console: Console) -> Response:
    """Show the first step, or the one whose form was refused."""
    step = console.form.get("step", "type")
    # What is wrong at the end is shown over the review; from there each step can be edited.
    return _show_step(console, step if step in _STEPS else "type")


def take_wizard(console: Console) -> Response:
    """Check a step that was filled in, and show another one; create the set after the last."""
    step = console.form.get("step", "")
    steps = _steps(console)
    if step not in steps:
        return _show_step(console, "type")
    wanted = console.form.get("go") or "next"
    if wanted == "next":
        wanted = (*steps, "create")[steps.index(step) + 1]
    if wanted == "create":
        return _create(console)
    if wanted in steps and steps.index(wanted) > steps.index(step):
        for passed in steps[: steps.index(wanted)]:
            _check_step(console, passed)
    return _show_step(console, wanted if wanted in steps else step)


def _is_custom(console: Console) -> bool:
    return bool(console.form.get("kind") == "custom")


def _steps(console: Console) -> tuple[str, ...]:
    return _STEPS if _is_custom(console) else tuple(step for step in _STEPS if step != "policies")


def _check_step(console: Console, step: str) -> None:
    """Refuse what a step cannot be left with."""
    if step == "type":
        if console.form.get("kind") not in ("predefined", "custom"):
            raise validation_error("Choose a predefined or a custom permission set.")
        if not _is_custom(console) and console.form.get("predefined") not in PREDEFINED_POLICIES:
            raise validation_error("Choose a policy for the predefined permission set.")
    if step == "policies":
        _policies(console)
    if step == "details":
        require_set_name(console, console.form.get("name", "").strip())
        checked_settings(console, now={})
        chosen_tags(console)


def _policies(console: Console) -> Policies:
    if not _is_custom(console):
        _check_step(console, "type")
        name, _ = PREDEFINED_POLICIES[console.form["predefined"]]
        return Policies([AWS_POLICY + name], [], "", None)
    return chosen_policies(console, with_boundary="use_boundary" in console.form)


def _create(console: Console) -> Response:
    """Create the set with its policies: all of it, or nothing."""
    for step in _steps(console):
        _check_step(console, step)
    name = console.form["name"].strip()
    settings = checked_settings(console, now={})
    tags = chosen_tags(console) or None
    created = console.call_sso("CreatePermissionSet", Name=name, Tags=tags, **settings)
    made = PermissionSet(console, created["PermissionSet"]["PermissionSetArn"])
    made.add_policies(_policies(console))
    return console.go("/permission-sets", "permission-set-created", name)


def _show_step(console: Console, step: str) -> Response:
    steps, form = _steps(console), console.form
    carried = [
        (name, value)
        for name, value in form.multi_items()
        if any(name in _FIELDS[other] for other in _STEPS if other != step)
    ]
    shown: dict[str, Any] = {}
    if step == "policies":
        shown["found"] = find_managed_policies(console, form.get("policy_search", ""))
    if step == "details":
        shown |= _details(console)
    if step == "review":
        shown |= _reviewed(console)
    return console.show(
        "permission-set-create.html",
        crumbs=(("Permission sets", f"{ROOT}/permission-sets"),),
        title=_TITLES[step],
        step=step,
        steps=[(one, _TITLES[one]) for one in steps],
        number=steps.index(step) + 1 if step in steps else 0,
        before=steps[steps.index(step) - 1] if step in steps and step != "type" else "",
        form=form,
        carried=carried,
        predefined=PREDEFINED_POLICIES,
        durations=SESSION_DURATIONS,
        **shown,
    )


def _reviewed(console: Console) -> dict[str, Any]:
    """Return what the review shows of the policies and tags."""
    try:
        return {"policies": _policies(console), "tags": chosen_tags(console)}
    except ServiceError:
        if not console.problem:
            raise
        return {"policies": None, "tags": []}  # the page says what is wrong with them


def _details(console: Console) -> dict[str, str]:
    """Return the name that the details begin with: a predefined set has its policy's until it is changed."""
    name, prefilled = console.form.get("name", ""), console.form.get("prefilled", "")
    wanted = "" if _is_custom(console) else console.form.get("predefined", "")
    # One of the twelve is too long to be a set's name. What the console offers for it is UNCONFIRMED.
    wanted = wanted if len(wanted) <= _LONGEST_NAME else ""
    return {"name": wanted if name == prefilled else name, "prefilled": wanted}


WIZARD_SCREENS = (Screen("/permission-sets/create", show_wizard, take_wizard),)
