import pytest
from stub_transport import ACCOUNT_ID, INSTANCE, INSTANCE_ARN, MEMBER_ID, Refusal

from idc_aws.connection import find_instance, list_instances
from idc_aws.errors import (
    AccountInstanceError,
    InstanceNotFoundError,
    InvalidValueError,
    SeveralInstancesError,
)

OTHER = {**INSTANCE, "InstanceArn": f"{INSTANCE_ARN[:-1]}9", "OwnerAccountId": MEMBER_ID}
NOT_IN_USE = Refusal("AWSOrganizationsNotInUseException")
NOT_SUPPORTED = Refusal("ValidationException", "This operation is not supported for account instances")


def test_the_organizations_instance(connection):
    instance = find_instance(connection)
    assert (instance.instance_arn, instance.kind, instance.region) == (
        INSTANCE_ARN,
        "organization",
        "us-east-1",
    )


def test_none_names_region_account_and_where_there_is_one(transport, connection):
    frankfurt = {**INSTANCE, "PrimaryRegion": "eu-central-1"}
    transport.on(
        "ListInstances",
        lambda asked: {"Instances": [frankfurt] if asked.get("RegionScope") == "ALL_REGIONS" else []},
    )
    with pytest.raises(InstanceNotFoundError) as raised:
        find_instance(connection)
    text = str(raised.value)
    assert "'us-east-1'" in text
    assert ACCOUNT_ID in text
    assert "Set `region` to 'eu-central-1'." in text
    assert connection.instance_or_none() is None


def test_none_anywhere_leads_to_the_first_notebook(transport, connection):
    transport.on("ListInstances", {"Instances": []})
    with pytest.raises(InstanceNotFoundError, match="notebook 01"):
        find_instance(connection)


def test_several_are_not_guessed_between(transport, connection):
    transport.on("ListInstances", {"Instances": [OTHER, INSTANCE]})
    with pytest.raises(SeveralInstancesError) as raised:
        find_instance(connection)
    assert INSTANCE_ARN in str(raised.value)
    assert OTHER["InstanceArn"] in str(raised.value)
    assert find_instance(connection, OTHER["InstanceArn"]).kind == "account"


def test_an_instance_that_was_chosen_and_is_not_there(connection):
    with pytest.raises(InstanceNotFoundError, match="ssoins-0000") as raised:
        find_instance(connection, "arn:aws:sso:::instance/ssoins-0000000000000000")
    assert INSTANCE_ARN in str(raised.value)


def test_one_that_is_being_deleted_does_not_count(transport, connection):
    transport.on("ListInstances", {"Instances": [{**OTHER, "Status": "DELETE_IN_PROGRESS"}, INSTANCE]})
    assert find_instance(connection).instance_arn == INSTANCE_ARN


def test_all_pages_are_read(transport, connection):
    transport.on("ListInstances", {"Instances": [], "NextToken": "more"}, {"Instances": [INSTANCE]})
    assert [one.instance_arn for one in list_instances(connection)] == [INSTANCE_ARN]


@pytest.mark.parametrize(
    ("answer", "kind"), [(NOT_SUPPORTED, "account"), ({"PermissionSets": []}, "organization")]
)
def test_outside_of_an_organization_the_instance_tells_its_kind(transport, connection, answer, kind):
    transport.on("DescribeOrganization", NOT_IN_USE)
    transport.on("ListPermissionSets", answer)
    assert find_instance(connection).kind == kind


def test_the_instance_is_read_once_and_again_when_asked(transport, connection):
    assert connection.instance is connection.instance
    assert len(transport.made("ListInstances")) == 1
    transport.on("ListInstances", {"Instances": [{**INSTANCE, "Name": "practice"}]})
    assert connection.instance.name == ""
    assert connection.refresh_instance().name == "practice"


def test_that_there_is_none_is_not_remembered(transport, connection):
    transport.on("ListInstances", {"Instances": []})
    assert connection.instance_or_none() is None
    transport.on("ListInstances", {"Instances": [INSTANCE]})
    assert connection.instance_or_none().instance_arn == INSTANCE_ARN


def test_a_refusal_is_not_mistaken_for_none(transport, connection):
    transport.on("ListInstances", Refusal("ValidationException", "bad"))
    with pytest.raises(InvalidValueError, match="bad"):
        connection.instance_or_none()


def test_an_account_instance_refuses_permission_sets_in_words(transport, connection):
    from idc_aws.permission_sets import PermissionSets

    transport.on("ListPermissionSets", NOT_SUPPORTED)
    with pytest.raises(AccountInstanceError, match="organization instance"):
        PermissionSets(connection).read(["AdministratorAccess"])
