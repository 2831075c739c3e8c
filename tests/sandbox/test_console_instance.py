"""Enable, Dashboard and Delete in the practice console, for the management account and for a member."""

from __future__ import annotations

import html
import json

import pytest
from page_visitor import Place

from idc_sandbox.pages.application import console_pages

CONSOLE = "/start/practice-console"


@pytest.fixture
def administrator(place):
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    return visitor


@pytest.fixture
def without_instance(place, administrator):
    """Return a browser at the console of an organization that has no instance."""
    place.portal.sso_admin.delete_instance(InstanceArn=place.portal.instance["InstanceArn"])
    administrator.open(CONSOLE)
    assert administrator.heading == "Enable IAM Identity Center"
    return administrator


def instances(place: Place, region: str = "us-east-1", account: str | None = None):
    return place.clients.client("sso-admin", region, account).list_instances()["Instances"]


def test_the_dashboard_sums_up_the_settings(place, administrator):
    assert administrator.heading == "Dashboard"
    instance_id = place.portal.instance["InstanceArn"].rpartition("/")[2]
    assert administrator.value("name") == "none yet"
    assert administrator.value("identity_source") == "Identity Center directory"
    assert administrator.value("region") == "US East (N. Virginia) | us-east-1"
    assert administrator.value("organization_id").startswith("o-")
    assert administrator.value("portal_url") == place.portal.start_url
    assert administrator.value("issuer_url") == f"https://identitycenter.amazonaws.com/{instance_id}"
    assert "AWS accounts" in administrator.page.text


def test_the_instance_gets_a_name(place, administrator):
    administrator.send(CONSOLE, name=" practice ")
    assert administrator.message == "The instance is named practice."
    assert administrator.value("name") == "practice"
    assert instances(place)[0]["Name"] == "practice"
    for name, message in (("  ", "Type the instance name"), ("a<b", "name")):
        assert administrator.send(CONSOLE, name=name).status_code == 400
        assert message in administrator.message
    assert 'value="a&lt;b"' in administrator.page.text
    assert instances(place)[0]["Name"] == "practice"


@pytest.mark.parametrize(
    ("fields", "region", "has_permission_sets"),
    [
        ({"kind": "single"}, "us-east-1", True),
        ({"kind": "single", "key": "new"}, "us-east-1", True),  # the key is asked for a custom one only
        (
            {"kind": "custom", "key": "aws", "permission_sets": "yes", "region": "eu-west-1"},
            "eu-west-1",
            True,
        ),
        ({"kind": "custom", "key": "aws"}, "us-east-1", False),
    ],
)
def test_an_instance_is_enabled_as_it_was_chosen(
    place, without_instance, fields, region, has_permission_sets
):
    without_instance.send("/enable", **fields)
    assert without_instance.message == "IAM Identity Center is enabled."
    assert without_instance.heading == "Dashboard"
    assert without_instance.value("region").endswith(region)
    (instance,) = instances(place, region)
    details = place.clients.client("sso-admin", region).describe_instance(InstanceArn=instance["InstanceArn"])
    assert details["PermissionSetsEnabled"] is has_permission_sets
    menu = without_instance.page.text.partition('class="menu"')[2].partition("</nav>")[0]
    assert ("Permission sets" in menu) is has_permission_sets
    without_instance.open(f"{CONSOLE}/enable")
    assert without_instance.heading == "Dashboard"  # once is enough


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "one of the three kinds"),
        ({"kind": "huge"}, "one of the three kinds"),
        ({"kind": "multi"}, "AWS KMS"),
        ({"kind": "custom", "key": "new", "permission_sets": "yes"}, "AWS KMS"),
        ({"kind": "custom", "key": "existing"}, "AWS KMS"),
        ({"kind": "single", "region": "nowhere"}, "Region"),
    ],
)
def test_what_cannot_be_enabled_is_said_and_the_choices_stay(place, without_instance, fields, message):
    assert without_instance.send("/enable", **fields).status_code == 400
    assert message in without_instance.message
    assert instances(place) == []
    for name in ("kind", "key"):
        if fields.get(name) in ("multi", "custom", "new", "existing"):
            assert f'name="{name}" value="{fields[name]}" checked' in without_instance.page.text
    if fields.get("kind") == "custom":
        is_on = 'value="yes" checked' in without_instance.page.text
        assert is_on is ("permission_sets" in fields)


def test_without_an_instance_the_menu_leads_to_enable_only(without_instance):
    menu = without_instance.page.text.partition('class="menu"')[2].partition("</nav>")[0]
    assert menu.count("<li>") == 1


def test_without_an_instance_every_screen_leads_to_enable(without_instance):
    screens = [page.path for page in console_pages() if page.refused]
    for path in screens:
        without_instance.open(path.replace("{", "").replace("}", ""))
        assert without_instance.heading == "Enable IAM Identity Center", path
    assert len(screens) > 50


@pytest.fixture
def member(place, ana):
    """Return ana's browser, at the console as an administrator of a member account, and the account."""
    arn = place.portal.add_permission_set("Everything", "AdministratorAccess")
    account_id = place.portal.accounts["Development"]
    place.portal.assign(arn, account_id)
    ana.open(f"/start/console?account_id={account_id}&role_name=Everything")
    ana.send("/enter", account_id=account_id, role_name="Everything")
    return ana, account_id


def test_a_member_account_enables_an_instance_of_its_own(place, member):
    ana, account_id = member
    assert ana.heading == "Enable IAM Identity Center"
    assert "account instance" in ana.page.text
    assert ana.value("account_id") == account_id
    assert ana.send("/enable", kind="account", tag_key=["", "a"], tag_value=["lost", "b"]).status_code == 400
    assert "needs a key" in ana.message
    assert 'value="lost"' in ana.page.text
    ana.send("/enable", kind="account", tag_key=["team", "", ""], tag_value=["red", "", ""])
    ana.open(CONSOLE)
    assert ana.heading == "Dashboard"
    own = [one for one in instances(place, account=account_id) if one["OwnerAccountId"] == account_id]
    tags = place.clients.client("sso-admin", account=account_id).list_tags_for_resource(
        InstanceArn=own[0]["InstanceArn"], ResourceArn=own[0]["InstanceArn"]
    )["Tags"]
    assert tags == [{"Key": "team", "Value": "red"}]
    menu = ana.page.text.partition('class="menu"')[2].partition("</nav>")[0]
    assert ("Users" in menu, "AWS accounts" in menu) == (True, False)
    assert ana.open(f"{CONSOLE}/accounts").status_code >= 400
    assert "account instances" in ana.message
    ana.send("/leave")


def test_member_accounts_are_kept_from_instances_of_their_own_until_they_may_again(
    place, administrator, member
):
    ana, account_id = member
    client = place.clients.client("sso-admin", account=account_id)
    administrator.open(f"{CONSOLE}/prevent-account-instances")
    policy = html.unescape(administrator.value("policy"))
    for _ in range(2):  # to press again changes nothing
        page = administrator.page
        administrator.send("/prevent-account-instances", act="attach")
        assert administrator.value("attached") == "yes"
        administrator.page = page
    organizations = place.clients.client("organizations")
    found = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
    (made,) = [one for one in found if one["Name"] == "PreventAccountInstances"]
    described = organizations.describe_policy(PolicyId=made["Id"])["Policy"]
    assert json.loads(described["Content"]) == json.loads(policy)
    with pytest.raises(client.exceptions.AccessDeniedException) as denied:
        client.create_instance()
    assert "sso:CreateInstance" in str(denied.value)
    assert "with an explicit deny in a service control policy" in str(denied.value)
    ana.open(CONSOLE)
    assert ana.send("/enable", kind="account").status_code == 400
    assert "service control policy" in ana.message
    assert client.list_instances()["Instances"], "nothing else is denied"
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    organizations.detach_policy(PolicyId=made["Id"], TargetId=root_id)
    organizations.attach_policy(PolicyId=made["Id"], TargetId=account_id)
    administrator.open(f"{CONSOLE}/prevent-account-instances")
    assert administrator.value("attached") == "no"
    administrator.send("/prevent-account-instances", act="attach")  # the same one again
    assert administrator.value("attached") == "yes"
    administrator.send("/prevent-account-instances", act="detach")
    assert administrator.value("attached") == "no"
    assert client.create_instance()["InstanceArn"]
    theirs = json.loads(policy) | {"Statement": []}
    kept = organizations.create_policy(
        Name=made["Name"], Description="", Type=made["Type"], Content=json.dumps(theirs)
    )["Policy"]["PolicySummary"]
    organizations.attach_policy(PolicyId=kept["Id"], TargetId=root_id)
    assert administrator.send("/prevent-account-instances", act="attach").status_code == 400
    assert "same name already exists" in administrator.message
    assert administrator.value("attached") == "no"
    administrator.open(f"{CONSOLE}/prevent-account-instances")
    administrator.client.post(
        f"{CONSOLE}/prevent-account-instances",
        data={"act": "detach", "csrf_token": administrator.csrf_token()},
    )
    assert organizations.list_targets_for_policy(PolicyId=kept["Id"])["Targets"]


def test_a_member_account_cannot_enable_the_organizations_instance(place, member):
    ana, _ = member
    assert ana.send("/enable", kind="single").status_code == 400
    assert "AccessDenied" in ana.message or "management account" in ana.message
    assert len(instances(place)) == 1


def test_an_instance_that_is_being_created_is_waited_for(place, member):
    ana, _ = member
    place.clients.switches(asynchronous_duration_s=60)
    ana.send("/enable", kind="account")
    assert ana.heading == "Enabling IAM Identity Center"
    assert ana.page.headers["refresh"] == "2"
    place.clients.advance_clock(61)
    ana.open(CONSOLE)
    assert ana.heading == "Dashboard"


def test_a_delegated_administrator_sees_the_organizations_instance(place, member):
    ana, account_id = member
    organizations = place.clients.client("organizations")
    organizations.register_delegated_administrator(AccountId=account_id, ServicePrincipal="sso.amazonaws.com")
    ana.open(CONSOLE)
    assert ana.heading == "Dashboard"
    assert ana.value("portal_url") == place.portal.start_url
    ana.open(f"{CONSOLE}/accounts")
    assert "Management" in ana.page.text
    ana.open(f"{CONSOLE}/delete")
    boxes = ["identities", "assignments", "permission-sets", "applications"]
    instance_id = place.portal.instance["InstanceArn"].rpartition("/")[2]
    assert ana.send("/delete", goes=boxes, typed=instance_id).status_code == 400
    assert "cannot delete" in ana.message
    assert len(instances(place)) == 1


def test_the_instance_is_deleted_when_all_is_ticked_and_its_id_typed(place, administrator):
    boxes = ["identities", "assignments", "permission-sets", "applications"]
    instance_id = place.portal.instance["InstanceArn"].rpartition("/")[2]
    administrator.open(f"{CONSOLE}/delete")
    for goes, typed, message in (
        (boxes[:3], instance_id, "Tick all four"),
        (boxes, "ssoins-other", "Type the instance ID"),
        (boxes, "", "Type the instance ID"),
    ):
        assert administrator.send("/delete", goes=goes, typed=typed).status_code == 400
        assert message in administrator.message
        assert administrator.page.text.count(" checked") == len(goes)
        assert f'value="{typed}"' in administrator.page.text
    administrator.send("/delete", goes=boxes, typed=instance_id)
    assert administrator.message == "The instance is deleted, with everything in it."
    assert instances(place) == []
    administrator.open(f"{CONSOLE}/delete")
    assert administrator.heading == "Enable IAM Identity Center"
