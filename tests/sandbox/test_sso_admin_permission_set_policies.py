"""What a permission set allows: managed, customer managed and inline policies, and its boundary."""

from __future__ import annotations

import json

import pytest
from handler_harness import Harness

from tests.policy_cases import REFUSED, TAKEN, condition, policy

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
VIEW_ONLY = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"
STATEMENT = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
POLICY = {"Version": "2012-10-17", "Statement": [STATEMENT]}


class PermissionSet:
    """A permission set, and its operations without the words that they all share."""

    def __init__(self, center: Harness) -> None:
        self.center = center
        self.arn = center.add_permission_set("Admin")

    def call(self, operation: str, **request) -> dict:
        return self.center.sso(operation, PermissionSetArn=self.arn, **request)

    def refused(self, operation: str, code: str, **request) -> str:
        return self.center.refused(operation, code, PermissionSetArn=self.arn, **request)

    def attach(self, policy_arn: str) -> None:
        self.call("AttachManagedPolicyToPermissionSet", ManagedPolicyArn=policy_arn)

    def attach_customer_managed(self, name: str, **path: str) -> None:
        self.call(
            "AttachCustomerManagedPolicyReferenceToPermissionSet",
            CustomerManagedPolicyReference={"Name": name, **path},
        )

    @property
    def revision(self) -> int:
        return self.center.execute("SELECT revision FROM permission_set")[0][0]


@pytest.fixture
def admin(tmp_path) -> PermissionSet:
    return PermissionSet(Harness(tmp_path / "sandbox.db"))


def test_managed_policies_are_attached_listed_and_detached(admin):
    admin.attach(VIEW_ONLY)
    admin.attach(READ_ONLY)
    assert admin.call("ListManagedPoliciesInPermissionSet")["AttachedManagedPolicies"] == [
        {"Name": "ViewOnlyAccess", "Arn": VIEW_ONLY},
        {"Name": "ReadOnlyAccess", "Arn": READ_ONLY},
    ]
    admin.call("DetachManagedPolicyFromPermissionSet", ManagedPolicyArn=VIEW_ONLY)
    (left,) = admin.call("ListManagedPoliciesInPermissionSet")["AttachedManagedPolicies"]
    assert left["Arn"] == READ_ONLY


def test_managed_policies_come_in_pages_in_the_order_of_attachment(admin):
    names = ["Zulu", "Alpha", "Mike", "Bravo", "Yankee", *(f"N{number}" for number in range(6))]
    for name in names:
        admin.attach(f"arn:aws:iam::aws:policy/{name}")
    pages = admin.center.pages(
        "ListManagedPoliciesInPermissionSet",
        "AttachedManagedPolicies",
        PermissionSetArn=admin.arn,
        MaxResults=4,
    )
    assert [policy["Name"] for page in pages for policy in page] == names


def test_policies_that_are_unknown_attached_already_or_not_attached(admin):
    missing = {"ManagedPolicyArn": "arn:aws:iam::aws:policy/NoSuchPolicy"}
    message = admin.refused("AttachManagedPolicyToPermissionSet", "ResourceNotFoundException", **missing)
    assert "NoSuchPolicy" in message
    admin.attach(READ_ONLY)
    admin.refused("AttachManagedPolicyToPermissionSet", "ConflictException", ManagedPolicyArn=READ_ONLY)
    admin.refused(
        "DetachManagedPolicyFromPermissionSet", "ResourceNotFoundException", ManagedPolicyArn=VIEW_ONLY
    )


def test_customer_managed_policies_are_told_apart_by_path(admin):
    admin.attach_customer_managed("Deploy")
    admin.attach_customer_managed("Deploy", Path="/team/")
    listing = "ListCustomerManagedPolicyReferencesInPermissionSet"
    assert admin.call(listing)["CustomerManagedPolicyReferences"] == [
        {"Name": "Deploy", "Path": "/"},
        {"Name": "Deploy", "Path": "/team/"},
    ]
    reference = {"CustomerManagedPolicyReference": {"Name": "Deploy", "Path": "/"}}
    admin.refused("AttachCustomerManagedPolicyReferenceToPermissionSet", "ConflictException", **reference)
    admin.call("DetachCustomerManagedPolicyReferenceFromPermissionSet", **reference)
    admin.refused(
        "DetachCustomerManagedPolicyReferenceFromPermissionSet", "ResourceNotFoundException", **reference
    )
    assert [p["Path"] for p in admin.call(listing)["CustomerManagedPolicyReferences"]] == ["/team/"]


def test_twenty_five_policies_of_both_kinds_and_no_more(admin):
    for number in range(13):
        admin.attach(f"arn:aws:iam::aws:policy/Policy{number}")
    for number in range(12):
        admin.attach_customer_managed(f"Policy{number}")
    admin.refused(
        "AttachManagedPolicyToPermissionSet", "ServiceQuotaExceededException", ManagedPolicyArn=READ_ONLY
    )
    admin.refused(
        "AttachCustomerManagedPolicyReferenceToPermissionSet",
        "ServiceQuotaExceededException",
        CustomerManagedPolicyReference={"Name": "OneMore"},
    )
    admin.call("DetachManagedPolicyFromPermissionSet", ManagedPolicyArn="arn:aws:iam::aws:policy/Policy3")
    admin.attach(READ_ONLY)


def test_an_inline_policy_is_kept_as_it_was_written(admin):
    assert admin.call("GetInlinePolicyForPermissionSet") == {"InlinePolicy": ""}
    document = json.dumps(POLICY, indent=3)
    admin.call("PutInlinePolicyToPermissionSet", InlinePolicy=document)
    assert admin.call("GetInlinePolicyForPermissionSet") == {"InlinePolicy": document}
    for _ in range(2):
        admin.call("DeleteInlinePolicyFromPermissionSet")
    assert admin.call("GetInlinePolicyForPermissionSet") == {"InlinePolicy": ""}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("nope", "It is not JSON"),
        ("[]", "It must be a JSON object, found list"),
        ("{}", "It must have a Statement"),
        ({"Statement": []}, "It must have a Statement"),
        ({"Statement": ["x"]}, "statement 1 must be an object, found str"),
        ({"Statement": [STATEMENT, {**STATEMENT, "Effect": "Maybe"}]}, "statement 2 must have the Effect"),
        ({"Statement": {"Effect": "Allow", "Resource": "*"}}, "exactly one of Action and NotAction"),
        ({"Statement": {"Effect": "Allow", "Action": "*"}}, "exactly one of Resource and NotResource"),
        ({"Statement": {**STATEMENT, "NotAction": "*"}}, "exactly one of Action and NotAction"),
        ({"Statement": {**STATEMENT, "Principal": "*"}}, "names a principal"),
        ({**POLICY, "Version": "2099-01-01"}, "Version must be one of"),
    ],
)
def test_a_document_that_is_no_policy_is_refused_with_the_reason(admin, document, problem):
    text = document if isinstance(document, str) else json.dumps(document)
    message = admin.refused("PutInlinePolicyToPermissionSet", "ValidationException", InlinePolicy=text)
    assert message.startswith("Invalid PermissionsPolicy Document")
    assert problem in message
    assert admin.call("GetInlinePolicyForPermissionSet") == {"InlinePolicy": ""}


@pytest.mark.parametrize(
    "policy",
    [
        {"Statement": STATEMENT},
        {"Version": "2008-10-17", "Statement": [{"Effect": "Deny", "NotAction": "a:*", "NotResource": "*"}]},
        {**POLICY, "Statement": {**STATEMENT, "Condition": {"StringEquals": {"identitystore:UserId": "x"}}}},
    ],
)
def test_documents_in_other_words(admin, policy):
    admin.call("PutInlinePolicyToPermissionSet", InlinePolicy=json.dumps(policy))
    assert json.loads(admin.call("GetInlinePolicyForPermissionSet")["InlinePolicy"]) == policy


# A character outside of Latin-1 is the service model's to refuse, before the document is read.
@pytest.mark.parametrize(
    "document",
    [case[1] for case in REFUSED if json.dumps(case[1], ensure_ascii=False).isascii()],
    ids=[case[0] for case in REFUSED if json.dumps(case[1], ensure_ascii=False).isascii()],
)
def test_what_iam_refuses_is_refused_at_once(admin, document):
    message = admin.refused(
        "PutInlinePolicyToPermissionSet", "ValidationException", InlinePolicy=json.dumps(document)
    )
    assert message.startswith("Invalid PermissionsPolicy Document: ")
    assert admin.call("GetInlinePolicyForPermissionSet") == {"InlinePolicy": ""}


def test_what_iam_says_comes_first(admin):
    for document, words in (
        (policy(Action="ec2::Describe*"), "Actions/Condition can contain only one colon."),
        (
            policy(Action="ListBuckets"),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (policy(Resource="mybucket"), 'Resource mybucket must be in ARN format or "*".'),
        (policy(Action=None), "Policy statement must contain actions."),
        (policy(Principal="*"), "Policy document should not specify a principal."),
        (policy(Effect="allow"), "The policy failed legacy parsing"),
        (condition("StringFoo", "x"), "Syntax errors in policy."),
    ):
        message = admin.refused(
            "PutInlinePolicyToPermissionSet", "ValidationException", InlinePolicy=json.dumps(document)
        )
        assert message.startswith(f"Invalid PermissionsPolicy Document: {words}"), message


@pytest.mark.parametrize("document", [case[1] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_what_iam_takes_is_taken(admin, document):
    admin.call("PutInlinePolicyToPermissionSet", InlinePolicy=json.dumps(document, ensure_ascii=False))
    assert json.loads(admin.call("GetInlinePolicyForPermissionSet")["InlinePolicy"]) == document


def test_an_inline_policy_without_end_is_refused(admin):
    for document in ('{"a":' * 3_000 + "1" + "}" * 3_000, "[" * 9_000):
        admin.refused("PutInlinePolicyToPermissionSet", "ValidationException", InlinePolicy=document)


def test_the_size_of_an_inline_policy_counts_without_blanks(admin):
    frame = len(json.dumps({**POLICY, "Statement": {**STATEMENT, "Sid": ""}}).replace(" ", ""))

    def document(size: int) -> str:
        statement = {**STATEMENT, "Sid": "x" * (size - frame)}
        return json.dumps({**POLICY, "Statement": statement}, indent=40)

    admin.call("PutInlinePolicyToPermissionSet", InlinePolicy=document(10_240))
    message = admin.refused(
        "PutInlinePolicyToPermissionSet", "ValidationException", InlinePolicy=document(10_241)
    )
    assert "10241 bytes which has exceeded the maximum limit of 10240 bytes" in message


@pytest.mark.parametrize(
    ("boundary", "answer"),
    [
        ({"ManagedPolicyArn": READ_ONLY}, {"ManagedPolicyArn": READ_ONLY}),
        (
            {"CustomerManagedPolicyReference": {"Name": "Limit"}},
            {"CustomerManagedPolicyReference": {"Name": "Limit", "Path": "/"}},
        ),
    ],
)
def test_a_boundary_is_put_and_deleted(admin, boundary, answer):
    admin.refused("GetPermissionsBoundaryForPermissionSet", "ResourceNotFoundException")
    admin.call("PutPermissionsBoundaryToPermissionSet", PermissionsBoundary=boundary)
    assert admin.call("GetPermissionsBoundaryForPermissionSet") == {"PermissionsBoundary": answer}
    admin.call("DeletePermissionsBoundaryFromPermissionSet")
    admin.refused("GetPermissionsBoundaryForPermissionSet", "ResourceNotFoundException")
    admin.refused("DeletePermissionsBoundaryFromPermissionSet", "ResourceNotFoundException")


def test_a_boundary_is_exactly_one_policy_that_exists(admin):
    both = {"ManagedPolicyArn": READ_ONLY, "CustomerManagedPolicyReference": {"Name": "Limit"}}
    for boundary in ({}, both):
        message = admin.refused(
            "PutPermissionsBoundaryToPermissionSet", "ValidationException", PermissionsBoundary=boundary
        )
        assert "exactly one" in message
    admin.refused(
        "PutPermissionsBoundaryToPermissionSet",
        "ResourceNotFoundException",
        PermissionsBoundary={"ManagedPolicyArn": "arn:aws:iam::aws:policy/NoSuchPolicy"},
    )


def test_what_makes_accounts_lag_behind(admin):
    inline = {"InlinePolicy": json.dumps(POLICY)}
    reference = {"CustomerManagedPolicyReference": {"Name": "Deploy"}}
    changes = [
        ("AttachManagedPolicyToPermissionSet", {"ManagedPolicyArn": READ_ONLY}),
        ("DetachManagedPolicyFromPermissionSet", {"ManagedPolicyArn": READ_ONLY}),
        ("AttachCustomerManagedPolicyReferenceToPermissionSet", reference),
        ("DetachCustomerManagedPolicyReferenceFromPermissionSet", reference),
        ("PutInlinePolicyToPermissionSet", inline),
        ("DeleteInlinePolicyFromPermissionSet", {}),
        ("PutPermissionsBoundaryToPermissionSet", {"PermissionsBoundary": {"ManagedPolicyArn": READ_ONLY}}),
        ("DeletePermissionsBoundaryFromPermissionSet", {}),
        ("UpdatePermissionSet", {"SessionDuration": "PT2H"}),
    ]
    for operation, request in changes:
        before = admin.revision
        admin.call(operation, **request)
        assert admin.revision == before + 1, operation
    for operation, request in (
        ("UpdatePermissionSet", {"Description": "x", "RelayState": "y", "SessionDuration": "PT2H"}),
        ("DeleteInlinePolicyFromPermissionSet", {}),
    ):
        before = admin.revision
        admin.call(operation, **request)
        assert admin.revision == before, operation
