import pytest
from resource_tools import apply, create, delete, update
from stub_transport import INSTANCE, INSTANCE_ARN, MEMBER_ID, Refusal

from idc_aws.errors import (
    InvalidValueError,
    LeftSandboxError,
    NotFoundError,
    SandboxError,
    WaitTimeoutError,
    WriteFailedError,
)
from idc_aws.instances import Instances
from idc_aws.sandbox import SandboxConsole
from idc_aws.scenario.scenario import Scenario
from idc_aws.settings import CONSOLE_SETTINGS, KEY, AttributesForAccessControl, ConsoleSettings
from idc_helpers.runbook.lesson import LESSON

OURS = {**INSTANCE, "InstanceArn": f"{INSTANCE_ARN[:-1]}9", "OwnerAccountId": MEMBER_ID, "Name": "ours"}


@pytest.fixture
def instances(connection, transport):
    transport.on("ListTagsForResource", {"Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]})
    for operation in ("UpdateInstance", "TagResource", "UntagResource", "DeleteInstance"):
        transport.on(operation, {})
    return Instances(connection)


def test_a_state_has_name_and_tags(instances, transport):
    transport.on("ListInstances", {"Instances": [{**INSTANCE, "Name": "practice"}]})
    state = {"organization": {"name": "practice", "tags": {"a": "1", "b": "2"}}}
    assert instances.read(["organization", "account"]) == state
    assert instances.identifiers(["organization", "account"]) == {"organization": INSTANCE_ARN}


def test_on_aws_the_organizations_instance_is_enabled_by_hand(instances, transport):
    instances.read(["organization"])
    assert not instances.by_hand
    transport.on("ListInstances", {"Instances": []})
    assert instances.read(["organization"]) == {}
    assert instances.by_hand
    with pytest.raises(WriteFailedError, match="notebook 01"):
        apply(instances, create(instances, "organization", {}))
    assert transport.writes() == []


def test_an_account_instance_is_not_left_to_a_person(instances, transport):
    transport.on("ListInstances", {"Instances": []})
    assert instances.read(["account"]) == {}
    assert not instances.by_hand


def test_a_member_sees_its_own_instance_and_the_organizations(member_connection, instances, transport):
    transport.on("ListInstances", {"Instances": [OURS, INSTANCE]})
    member = Instances(member_connection)
    identifiers = member.identifiers(["account", "organization"])
    assert identifiers == {"account": OURS["InstanceArn"], "organization": INSTANCE_ARN}


def test_creating_an_account_instance_waits_until_it_is_active(instances, transport):
    transport.on("ListInstances", {"Instances": []})
    transport.on("CreateInstance", {"InstanceArn": OURS["InstanceArn"]})
    transport.on(
        "DescribeInstance",
        {"Status": "CREATE_IN_PROGRESS"},
        {"Status": "CREATE_IN_PROGRESS"},
        {"Status": "ACTIVE"},
    )
    result = apply(instances, create(instances, "account", {"name": "ours", "tags": {"a": "1"}}))["account"]
    assert result.identifier == OURS["InstanceArn"]
    assert transport.made("CreateInstance")[0]["Tags"] == [{"Key": "a", "Value": "1"}]
    assert len(transport.made("DescribeInstance")) == 3


def test_an_account_instance_that_fails_gives_its_reason(instances, transport):
    transport.on("CreateInstance", {"InstanceArn": OURS["InstanceArn"]})
    transport.on("DescribeInstance", {"Status": "CREATE_FAILED", "StatusReason": "quota"})
    with pytest.raises(WriteFailedError, match="quota"):
        apply(instances, create(instances, "account", {}))


def test_name_and_tags_are_changed_by_the_calls_that_differ(instances, transport):
    before = {"name": "old", "tags": {"a": "1", "b": "2"}}
    apply(instances, update(instances, "organization", before, {"name": "new", "tags": {"a": "9"}}))
    assert transport.writes() == ["UpdateInstance", "UntagResource", "TagResource"]
    assert transport.made("UntagResource")[0]["TagKeys"] == ["b"]
    with pytest.raises(WriteFailedError, match="keeps the name 'old'"):
        apply(instances, update(instances, "organization", before, {"tags": before["tags"]}))


@pytest.fixture
def empty(transport):
    """The instance holds nothing."""
    for operation, members in (
        ("ListPermissionSets", "PermissionSets"),
        ("ListApplications", "Applications"),
        ("ListUsers", "Users"),
        ("ListGroups", "Groups"),
    ):
        transport.on(operation, {members: []})
    nothing = Refusal("ResourceNotFoundException")
    transport.on("DescribeInstanceAccessControlAttributeConfiguration", nothing)


@pytest.mark.usefixtures("empty")
def test_deletion_waits_until_the_instance_is_gone(instances, transport):
    transport.on("ListInstances", {"Instances": [INSTANCE]}, {"Instances": [INSTANCE]}, {"Instances": []})
    apply(instances, delete(instances, "organization", INSTANCE_ARN))
    assert transport.made("DeleteInstance") == [{"InstanceArn": INSTANCE_ARN}]
    assert instances._connection.instance_or_none() is None


def test_an_instance_that_holds_something_is_not_deleted(instances, transport, empty):
    transport.on("ListGroups", {"Groups": [{"GroupId": "1", "DisplayName": "Theirs"}]})
    with pytest.raises(WriteFailedError, match="used by others: group Theirs") as caught:
        apply(instances, delete(instances, "organization", INSTANCE_ARN))
    assert transport.made("DeleteInstance") == []
    assert caught.value.nothing_written


@pytest.mark.usefixtures("empty")
def test_deletion_that_does_not_end_is_told(instances):
    with pytest.raises(WaitTimeoutError, match="to be deleted"):
        apply(instances, delete(instances, "organization", INSTANCE_ARN))


def test_other_kinds_of_instance_do_not_exist(instances):
    with pytest.raises(InvalidValueError, match="organization, account"):
        instances.read(["organisation"])


@pytest.fixture
def access_control(connection, transport):
    transport.on(
        "DescribeInstanceAccessControlAttributeConfiguration",
        {
            "Status": "ENABLED",
            "InstanceAccessControlAttributeConfiguration": {
                "AccessControlAttributes": [
                    {"Key": "CostCenter", "Value": {"Source": ["${path:enterprise.costCenter}"]}}
                ]
            },
        },
    )
    return AttributesForAccessControl(connection)


ATTRIBUTES = {"attributes": {"CostCenter": "${path:enterprise.costCenter}"}}
ABAC = "InstanceAccessControlAttributeConfiguration"


def test_attributes_for_access_control_are_read(access_control, transport):
    assert access_control.read([KEY]) == {KEY: ATTRIBUTES}
    transport.on(f"Describe{ABAC}", Refusal("ResourceNotFoundException"))
    assert access_control.read([KEY]) == {}


def test_attributes_for_access_control_are_made_and_waited_for(access_control, transport):
    transport.on(f"Create{ABAC}", {})
    transport.on(f"Describe{ABAC}", {"Status": "CREATION_IN_PROGRESS"}, {"Status": "ENABLED"})
    apply(access_control, create(access_control, KEY, ATTRIBUTES))
    sent = transport.made(f"Create{ABAC}")[0]["InstanceAccessControlAttributeConfiguration"]
    assert sent == {
        "AccessControlAttributes": [
            {"Key": "CostCenter", "Value": {"Source": ["${path:enterprise.costCenter}"]}}
        ]
    }
    assert len(transport.made(f"Describe{ABAC}")) == 2


def test_attributes_for_access_control_that_fail(access_control, transport):
    transport.on(f"Update{ABAC}", {})
    transport.on(f"Describe{ABAC}", {"Status": "CREATION_FAILED", "StatusReason": "no such path"})
    with pytest.raises(WriteFailedError, match="no such path"):
        apply(access_control, update(access_control, KEY, {"attributes": {}}, ATTRIBUTES))


def test_attributes_for_access_control_are_deleted(access_control, transport):
    transport.on(f"Delete{ABAC}", {})
    apply(access_control, delete(access_control, KEY, INSTANCE_ARN))
    assert transport.writes() == [f"Delete{ABAC}"]


def test_on_aws_console_settings_are_left_to_a_person(connection):
    settings = ConsoleSettings(connection)
    assert settings.by_hand
    assert settings.read(list(CONSOLE_SETTINGS)) == {}
    with pytest.raises(WriteFailedError, match="Settings → Authentication → Session duration"):
        apply(settings, update(settings, "sessions", {}, {"user_interactive": "PT1H"}))


def test_an_unknown_setting_offers_the_nearest(connection):
    with pytest.raises(NotFoundError, match="Did you mean 'sessions'"):
        ConsoleSettings(connection).read(["session"])


def test_the_table_has_the_fields_that_scenarios_set():
    scenario = Scenario.model_validate({"access_portal": {"subdomain": "practice-portal"}})
    for name, setting in CONSOLE_SETTINGS.items():
        (want,) = LESSON[name].wants
        assert set(want.states(scenario)[name]) == set(setting.fields), name
    assert [name for name, one in CONSOLE_SETTINGS.items() if one.is_irreversible] == ["access_portal"]


@pytest.mark.parametrize(
    "url", ["https://sso.us-east-1.amazonaws.com", "http://10.0.0.1:1", "http://127.0.0.1.example.com"]
)
def test_the_sandboxs_console_is_on_this_machine(url):
    with pytest.raises(LeftSandboxError):
        SandboxConsole(url, "secret")


def test_a_console_that_is_gone_is_told():
    with pytest.raises(SandboxError, match="stopped answering"):
        SandboxConsole("http://127.0.0.1:9", "secret").read_settings(INSTANCE_ARN)


def test_the_consoles_secret_is_not_shown():
    assert "hush" not in repr(SandboxConsole("http://127.0.0.1:9", "hush"))
