"""The practice console's permission sets: the list, the wizard, one set's page, and what provisions it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_visitor import PASSWORD, Place, Visitor

SETS = "/start/practice-console/permission-sets"
POLICY = "arn:aws:iam::aws:policy/"
INLINE = '{"Version": "2012-10-17",\n "Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}'
RELAY = "https://eu-west-1.console.aws.amazon.com/s3/home"


@pytest.fixture
def administrator(place) -> Visitor:
    """Return a browser that the owner's link has let into the console."""
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    return visitor


class Sets:
    """What the API says of permission sets."""

    def __init__(self, place: Place) -> None:
        self.portal, self.api = place.portal, place.portal.sso_admin
        self.instance = {"InstanceArn": place.portal.instance["InstanceArn"]}

    def arns(self) -> dict[str, str]:
        """Return the ARNs of all sets by name."""
        arns = self.api.list_permission_sets(**self.instance)["PermissionSets"]
        return {self.describe(arn)["Name"]: arn for arn in arns}

    def describe(self, arn: str) -> dict[str, Any]:
        described: dict[str, Any] = self.api.describe_permission_set(**self.instance, PermissionSetArn=arn)[
            "PermissionSet"
        ]
        return described

    def read(self, arn: str) -> dict[str, Any]:
        """Return a set with all that is in it and is not empty; without its ARN and date."""
        api, named = self.api, {**self.instance, "PermissionSetArn": arn}
        described = self.describe(arn)
        try:
            boundary = api.get_permissions_boundary_for_permission_set(**named)["PermissionsBoundary"]
        except api.exceptions.ResourceNotFoundException:
            boundary = None
        managed = api.list_managed_policies_in_permission_set(**named)["AttachedManagedPolicies"]
        customer = api.list_customer_managed_policy_references_in_permission_set(**named)
        tags = api.list_tags_for_resource(**self.instance, ResourceArn=arn)["Tags"]
        found = {
            "name": described["Name"],
            "description": described.get("Description"),
            "duration": described["SessionDuration"],
            "relay": described.get("RelayState"),
            "managed": [one["Arn"].removeprefix(POLICY) for one in managed],
            "customer": [
                f"{one['Path']}{one['Name']}" for one in customer["CustomerManagedPolicyReferences"]
            ],
            "inline": api.get_inline_policy_for_permission_set(**named)["InlinePolicy"],
            "boundary": boundary,
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
        }
        return {name: value for name, value in found.items() if value}

    def outdated(self, arn: str) -> list[str]:
        """Return the accounts that lag behind a set."""
        status = "LATEST_PERMISSION_SET_NOT_PROVISIONED"
        found: list[str] = self.api.list_accounts_for_provisioned_permission_set(
            **self.instance, PermissionSetArn=arn, ProvisioningStatus=status
        )["AccountIds"]
        return found


@pytest.fixture
def sets(place) -> Sets:
    return Sets(place)


def page_of(arn: str) -> str:
    return f"{SETS}/{arn.rpartition('/')[2]}"


def fields_of(visitor: Visitor) -> dict[str, Any]:
    """Return what a browser would send of the page's wizard, but for its buttons."""
    form = visitor.page.text.partition('action="' + SETS + '/create"')[2].partition("</form>")[0]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        attributes = dict(re.findall(r'([a-z_]+)="([^"]*)"', tag))
        is_choice = attributes.get("type") in ("radio", "checkbox")
        if is_choice and " checked" not in tag:
            continue
        found.setdefault(attributes["name"], []).append(attributes["value"].replace("&#34;", '"'))
    for name, options in re.findall(r'<select id="\w+" name="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        found[name] = re.findall(r'value="(\w+)" selected', options)
    for name, text in re.findall(r'<textarea id="\w+" name="(\w+)".*?>\n(.*?)</textarea>', form, re.DOTALL):
        found[name] = [text.replace("&#34;", '"')]
    return {name: values for name, values in found.items() if name != "csrf_token"}


def go(visitor: Visitor, target: str = "next", **typed: Any) -> str:
    """Fill the page of the wizard in, press one of its buttons, and return the next heading."""
    fields = fields_of(visitor)
    for name in [name for name, value in typed.items() if value is None]:
        fields.pop(name, None)
        del typed[name]
    visitor.send("/permission-sets/create", **fields | typed, go=target)
    return visitor.heading


TYPE, POLICIES = "Select permission set type", "Specify policies and permissions boundary"
DETAILS, REVIEW, LIST = "Specify permission set details", "Review and create", "Permission sets"


def test_a_predefined_set_has_its_policys_name(administrator, sets):
    administrator.open(SETS)
    assert "There is no permission set yet" in administrator.message
    administrator.open(f"{SETS}/create")
    assert administrator.heading == TYPE
    assert fields_of(administrator)["predefined"] == ["AdministratorAccess"]
    assert len(re.findall('name="predefined"', administrator.page.text)) == 12
    assert go(administrator, predefined="Billing") == DETAILS
    assert fields_of(administrator)["name"] == ["Billing"]
    assert fields_of(administrator)["session_duration"] == ["PT1H"]
    assert go(administrator) == REVIEW
    assert administrator.value("session_duration") == "1 hour"
    assert sets.arns() == {}
    assert go(administrator, "create") == LIST
    assert "The permission set Billing is created" in administrator.message
    (arn,) = sets.arns().values()
    expected = {"name": "Billing", "duration": "PT1H", "managed": ["job-function/Billing"]}
    assert sets.read(arn) == expected
    assert page_of(arn) in administrator.page.text


@pytest.mark.parametrize(
    "name",
    [
        "AdministratorAccess",
        "AWSManagementConsoleAdministratorAccess",
        "Billing",
        "DatabaseAdministrator",
        "DataScientist",
        "NetworkAdministrator",
        "PowerUserAccess",
        "ReadOnlyAccess",
        "SecurityAudit",
        "SupportUser",
        "SystemAdministrator",
        "ViewOnlyAccess",
    ],
)
def test_every_predefined_policy_can_be_created(administrator, sets, name):
    administrator.open(f"{SETS}/create")
    go(administrator, predefined=name)
    short = name[:32]
    assert fields_of(administrator)["name"] == [name if name == short else ""]  # no set can have the long one
    go(administrator, name=short)
    assert go(administrator, "create") == LIST
    (managed,) = sets.read(sets.arns()[short])["managed"]
    assert managed.rpartition("/")[2] == name


def test_a_custom_set_has_all_that_was_typed(administrator, sets):
    administrator.open(f"{SETS}/create")
    assert go(administrator, kind="custom") == POLICIES
    assert go(administrator, "search", policy_search="s3 readONLY") == POLICIES
    assert f'value="{POLICY}AmazonS3ReadOnlyAccess"' in administrator.page.text
    go(administrator, "search", policy_search="billing")
    boxes = re.findall(r'name="managed" value="([^"]+)"', administrator.page.text)
    assert boxes[0] == f"{POLICY}job-function/Billing"  # of all that have the word, the very name comes first
    assert 'AWS managed policies <span class="hint">(not set)' in administrator.page.text  # it only searched
    assert go(administrator, "search", policy_search="no such", managed=f"{POLICY}Billing") == POLICIES
    assert fields_of(administrator)["managed"] == [f"{POLICY}Billing"]  # ticked, though it was not found
    go(administrator, "more-policies", customer_name="Keys", customer_path="/teams/")
    assert fields_of(administrator)["customer_name"] == ["Keys", ""]
    chosen = {
        "managed": [f"{POLICY}AmazonS3ReadOnlyAccess", f"{POLICY}job-function/Billing"],
        "customer_name": ["Keys", "Logs"],
        "customer_path": ["/teams/", ""],
        "inline": INLINE.replace("\n", "\r\n"),  # as browsers send it
        "use_boundary": "yes",
        "boundary_managed": "PowerUserAccess",
    }
    assert go(administrator, **chosen) == DETAILS
    assert fields_of(administrator)["name"] == [""]
    go(administrator, "more-tags", name="Auditors", tag_key="team", tag_value="audit")
    settings = {
        "description": "Reads “buckets”"[:5],
        "session_duration": "PT8H",
        "relay_state": RELAY,
        "tag_key": ["team", "cost center", ""],
        "tag_value": ["audit", "", ""],
    }
    assert go(administrator, **settings) == REVIEW
    shown = {name: administrator.value(name) for name in ("managed", "customer", "boundary", "tags")}
    assert shown == {
        "managed": "AmazonS3ReadOnlyAccess, Billing",
        "customer": "/teams/Keys, /Logs",
        "boundary": "PowerUserAccess (AWS managed)",
        "tags": "team = audit, cost center = –",
    }
    assert administrator.value("session_duration") == "8 hours"
    assert go(administrator, "create") == LIST
    assert sets.read(sets.arns()["Auditors"]) == {
        "name": "Auditors",
        "description": "Reads",
        "duration": "PT8H",
        "relay": RELAY,
        "managed": ["AmazonS3ReadOnlyAccess", "job-function/Billing"],
        "customer": ["/teams/Keys", "/Logs"],
        "inline": INLINE,
        "boundary": {"ManagedPolicyArn": f"{POLICY}PowerUserAccess"},
        "tags": {"team": "audit", "cost center": ""},
    }


def test_previous_and_edit_keep_everything(administrator, sets):
    administrator.open(f"{SETS}/create")
    go(administrator, kind="custom")
    go(administrator, managed=[f"{POLICY}SecurityAudit"], customer_name="Keys", inline=INLINE)
    assert go(administrator, "policies", name="half a", session_duration="PT4H") == POLICIES  # Previous
    before = fields_of(administrator)
    assert (before["name"], before["managed"]) == (["half a"], [f"{POLICY}SecurityAudit"])
    assert (before["customer_name"], before["inline"]) == (["Keys"], [INLINE])
    assert go(administrator) == DETAILS
    assert fields_of(administrator)["session_duration"] == ["PT4H"]
    assert go(administrator, name="Whole") == REVIEW
    for target, heading in (("type", TYPE), ("policies", POLICIES), ("details", DETAILS)):
        assert go(administrator, target) == heading
        while administrator.heading != REVIEW:
            go(administrator)
    assert go(administrator, "create") == LIST
    created = sets.read(sets.arns()["Whole"])
    assert created["managed"] == ["SecurityAudit"]
    assert (created["customer"], created["inline"], created["duration"]) == (["/Keys"], INLINE, "PT4H")


def test_the_name_follows_the_policy_until_somebody_changes_it(administrator):
    administrator.open(f"{SETS}/create")
    go(administrator, predefined="Billing")
    go(administrator, "type")
    go(administrator, predefined="SupportUser")
    assert fields_of(administrator)["name"] == ["SupportUser"]
    go(administrator, "type", name="Helpers")
    go(administrator, predefined="Billing")
    assert fields_of(administrator)["name"] == ["Helpers"]
    go(administrator, "type", name="Billing")
    go(administrator, kind="custom")
    go(administrator)
    assert fields_of(administrator)["name"] == [""]


LONG = "x" * 33
REFUSED_POLICIES = [
    ({"managed": f"{POLICY}NoSuchPolicy"}, "no managed policy 'arn:aws:iam::aws:policy/NoSuchPolicy'"),
    ({"customer_name": "arn:aws:iam::123456789012:policy/Keys"}, "type the policy's name alone"),
    ({"customer_name": "two words"}, "cannot be a policy's path and name"),
    ({"customer_name": "Keys", "customer_path": "teams"}, "begins and ends with a slash"),
    ({"customer_name": ["Keys", "keys"], "customer_path": ["/", ""]}, "is named twice"),
    (
        {"customer_name": [f"P{n}" for n in range(26)], "customer_path": ["/"] * 26},
        "at most 25 managed policies",
    ),
    ({"inline": "{"}, "It is not JSON: Expecting property name"),
    ({"inline": '{"Version": "2012-10-17"}'}, "It must have a Statement"),
    ({"inline": '{"Statement": [], "x": "' + "y" * 10_240 + '"}'}, "maximum limit of 10240 bytes"),
    ({"use_boundary": "yes"}, "Type the name of the AWS managed policy"),
    ({"use_boundary": "yes", "boundary_managed": "billing"}, "Names are case-sensitive"),
    ({"use_boundary": "yes", "boundary_kind": "customer"}, "Type the name of the customer managed policy"),
    ({"use_boundary": "yes", "boundary_kind": "customer", "boundary_name": "a b"}, "cannot be a policy's"),
    ({"boundary_managed": "Billing"}, "Tick “Use a permissions boundary”"),
]
REFUSED_DETAILS = [
    ({"name": ""}, "Permission set name: type one"),
    ({"name": "two words"}, "Permission set name: use at most 32"),
    ({"name": LONG}, "Permission set name: use at most 32"),
    ({"name": "Taken"}, "'Taken' exists already"),
    ({"description": "x" * 701}, "Description: use at most 700"),
    ({"session_duration": "PT13H"}, "Session duration: choose 1 to 12 hours"),
    ({"relay_state": "https://example.com/s3"}, "Relay state: type the address of a page"),
    ({"relay_state": "https://[console.aws.amazon.com"}, "Relay state: type the address of a page"),
    ({"relay_state": "http://console.aws.amazon.com/s3"}, "Relay state: type the address of a page"),
    ({"relay_state": f"{RELAY}/{'x' * 240}"}, "Relay state: use at most 240"),
    ({"tag_value": "audit"}, "the value 'audit' has no key"),
    ({"tag_key": "a*b"}, "'a*b' cannot be a tag"),
    ({"tag_key": "AWS:team"}, "reserved for AWS"),
    ({"tag_key": ["a", "a"], "tag_value": ["", ""]}, "may be given once"),
]


@pytest.mark.parametrize(("typed", "words"), REFUSED_POLICIES)
def test_policies_are_checked_where_they_are_chosen(administrator, typed, words):
    administrator.open(f"{SETS}/create")
    go(administrator, kind="custom")
    assert go(administrator, **typed) == POLICIES
    assert administrator.page.status_code == 400
    assert words in administrator.message
    kept = fields_of(administrator)
    for name, value in typed.items():
        assert kept[name] == (value if isinstance(value, list) else [value])


@pytest.mark.parametrize(("typed", "words"), REFUSED_DETAILS)
def test_details_are_checked_where_they_are_typed(place, administrator, typed, words):
    place.portal.add_permission_set("Taken")
    administrator.open(f"{SETS}/create")
    go(administrator, predefined="Billing")
    assert go(administrator, **typed) == DETAILS
    assert administrator.page.status_code == 400
    assert words in administrator.message
    kept = fields_of(administrator)
    for name, value in typed.items():
        if name != "session_duration":  # there is no such choice to keep
            assert kept[name] == (value if isinstance(value, list) else [value])


@pytest.mark.parametrize("typed", [{"kind": "other"}, {"kind": "predefined", "predefined": "Everything"}])
def test_the_type_is_checked(administrator, typed):
    administrator.open(f"{SETS}/create")
    assert go(administrator, **typed) == TYPE
    assert administrator.page.status_code == 400


@pytest.mark.parametrize(
    ("forged", "heading"),
    [
        ({"step": "review", "go": "create", "kind": "custom", "managed": f"{POLICY}None"}, REVIEW),
        ({"step": "review", "go": "create", "kind": "predefined", "predefined": "None"}, REVIEW),
        ({"step": "policies", "go": "next", "kind": "predefined"}, TYPE),
        ({"step": "elsewhere"}, TYPE),
        ({"step": "details", "go": "review", "kind": "predefined", "name": "A"}, DETAILS),
        ({"step": "details", "go": "elsewhere", "kind": "predefined", "name": "A"}, DETAILS),
    ],
)
def test_a_form_that_no_page_sends_creates_nothing(administrator, sets, forged, heading):
    administrator.open(f"{SETS}/create")
    administrator.send("/create", **forged)
    assert administrator.heading == heading
    assert administrator.page.status_code < 500
    assert sets.arns() == {}


def test_a_creation_that_fails_half_way_leaves_nothing(administrator, sets, monkeypatch):
    administrator.open(f"{SETS}/create")
    go(administrator, predefined="Billing")
    go(administrator)
    # AWS might refuse the policy after the set was created: the sandbox then knows the policy no more.
    monkeypatch.setattr("idc_sandbox.aws_double.double.AwsDouble.is_managed_policy", lambda *_: False)
    assert go(administrator, "create") == REVIEW
    assert administrator.page.status_code == 400
    assert "No AWS managed policy" in administrator.message
    assert sets.arns() == {}


def test_the_list_finds_by_name_arn_and_id(place, administrator):
    arns = {name: place.portal.add_permission_set(name) for name in ("Auditors", "Billing")}
    for search, found in (
        ("audi", ["Auditors"]),
        (arns["Billing"], ["Billing"]),
        (arns["Auditors"].rpartition("/")[2], ["Auditors"]),
        ("", ["Auditors", "Billing"]),
        ("x<y", []),
    ):
        administrator.open(f"{SETS}?search={search}")
        assert re.findall(r'aria-label="Choose (\w+)"', administrator.page.text) == found
    assert "No permission set has “x<y”" in administrator.message


def test_the_list_says_what_is_provisioned_and_deletes_one(place, administrator, sets):
    arns = {name: place.portal.add_permission_set(name) for name in ("Auditors", "Billing")}
    place.portal.assign(arns["Billing"], place.portal.accounts["Production"])
    administrator.open(SETS)
    assert re.findall(r"<td>((?:Not p|P)rovisioned)</td>", administrator.page.text) == [
        "Not provisioned",
        "Provisioned",
    ]
    administrator.send("/permission-sets")
    assert "Choose the permission set" in administrator.message
    administrator.send("/permission-sets", chosen=page_of(arns["Auditors"]).partition("console")[2])
    assert administrator.heading == "Delete permission set"
    for typed in ("", "auditors", "Billing"):
        administrator.send("/delete", typed=typed)
        assert administrator.message == "Problem: Type Auditors to confirm."
        assert administrator.page.status_code == 400
    administrator.send("/delete", typed="Auditors")
    assert administrator.message == "The permission set Auditors is deleted."
    assert list(sets.arns()) == ["Billing"]
    administrator.open(f"{page_of(arns['Billing'])}/delete")
    assert "Production" in administrator.page.text
    administrator.send("/delete", typed="Billing")
    assert "Could not delete because PermissionSet has ApplicationProfile" in administrator.message
    assert list(sets.arns()) == ["Billing"]


@pytest.fixture
def provisioned(place) -> str:
    """Return the ARN of a set that is in an account, up to date, with a policy of each kind."""
    portal = place.portal
    arn = portal.add_permission_set("Auditors", "SecurityAudit", Description="Looks", RelayState=RELAY)
    for account_id in portal.accounts.values():
        portal.clients.client("iam", account=account_id).create_policy(
            PolicyName="Keys", Path="/teams/", PolicyDocument=INLINE
        )
    named = {"InstanceArn": portal.instance["InstanceArn"], "PermissionSetArn": arn}
    keys = {"Name": "Keys", "Path": "/teams/"}
    api = portal.sso_admin
    api.attach_customer_managed_policy_reference_to_permission_set(
        **named, CustomerManagedPolicyReference=keys
    )
    api.put_inline_policy_to_permission_set(**named, InlinePolicy=INLINE)
    api.put_permissions_boundary_to_permission_set(
        **named, PermissionsBoundary={"CustomerManagedPolicyReference": keys}
    )
    portal.assign(arn, portal.accounts["Production"])
    return str(arn)


CHANGES = {
    "edit": (
        "/edit",
        {"description": "Reads", "session_duration": "PT8H", "relay_state": ""},
        {"description": "Reads", "duration": "PT8H", "relay": None},
    ),
    "attach": (
        "/attach",
        {
            "managed": f"{POLICY}Billing".replace("/Billing", "/job-function/Billing"),
            "customer_name": "Keys",
            "customer_path": "/teams/",
        },
        None,
    ),
    "attach-managed": (
        "/attach",
        {"managed": f"{POLICY}ReadOnlyAccess", "customer_name": "", "customer_path": "/"},
        {"managed": ["SecurityAudit", "ReadOnlyAccess"]},
    ),
    "detach-managed": (
        "",
        {"act": "detach-managed", "policy": f"{POLICY}SecurityAudit"},
        {"managed": None},
    ),
    "detach-customer": (
        "",
        {"act": "detach-customer", "name": "Keys", "path": "/teams/"},
        {"customer": None},
    ),
    "inline": (
        "/inline-policy",
        {"inline": INLINE.replace("Get", "List")},
        {"inline": INLINE.replace("Get", "List")},
    ),
    "delete-inline": ("", {"act": "delete-inline"}, {"inline": None}),
    "boundary": (
        "/boundary",
        {"boundary_kind": "managed", "boundary_managed": "ReadOnlyAccess"},
        {"boundary": {"ManagedPolicyArn": f"{POLICY}ReadOnlyAccess"}},
    ),
    "delete-boundary": ("", {"act": "delete-boundary"}, {"boundary": None}),
}


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "attach"])
def test_each_change_takes_effect_and_is_provisioned(place, administrator, sets, provisioned, change):
    path, form, expected = CHANGES[change]
    before = sets.read(provisioned)
    administrator.open(f"{page_of(provisioned)}{path}")
    administrator.send(f"{page_of(provisioned)}{path}", **form)
    assert administrator.heading == "Auditors", administrator.message
    assert "all accounts that have it are being reprovisioned" in administrator.message
    wanted = {name: value for name, value in (before | expected).items() if value is not None}
    assert sets.read(provisioned) == wanted
    place.clients.advance_clock(60)
    assert sets.outdated(provisioned) == []


def test_a_boundary_is_called_by_its_name_without_the_path(place, administrator, sets):
    arn = place.portal.add_permission_set("Auditors")
    boundary = {"ManagedPolicyArn": f"{POLICY}job-function/Billing"}
    sets.api.put_permissions_boundary_to_permission_set(
        **sets.instance, PermissionSetArn=arn, PermissionsBoundary=boundary
    )
    administrator.open(page_of(arn))
    assert administrator.value("boundary") == "Billing (AWS managed)"
    administrator.open(f"{page_of(arn)}/boundary")
    assert re.search('name="boundary_managed"[^>]* value="Billing"', administrator.page.text)
    administrator.send("/boundary", boundary_kind="managed", boundary_managed="Billing")
    assert sets.read(arn)["boundary"] == boundary


def test_what_is_in_no_account_is_changed_only(place, administrator, sets):
    arn = place.portal.add_permission_set("Auditors")
    administrator.open(f"{page_of(arn)}/edit")
    administrator.send("/edit", description="Reads", session_duration="PT2H", relay_state=RELAY)
    assert "so none was reprovisioned" in administrator.message
    assert administrator.value("session_duration") == "2 hours"
    assert sets.read(arn)["description"] == "Reads"
    requests = sets.api.list_permission_set_provisioning_status(**sets.instance)
    assert requests["PermissionSetsProvisioningStatus"] == []


REFUSALS = [
    ("/edit", {"session_duration": "PT1M"}, "Session duration"),
    ("/edit", {"session_duration": "PT1H", "description": ""}, "not emptied"),
    (
        "/edit",
        {"session_duration": "PT1H", "description": "Kept", "relay_state": "https://example.com"},
        "Relay state",
    ),
    ("/attach", {}, "Tick an AWS managed policy"),
    ("/attach", {"managed": f"{POLICY}SecurityAudit"}, "is attached to the permission set"),
    ("/attach", {"customer_name": "arn:aws:x", "customer_path": "/"}, "type the policy's name alone"),
    ("/inline-policy", {"inline": ""}, "The inline policy is empty"),
    ("/inline-policy", {"inline": '{"Kept": '}, "It is not JSON"),
    ("/boundary", {"boundary_kind": "managed", "boundary_managed": ""}, "Type the name of the AWS"),
    ("/boundary", {"boundary_kind": "customer", "boundary_name": "K e"}, "cannot be a policy's path"),
    ("", {}, "Choose what to do"),
    ("", {"act": "detach-managed", "policy": f"{POLICY}Billing"}, "is not attached"),
    ("/tags", {"tag_key": "", "tag_value": ""}, "Tags: type a key"),
    ("/tags", {"tag_key": "aws:x", "tag_value": ""}, "reserved for AWS"),
]


@pytest.mark.parametrize(("path", "form", "words"), REFUSALS)
def test_a_refusal_changes_nothing_and_keeps_what_was_typed(
    administrator, sets, provisioned, path, form, words
):
    before = sets.read(provisioned)
    administrator.open(f"{page_of(provisioned)}{path}")
    administrator.send(f"{page_of(provisioned)}{path}", **form)
    assert administrator.page.status_code == 400
    assert words in administrator.message
    assert sets.read(provisioned) == before
    assert sets.outdated(provisioned) == []
    typed = [
        form[name] for name in ("relay_state", "tag_key", "customer_name", "boundary_name") if name in form
    ]
    for value in typed:
        assert f'value="{value}"' in administrator.page.text
    if form.get("inline"):
        assert "{&#34;Kept&#34;: </textarea>" in administrator.page.text


def test_the_accounts_tab_shows_and_updates_what_the_api_left_behind(place, administrator, sets, provisioned):
    portal, page = place.portal, page_of(provisioned)
    second = portal.accounts["Security tooling"]
    portal.assign(provisioned, second)
    first = portal.accounts["Production"]
    administrator.open(f"{page}/accounts")
    assert administrator.value(f"status-{first}") == "Up to date"
    assert "Production" in administrator.page.text
    portal.sso_admin.delete_inline_policy_from_permission_set(**sets.instance, PermissionSetArn=provisioned)
    administrator.open(f"{page}/accounts")
    assert [administrator.value(f"status-{one}") for one in (first, second)] == ["Out of date"] * 2
    administrator.send("/accounts", account_id="999999999999")
    assert "is not an account of this organization" in administrator.message
    place.clients.switches(asynchronous_duration_s=5.0)
    administrator.send("/accounts", account_id=first)
    assert "Auditors is being provisioned again" in administrator.message
    assert administrator.value(f"status-{first}") == "In progress"
    assert administrator.value(f"status-{second}") == "Out of date"
    place.clients.advance_clock(6)
    assert sets.outdated(provisioned) == [second]
    portal.sso_admin.put_inline_policy_to_permission_set(
        **sets.instance, PermissionSetArn=provisioned, InlinePolicy=INLINE
    )
    administrator.open(f"{page}/accounts")
    assert "Update all" in administrator.page.text
    administrator.send("/accounts")
    assert [administrator.value(f"status-{one}") for one in (first, second)] == ["In progress"] * 2
    place.clients.advance_clock(6)
    assert sets.outdated(provisioned) == []


def test_quick_saves_all_hold_and_the_notice_says_where_update_is(place, administrator, sets, provisioned):
    place.clients.switches(asynchronous_duration_s=60)
    page, said = page_of(provisioned), []
    for hours in range(2, 6):
        administrator.open(f"{page}/edit")
        administrator.send("/edit", description="Looks", session_duration=f"PT{hours}H", relay_state="")
        said.append("choose Update" in administrator.message)
        assert sets.read(provisioned)["duration"] == f"PT{hours}H"
    administrator.open(f"{page}/inline-policy")
    administrator.send("/inline-policy", inline=INLINE.replace("Get", "List"))
    said.append("choose Update" in administrator.message)
    assert sets.read(provisioned)["inline"] == INLINE.replace("Get", "List")
    assert said == [False] * 3 + [True] * 2
    requests = sets.api.list_permission_set_provisioning_status(**sets.instance)
    assert len(requests["PermissionSetsProvisioningStatus"]) == 3


def test_the_accounts_tab_says_why_provisioning_failed(place, administrator, provisioned):
    page = page_of(provisioned)
    administrator.open(f"{page}/attach")
    administrator.send("/attach", customer_name="Missing", customer_path="/")
    place.clients.advance_clock(60)
    administrator.open(f"{page}/accounts")
    account_id = place.portal.accounts["Production"]
    assert administrator.value(f"status-{account_id}") == "Out of date"
    assert f"policy/Missing. Create the policy in account {account_id} first" in administrator.page.text


def test_tags_are_added_changed_and_removed_and_nothing_is_provisioned(administrator, sets, provisioned):
    administrator.open(f"{page_of(provisioned)}/tags")
    for key, value in (("team", "audit"), ("team", "it"), ("cost", "")):
        administrator.send("/tags", tag_key=key, tag_value=value)
        assert administrator.message == "The tags of Auditors are saved."
    assert sets.read(provisioned)["tags"] == {"team": "it", "cost": ""}
    assert "Tags (2)" in administrator.page.text
    administrator.send("/tags", act="remove", key="team")
    assert sets.read(provisioned)["tags"] == {"cost": ""}
    requests = sets.api.list_permission_set_provisioning_status(**sets.instance)
    assert requests["PermissionSetsProvisioningStatus"] == []


@pytest.mark.parametrize(
    ("given", "shown", "words"),
    [("PT1H30M", "PT1H30M", "1 hour 30 minutes"), ("PT120M", "PT2H", "2 hours")],
)
def test_a_duration_that_only_the_api_sets_is_kept(place, administrator, sets, given, shown, words):
    arn = place.portal.add_permission_set("Odd", SessionDuration=given)
    administrator.open(page_of(arn))
    assert administrator.value("session_duration") == words
    administrator.open(f"{page_of(arn)}/edit")
    assert f'<option value="{shown}" selected>{words}</option>' in administrator.page.text
    administrator.send("/edit", session_duration=shown)
    assert sets.read(arn)["duration"] == shown


def test_a_relay_state_that_only_the_api_takes_is_kept(place, administrator, sets):
    arn = place.portal.add_permission_set("Odd", RelayState="https://example.com")
    administrator.open(f"{page_of(arn)}/edit")
    administrator.send("/edit", session_duration="PT3H", relay_state="https://example.com")
    assert sets.read(arn) == {"name": "Odd", "duration": "PT3H", "relay": "https://example.com"}


def test_what_people_call_things_is_text(place, administrator):
    description = "<b>bold</b> {of} {{ of }}"
    arn = place.portal.add_permission_set("Odd", Description=description)
    for path in (SETS, page_of(arn), f"{page_of(arn)}/edit"):
        administrator.open(path)
        assert "&lt;b&gt;bold&lt;/b&gt; {of} {{ of }}" in administrator.page.text
    administrator.open(f"{SETS}?notice=permission-set-deleted&of=<b>{{of}}")
    assert administrator.message == "The permission set <b>{of} is deleted."


def test_an_unknown_set(administrator):
    administrator.open(f"{SETS}/ps-0000000000000000")
    assert administrator.page.status_code == 404
    assert "Could not find PermissionSet" in administrator.message


def come_as(place: Place, role_name: str, policy_name: str) -> Visitor:
    """Return a browser with ana at the console, in a role of the management account."""
    place.set_mfa(user_without_device="allow")
    arn = place.portal.add_permission_set(role_name, policy_name)
    account_id = place.clients.management_account_id
    place.portal.assign(arn, account_id)
    visitor = place.visitor()
    visitor.choose_password(place.invite())
    visitor.sign_in(PASSWORD)
    visitor.open(f"/start/console?account_id={account_id}&role_name={role_name}")
    visitor.send("/enter", account_id=account_id, role_name=role_name)
    return visitor


def test_a_read_only_person_sees_all_and_saves_nothing(place, sets, provisioned):
    reader = come_as(place, "ReadOnlyAccess", "ReadOnlyAccess")
    sets.api.put_inline_policy_to_permission_set(
        **sets.instance, PermissionSetArn=provisioned, InlinePolicy=INLINE.replace("Get", "List")
    )  # so that there is something to update
    before = sets.read(provisioned)
    page = page_of(provisioned)
    reader.open(SETS)
    assert "Auditors" in reader.page.text
    reader.open(f"{page}/accounts")
    assert "Production" in reader.page.text
    for path, form, _ in CHANGES.values():
        reader.open(f"{page}{path}")
        assert reader.page.status_code == 200
        reader.send(f"{page}{path}", **form)
        assert reader.page.status_code == 400
        assert "is not authorized to perform: sso:" in reader.message
    for path, form in (
        ("/tags", {"tag_key": "a", "tag_value": ""}),
        ("/accounts", {"account_id": ""}),
        ("/delete", {"typed": "Auditors"}),
    ):
        reader.open(f"{page}{path}")
        reader.send(f"{page}{path}", **form)
        assert "is not authorized to perform: sso:" in reader.message
    assert sets.read(provisioned) == before
    reader.open(f"{SETS}/create")
    go(reader, predefined="Billing")
    go(reader)
    assert go(reader, "create") == REVIEW
    assert "not authorized to perform: sso:CreatePermissionSet" in reader.message
    assert reader.value("name") == "Billing"
    assert set(sets.arns()) == {"Auditors", "ReadOnlyAccess"}


def test_a_list_that_may_not_be_read_says_so_in_its_place(place):
    person = come_as(place, "Billing", "job-function/Billing")
    person.open(SETS)
    assert person.heading == LIST
    assert "The permission sets cannot be listed: User: arn:aws:sts::" in person.page.text
