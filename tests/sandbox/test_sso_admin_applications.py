"""Applications: who may create, see, change and delete one, and who is assigned to it."""

from __future__ import annotations

import re

import pytest
from application_center import CUSTOM, ApplicationCenter
from handler_harness import DEVELOPMENT, MANAGEMENT, PRODUCTION, SECURITY

from idc_sandbox.wire.models import service_model

URL = "https://reports.example.com/start?from=portal"
SIGN_IN = {"Origin": "APPLICATION", "ApplicationUrl": URL}
MISSING = "arn:aws:sso::111122223333:application/{}/apl-0000000000000000"


@pytest.fixture
def center(tmp_path) -> ApplicationCenter:
    return ApplicationCenter(tmp_path / "sandbox.db")


def names(center: ApplicationCenter, **request) -> set[str]:
    return {one["Name"] for one in center.sso("ListApplications", **request)["Applications"]}


def test_what_was_written_is_read_back(center):
    answer = center.sso(
        "CreateApplication",
        ApplicationProviderArn=CUSTOM,
        Name="Payroll",
        Description="Salaries",
        PortalOptions={"SignInOptions": SIGN_IN, "Visibility": "DISABLED"},
        Status="DISABLED",
        Tags=[{"Key": "team", "Value": "hr"}],
        ClientToken="one",
    )
    arn = answer["ApplicationArn"]
    instance_id = center.instance_arn.rpartition("/")[2]
    assert re.fullmatch(rf"arn:aws:sso::{MANAGEMENT}:application/{instance_id}/apl-[0-9a-f]{{16}}", arn)
    assert answer["InstanceArn"] == center.instance_arn
    found = center.sso("DescribeApplication", ApplicationArn=arn)
    assert found.pop("CreatedDate") > 0
    assert found == {
        "ApplicationArn": arn,
        "ApplicationProviderArn": CUSTOM,
        "Name": "Payroll",
        "ApplicationAccount": MANAGEMENT,
        "InstanceArn": center.instance_arn,
        "IdentityStoreArn": answer["IdentityStoreArn"],
        "Status": "DISABLED",
        "PortalOptions": {"SignInOptions": SIGN_IN, "Visibility": "DISABLED"},
        "Description": "Salaries",
        "CreatedFrom": "us-east-1",
    }
    listed = center.sso("ListApplications")["Applications"]
    assert next(one for one in listed if one["ApplicationArn"] == arn).items() >= found.items()
    assert center.sso("ListTagsForResource", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "hr"}]


def test_an_application_begins_enabled_visible_and_for_the_assigned_only(center):
    found = center.app("DescribeApplication")
    assert (found["Status"], found["PortalOptions"]) == ("ENABLED", {"Visibility": "ENABLED"})
    assert center.app("GetApplicationAssignmentConfiguration") == {"AssignmentRequired": True}
    assert center.app("GetApplicationSessionConfiguration") == {
        "UserBackgroundSessionApplicationStatus": "DISABLED"
    }


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"Name": "New"}, "Name"),
        ({"Description": "What it is"}, "Description"),
        ({"Status": "DISABLED"}, "Status"),
    ],
)
def test_an_update_changes_what_it_names(center, change, member):
    before = center.app("DescribeApplication")
    center.app("UpdateApplication", **change)
    assert center.app("DescribeApplication") == before | {member: change[member]}


def test_an_update_of_the_sign_in_keeps_the_visibility(center):
    arn = center.add_application("Hidden", PortalOptions={"Visibility": "DISABLED"})
    center.sso("UpdateApplication", ApplicationArn=arn, PortalOptions={"SignInOptions": SIGN_IN})
    found = center.sso("DescribeApplication", ApplicationArn=arn)["PortalOptions"]
    assert found == {"Visibility": "DISABLED", "SignInOptions": SIGN_IN}


def test_an_application_that_signs_in_by_itself_needs_its_url(center):
    options = {"SignInOptions": {"Origin": "APPLICATION"}}
    for operation, request in (
        ("CreateApplication", {"ApplicationProviderArn": CUSTOM, "Name": "x"}),
        ("UpdateApplication", {"ApplicationArn": center.application_arn}),
    ):
        message = center.refused(operation, "ValidationException", PortalOptions=options, **request)
        assert "ApplicationUrl is missing" in message


@pytest.mark.parametrize("name", ["redshift", "catalog/ExternalAWSAccount", "qbusiness"])
def test_aws_services_and_the_catalog_have_no_api(center, name):
    arn = f"arn:aws:sso::aws:applicationProvider/{name}"
    message = center.refused("CreateApplication", "ValidationException", ApplicationProviderArn=arn, Name="x")
    assert f"The application provider with arn '{arn}' is not supported for this action." in message
    assert center.sso("DescribeApplicationProvider", ApplicationProviderArn=arn)["DisplayData"]


def test_a_provider_that_is_not_there_is_named(center):
    arn = "arn:aws:sso::aws:applicationProvider/none"
    for operation, request in (("CreateApplication", {"Name": "x"}), ("DescribeApplicationProvider", {})):
        message = center.refused(
            operation, "ResourceNotFoundException", ApplicationProviderArn=arn, **request
        )
        assert arn in message


def test_the_providers_are_listed_by_pages(center):
    pages = center.pages("ListApplicationProviders", "ApplicationProviders", MaxResults=2)
    providers = [one["ApplicationProviderArn"].rpartition("/")[2] for page in pages for one in page]
    assert len(pages[0]) == 2
    assert {"custom", "custom-saml", "redshift"} <= set(providers)
    assert len(set(providers)) == len(providers)


def test_the_same_client_token_gives_the_same_application(center):
    request = {"ApplicationProviderArn": CUSTOM, "Name": "Once", "ClientToken": "token"}
    arn = center.sso("CreateApplication", **request)["ApplicationArn"]
    assert center.sso("CreateApplication", **request)["ApplicationArn"] == arn
    message = center.refused("CreateApplication", "ConflictException", **request | {"Name": "Twice"})
    assert "IdempotentParameterMismatch" in message
    assert names(center) == {"Reports", "Once"}
    center.sso("DeleteApplication", ApplicationArn=arn)
    assert center.sso("CreateApplication", **request)["ApplicationArn"] != arn


def test_the_list_is_filtered_and_paged_by_fifty(center):
    for number in range(51):
        center.add_application(f"App {number}")
    saml = "arn:aws:sso::aws:applicationProvider/custom-saml"
    center.sso("CreateApplication", ApplicationProviderArn=saml, Name="Saml")
    assert [len(page) for page in center.pages("ListApplications", "Applications")] == [50, 3]
    assert names(center, Filter={"ApplicationProvider": saml}) == {"Saml"}
    assert names(center, Filter={"ApplicationAccount": DEVELOPMENT}) == set()


def test_a_deleted_application_takes_all_of_its_own_along(center):
    user_id = center.add_user("ana")
    center.app("CreateApplicationAssignment", PrincipalType="USER", PrincipalId=user_id)
    center.app("PutApplicationAccessScope", Scope="sso:account:access")
    center.app("PutApplicationGrant", GrantType="refresh_token", Grant={"RefreshToken": {}})
    center.sso("TagResource", ResourceArn=center.application_arn, Tags=[{"Key": "a", "Value": "b"}])
    center.app("DeleteApplication")
    for table in ("application", "application_assignment", "application_access_scope", "application_grant"):
        assert center.execute(f"SELECT * FROM {table}") == []
    assert center.execute("SELECT * FROM tag") == []
    center.app_refused("DescribeApplication", "ResourceNotFoundException")


def test_a_deleted_instance_takes_its_applications_along(center):
    center.sso("TagResource", ResourceArn=center.application_arn, Tags=[{"Key": "a", "Value": "b"}])
    center.add_issuer(Tags=[{"Key": "a", "Value": "b"}])
    center.sso("DeleteInstance")
    for table in ("application", "trusted_token_issuer", "tag"):
        assert center.execute(f"SELECT * FROM {table}") == []


def test_a_member_account_has_its_own_applications_and_sees_no_others(center):
    own = center.add_application("Own", caller_account=DEVELOPMENT)
    assert own.split(":")[4] == DEVELOPMENT
    member = {"caller_account": DEVELOPMENT}
    assert names(center, **member, Filter={"ApplicationAccount": DEVELOPMENT}) == {"Own"}
    center.refused("ListApplications", "AccessDeniedException", **member)
    center.refused(
        "ListApplications", "AccessDeniedException", **member, Filter={"ApplicationAccount": MANAGEMENT}
    )
    center.app_refused("DescribeApplication", "AccessDeniedException", **member)
    center.app_refused("DeleteApplication", "AccessDeniedException", **member)
    center.sso("UpdateApplication", ApplicationArn=own, Name="Renamed", **member)
    assert names(center) == {"Reports", "Renamed"}
    center.refused(
        "DescribeApplication", "AccessDeniedException", ApplicationArn=own, caller_account=PRODUCTION
    )
    center.double.delegates.add(SECURITY)
    assert names(center, caller_account=SECURITY) == {"Reports", "Renamed"}


def test_an_application_is_where_its_instance_is(center):
    center.app_refused("DescribeApplication", "ResourceNotFoundException", region="eu-west-1")


def test_who_is_assigned(center):
    user_id, group_id = center.add_user("ana"), center.add_group("Analysts")
    user = {"PrincipalType": "USER", "PrincipalId": user_id}
    group = {"PrincipalType": "GROUP", "PrincipalId": group_id}
    center.app("CreateApplicationAssignment", **user)
    center.app("CreateApplicationAssignment", **group)
    message = center.app_refused("CreateApplicationAssignment", "ConflictException", **user)
    assert "'Reports' already" in message
    arn = {"ApplicationArn": center.application_arn}
    assert center.app("DescribeApplicationAssignment", **user) == user | arn
    pages = center.pages("ListApplicationAssignments", "ApplicationAssignments", MaxResults=1, **arn)
    assert sorted(one["PrincipalId"] for page in pages for one in page) == sorted([user_id, group_id])
    center.app("DeleteApplicationAssignment", **user)
    center.app("DeleteApplicationAssignment", **user)
    center.app_refused("DescribeApplicationAssignment", "ResourceNotFoundException", **user)


def test_what_a_group_gives_is_no_direct_assignment(center):
    user_id, group_id = center.add_user("ana"), center.add_group("Analysts")
    center.add_member(group_id, user_id)
    other = center.add_application("Other")
    center.app("CreateApplicationAssignment", PrincipalType="GROUP", PrincipalId=group_id)
    user = {"PrincipalType": "USER", "PrincipalId": user_id}
    center.sso("CreateApplicationAssignment", ApplicationArn=other, **user)
    center.app_refused("DescribeApplicationAssignment", "ResourceNotFoundException", **user)
    listed = center.sso("ListApplicationAssignmentsForPrincipal", **user)["ApplicationAssignments"]
    assert {(one["ApplicationArn"], one["PrincipalId"]) for one in listed} == {
        (center.application_arn, group_id),
        (other, user_id),
    }
    (one,) = center.sso("ListApplicationAssignmentsForPrincipal", **user, Filter={"ApplicationArn": other})[
        "ApplicationAssignments"
    ]
    assert one["PrincipalId"] == user_id
    pages = center.pages(
        "ListApplicationAssignmentsForPrincipal", "ApplicationAssignments", MaxResults=1, **user
    )
    assert [len(page) for page in pages] == [1, 1]


def test_a_member_account_asks_for_a_principal_by_its_own_application(center):
    own = center.add_application("Own", caller_account=DEVELOPMENT)
    user = {"PrincipalType": "USER", "PrincipalId": center.add_user("ana"), "caller_account": DEVELOPMENT}
    operation = "ListApplicationAssignmentsForPrincipal"
    center.refused(operation, "AccessDeniedException", **user)
    for_other = {"Filter": {"ApplicationArn": center.application_arn}}
    center.refused(operation, "AccessDeniedException", **user, **for_other)
    answer = center.sso(operation, **user, Filter={"ApplicationArn": own})
    assert answer == {"ApplicationAssignments": []}


@pytest.mark.parametrize("kind", ["USER", "GROUP"])
def test_nobody_is_assigned_who_is_not_there(center, kind):
    nobody = {"PrincipalType": kind, "PrincipalId": "9067642ac7-11111111-2222-4333-8444-555555555555"}
    for operation in ("CreateApplicationAssignment", "ListApplicationAssignmentsForPrincipal"):
        message = center.app_refused(operation, "ResourceNotFoundException", **nobody)
        assert nobody["PrincipalId"] in message


def test_an_application_may_be_open_to_all(center):
    group = {"PrincipalType": "GROUP", "PrincipalId": center.add_group("Analysts")}
    center.app("CreateApplicationAssignment", **group)
    center.app("PutApplicationAssignmentConfiguration", AssignmentRequired=False)
    assert center.app("GetApplicationAssignmentConfiguration") == {"AssignmentRequired": False}
    assert len(center.app("ListApplicationAssignments")["ApplicationAssignments"]) == 1


def test_what_was_answered_survives_a_kill(fresh_sandbox):
    instance_arn = fresh_sandbox.console("POST", "instance")["instance_arn"]
    sso = fresh_sandbox.client("sso-admin")
    arn = sso.create_application(InstanceArn=instance_arn, ApplicationProviderArn=CUSTOM, Name="Reports")[
        "ApplicationArn"
    ]
    sso.put_application_grant(ApplicationArn=arn, GrantType="refresh_token", Grant={"RefreshToken": {}})
    fresh_sandbox.kill()
    fresh_sandbox.start()
    sso = fresh_sandbox.client("sso-admin")
    assert sso.describe_application(ApplicationArn=arn)["Name"] == "Reports"
    (grant,) = sso.list_application_grants(ApplicationArn=arn)["Grants"]
    assert grant["GrantType"] == "refresh_token"


def of_an_application() -> list[str]:
    model = service_model("sso-admin")
    found = []
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        if shape and "ApplicationArn" in shape.required_members:
            found.append(name)
    return found


VALUES = {
    "PrincipalType": "USER",
    "PrincipalId": "9067642ac7-11111111-2222-4333-8444-555555555555",
    "Scope": "a:b",
    "GrantType": "refresh_token",
    "Grant": {"RefreshToken": {}},
    "AuthenticationMethodType": "IAM",
    "AuthenticationMethod": {"Iam": {"ActorPolicy": {}}},
    "AssignmentRequired": True,
}


@pytest.mark.parametrize("operation", of_an_application())
def test_every_operation_names_an_application_that_is_not_there(center, operation):
    shape = service_model("sso-admin").operation_model(operation).input_shape
    request = {name: VALUES[name] for name in shape.required_members if name != "ApplicationArn"}
    arn = MISSING.format(center.instance_arn.rpartition("/")[2])
    message = center.refused(operation, "ResourceNotFoundException", ApplicationArn=arn, **request)
    assert arn in message
    member = {"caller_account": DEVELOPMENT, "ApplicationArn": center.application_arn}
    center.refused(operation, "AccessDeniedException", **member, **request)
