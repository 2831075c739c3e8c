import uuid
from dataclasses import replace

import pytest
from resource_tools import apply, create, delete
from stub_transport import ACCOUNT_ID, MEMBER_ID, Refusal

from idc_aws.access import (
    assignment_identifier,
    assignment_key,
    assignment_state,
    list_all_account_assignments,
)
from idc_aws.assignments import WINDOW, AccountAssignments
from idc_aws.errors import (
    AccessDeniedError,
    InvalidValueError,
    NotFoundError,
    WaitTimeoutError,
    WriteFailedError,
)
from idc_aws.resource import Existing

SET_ARN = "arn:aws:sso:::permissionSet/ssoins-1111222233334444/ps-1111222233334444"
GROUP_ID = "11111111-2222-4333-8444-555555555555"
USER_ID = "99999999-2222-4333-8444-555555555555"
KEY = assignment_key("GROUP", "Auditors", "ReadOnlyAccess", MEMBER_ID)
IDENTIFIER = assignment_identifier(GROUP_ID, SET_ARN, MEMBER_ID)


class Assigner:
    """AWS's asynchronous side: a request ends after some looks at the list; it takes 15 at a time."""

    def __init__(self, *, looks=3, later=0, failing=(), order=1, earlier=0):
        self.looks, self.later = looks, later
        self.order = order
        self.earlier = earlier
        self.failing = dict(failing)
        self.open = {}
        self.ended = {}
        self.most_open = 0

    def start(self, word):
        def answer(request):
            request_id = str(uuid.uuid4())
            self.open[request_id] = [self.looks + self.later * len(self.open), request["TargetId"]]
            self.most_open = max(self.most_open, len(self.open))
            if len(self.open) > 15:
                raise Refusal("ThrottlingException", "too many outstanding")
            return {f"AccountAssignment{word}Status": {"Status": "IN_PROGRESS", "RequestId": request_id}}

        return answer

    def list(self, word):
        def answer(request):
            start = int(request.get("NextToken", 0))
            for request_id, entry in list(self.open.items()):
                entry[0] -= 1
                if entry[0] <= 0:
                    self.ended[request_id] = self.open.pop(request_id)[1]
            statuses = [{"Status": "SUCCEEDED", "RequestId": f"earlier {one}"} for one in range(self.earlier)]
            statuses += [
                {"Status": "FAILED" if target in self.failing else "SUCCEEDED", "RequestId": request_id}
                for request_id, target in self.ended.items()
            ]
            statuses += [{"Status": "IN_PROGRESS", "RequestId": request_id} for request_id in self.open]
            wanted = request.get("Filter", {}).get("Status")
            statuses = [one for one in statuses if wanted in (None, one["Status"])][:: self.order]
            end = start + request["MaxResults"]
            token = {"NextToken": str(end)} if end < len(statuses) else {}
            return {f"AccountAssignments{word}Status": statuses[start:end], **token}

        return answer

    def describe(self, word):
        def answer(request):
            request_id = request[f"AccountAssignment{word}RequestId"]
            target = self.ended.get(request_id)
            if target is None:
                status = {"Status": "IN_PROGRESS"}
            elif target in self.failing:
                status = {"Status": "FAILED", "FailureReason": self.failing[target]} | {
                    "TargetId": target,
                    "PermissionSetArn": SET_ARN,
                    "PrincipalId": GROUP_ID,
                }
            else:
                status = {"Status": "SUCCEEDED"}
            return {f"AccountAssignment{word}Status": {"RequestId": request_id, **status}}

        return answer

    def install(self, transport, word="Creation"):
        transport.on(f"{word.replace('ion', 'e')}AccountAssignment", self.start(word))
        transport.on(f"ListAccountAssignment{word}Status", self.list(word))
        transport.on(f"DescribeAccountAssignment{word}Status", self.describe(word))
        return self


@pytest.fixture
def assignments(connection, transport):
    def group_id(request):
        name = request["AlternateIdentifier"]["UniqueAttribute"]["AttributeValue"]
        return {"GroupId": GROUP_ID} if name == "Auditors" else Refusal("ResourceNotFoundException")

    transport.on("GetGroupId", group_id)
    transport.on("GetUserId", {"UserId": USER_ID})
    transport.on("ListGroups", {"Groups": [{"GroupId": GROUP_ID, "DisplayName": "Auditors"}]})
    transport.on("ListPermissionSets", {"PermissionSets": [SET_ARN]})
    transport.on("DescribePermissionSet", {"PermissionSet": {"Name": "ReadOnlyAccess"}})
    transport.on("ListAccountAssignments", {"AccountAssignments": []})
    transport.on("ListAccountAssignmentsForPrincipal", {"AccountAssignments": []})
    return AccountAssignments(connection)


def keys(count, first=0):
    return [
        assignment_key("GROUP", "Auditors", "ReadOnlyAccess", f"{number:012d}")
        for number in range(first, first + count)
    ]


def creations(assignments, count):
    return [create(assignments, key, assignment_state(key)) for key in keys(count)]


@pytest.mark.parametrize("name", ["Auditors", "Ops · night", "two words", "GROUP"])
def test_a_key_says_what_it_is_made_of(name):
    state = {
        "principal_type": "GROUP",
        "principal_name": name,
        "permission_set": "ReadOnlyAccess",
        "account_id": MEMBER_ID,
    }
    assert assignment_state(assignment_key(**state)) == state


@pytest.mark.parametrize(
    "key", ["", "GROUP Auditors", "ROLE x · y · 1", "GROUP · ReadOnlyAccess · 111122223333"]
)
def test_other_texts_are_no_key(key):
    with pytest.raises(InvalidValueError):
        assignment_state(key)


def test_the_window_never_exceeds_its_limit_and_is_watched_by_one_list(assignments, transport):
    assigner = Assigner().install(transport)
    results = apply(assignments, *creations(assignments, 45))
    assert set(results) == set(keys(45))
    assert assigner.most_open == WINDOW
    assert WINDOW < 15
    # 45 in waves of 10, each seen after 3 looks; one look for each status would be more than 100.
    assert len(transport.made("ListAccountAssignmentCreationStatus")) <= 20
    assert transport.made("DescribeAccountAssignmentCreationStatus") == []
    # What all of them name is looked up once: a thousand assignments would take minutes more.
    assert len(transport.made("GetGroupId")) == len(transport.made("ListPermissionSets")) == 1


@pytest.mark.parametrize(
    ("order", "earlier", "lists", "described"),
    [
        (1, 0, 80, 0),  # oldest first, which is read from where ours begin
        (-1, 0, 80, 0),  # newest first
        (1, 250, 80, 0),
        (-1, 250, 80, 0),
        (1, 5000, 120, 250),  # ours are too far behind: those in progress are listed, and the rest described
    ],
)
def test_one_list_tells_how_all_of_them_ended_whatever_its_order(
    assignments, transport, order, earlier, lists, described
):
    Assigner(looks=2, order=order, earlier=earlier).install(transport)
    assert set(apply(assignments, *creations(assignments, 220))) == set(keys(220))
    assert len(transport.made("ListAccountAssignmentCreationStatus")) <= lists
    assert len(transport.made("DescribeAccountAssignmentCreationStatus")) <= described


def test_each_is_waited_for_where_the_last_ones_end_one_after_another(assignments, transport):
    assigner = Assigner(later=2).install(transport)
    assert set(apply(assignments, *creations(assignments, 13))) == set(keys(13))
    assert assigner.open == {}


def test_results_carry_identifier_and_request_id(assignments, transport):
    Assigner().install(transport)
    result = apply(assignments, create(assignments, KEY, assignment_state(KEY)))[KEY]
    assert result.identifier == IDENTIFIER
    assert len(result.request_ids) == 1
    (request,) = transport.made("CreateAccountAssignment")
    assert request["PrincipalId"] == GROUP_ID
    assert request["PermissionSetArn"] == SET_ARN
    assert (request["TargetId"], request["TargetType"], request["PrincipalType"]) == (
        MEMBER_ID,
        "AWS_ACCOUNT",
        "GROUP",
    )


def test_a_failure_is_told_after_the_others_are_done(assignments, transport):
    failing = keys(1, first=3)[0]
    Assigner(failing={"000000000003": "role could not be made"}).install(transport)
    done, started = [], []
    with pytest.raises(WriteFailedError) as raised:  # noqa: PT012 - what came before it counts
        for change, _ in assignments.write_all(creations(assignments, 25), started.append):
            done.append(change.key)
    assert sorted(done) == sorted(set(keys(25)) - {failing})
    assert len(started) == 25
    assert repr(failing) in str(raised.value)
    assert "role could not be made" in str(raised.value)


def test_a_refused_request_lets_those_under_way_end_and_starts_no_more(assignments, transport):
    assigner = Assigner()
    assigner.install(transport)
    start = assigner.start("Creation")
    refuse = Refusal("AccessDeniedException", "not in this account")
    transport.on("CreateAccountAssignment", *[start] * 4, refuse)
    done = []
    with pytest.raises(AccessDeniedError, match="not in this account"):  # noqa: PT012 - as above
        for change, _ in assignments.write_all(creations(assignments, 12), lambda _change: None):
            done.append(change.key)
    assert sorted(done) == keys(4)
    assert len(transport.made("CreateAccountAssignment")) == 5


def test_a_request_that_does_not_show_in_the_list_yet_is_not_taken_for_done(assignments, transport):
    assigner = Assigner().install(transport)
    real = assigner.list("Creation")
    looks = iter(range(100))

    def late_list(request):
        answer = real(request)
        return {"AccountAssignmentsCreationStatus": []} if next(looks) == 0 else answer

    transport.on("ListAccountAssignmentCreationStatus", late_list)
    apply(assignments, create(assignments, KEY, assignment_state(KEY)))
    assert len(transport.made("ListAccountAssignmentCreationStatus")) == 3


def test_one_that_never_ends_is_named(assignments, transport):
    Assigner(looks=10**9).install(transport)
    with pytest.raises(WaitTimeoutError, match="IN_PROGRESS with 'GROUP Auditors"):
        apply(assignments, create(assignments, KEY, assignment_state(KEY)))


def test_one_that_aws_has_done_at_once(assignments, transport):
    transport.on("CreateAccountAssignment", {"AccountAssignmentCreationStatus": {"Status": "SUCCEEDED"}})
    assert KEY in apply(assignments, create(assignments, KEY, assignment_state(KEY)))
    assert transport.made("ListAccountAssignmentCreationStatus") == []


def test_deletions_go_by_their_own_list(assignments, transport):
    assigner = Assigner().install(transport, "Deletion")
    apply(assignments, *[delete(assignments, key, IDENTIFIER, assignment_state(key)) for key in keys(12)])
    assert assigner.most_open == WINDOW
    assert len(transport.made("DeleteAccountAssignment")) == 12


def test_deleting_what_is_gone_is_done(assignments, transport):
    transport.on("DeleteAccountAssignment", Refusal("ResourceNotFoundException"))
    assert KEY in apply(assignments, delete(assignments, KEY, IDENTIFIER))


def test_a_principal_that_does_not_exist_is_refused_before_the_receipt(assignments, transport):
    started = []
    key = assignment_key("GROUP", "Nobody", "ReadOnlyAccess", MEMBER_ID)
    with pytest.raises(NotFoundError, match="no group 'Nobody'"):
        list(assignments.write_all([create(assignments, key, assignment_state(key))], started.append))
    assert started == []
    assert transport.writes() == []


def row(account_id, principal_id=GROUP_ID, kind="GROUP"):
    return {
        "AccountId": account_id,
        "PermissionSetArn": SET_ARN,
        "PrincipalType": kind,
        "PrincipalId": principal_id,
    }


def test_one_group_in_many_accounts_is_read_by_principal(assignments, transport):
    transport.on("ListAccountAssignmentsForPrincipal", {"AccountAssignments": [row("000000000001")]})
    assert list(assignments.read(keys(5))) == keys(1, first=1)
    assert len(transport.made("ListAccountAssignmentsForPrincipal")) == 1
    assert transport.made("ListAccountAssignments") == []


def test_what_a_user_has_through_a_group_is_not_the_users_own(assignments, transport):
    transport.on("ListAccountAssignmentsForPrincipal", {"AccountAssignments": [row(MEMBER_ID)]})
    wanted = [assignment_key("USER", "ana", "ReadOnlyAccess", account) for account in (MEMBER_ID, ACCOUNT_ID)]
    assert assignments.read(wanted) == {}


def test_a_delegate_reads_by_pair(assignments, member_connection, transport):
    transport.on(
        "ListAccountAssignments",
        lambda request: {"AccountAssignments": [row(MEMBER_ID)] if request["AccountId"] == MEMBER_ID else []},
    )
    delegate = AccountAssignments(member_connection)
    assert list(delegate.read([*keys(5), KEY])) == [KEY]
    assert transport.made("ListAccountAssignmentsForPrincipal") == []


def test_reading_by_principal_that_is_refused_falls_back(assignments, transport):
    transport.on("ListAccountAssignmentsForPrincipal", Refusal("AccessDeniedException"))
    transport.on("ListAccountAssignments", {"AccountAssignments": [row("000000000001")]})
    assert "000000000001" in "".join(assignments.read(keys(2)))


def test_planning_works_before_anything_exists(assignments, transport):
    unknown = [
        assignment_key("GROUP", "Nobody", "ReadOnlyAccess", MEMBER_ID),
        assignment_key("GROUP", "Auditors", "NoSuchSet", MEMBER_ID),
    ]
    assert assignments.read(unknown) == {}
    transport.on("ListInstances", {"Instances": []})
    transport.calls.clear()
    fresh = AccountAssignments(assignments._connection)
    fresh._connection.refresh_instance()
    assert fresh.read(unknown) == {}


def test_both_ids_tell_an_assignment_from_another_of_its_name(assignments, transport):
    assert assignments.identifiers([KEY]) == {}
    transport.on("ListAccountAssignments", {"AccountAssignments": [row(MEMBER_ID)]})
    assert assignments.identifiers([KEY]) == {KEY: IDENTIFIER}
    assert assignments.existing([KEY]) == {KEY: Existing(IDENTIFIER, assignment_state(KEY))}
    transport.on("CreateAccountAssignment", {"AccountAssignmentCreationStatus": {"Status": "SUCCEEDED"}})
    assert apply(assignments, create(assignments, KEY, {}))[KEY].identifier == IDENTIFIER


def test_many_take_as_many_calls_as_one_ids_and_states_together(assignments, transport):
    transport.on("ListAccountAssignmentsForPrincipal", {"AccountAssignments": [row("000000000001")]})
    (key,) = keys(1, first=1)
    there = Existing(assignment_identifier(GROUP_ID, SET_ARN, "000000000001"), assignment_state(key))
    assert assignments.existing(keys(40)) == {key: there}
    assert len(transport.made("ListAccountAssignmentsForPrincipal")) == 1
    assert len(transport.made("GetGroupId")) == 1


def test_what_a_deleted_group_left_behind_is_found_and_deleted_by_the_groups_id(assignments, transport):
    key = assignment_key("GROUP", "Gone", "ReadOnlyAccess", MEMBER_ID)
    transport.on("ListAccountAssignments", {"AccountAssignments": [row(MEMBER_ID)]})
    assert assignments.read([key]) == {}
    named = {(key, IDENTIFIER), (key, assignment_identifier(USER_ID, SET_ARN, MEMBER_ID))}
    assert assignments.read_by_identifier(named) == {(key, IDENTIFIER): assignment_state(key)}
    transport.on("DeleteAccountAssignment", {"AccountAssignmentDeletionStatus": {"Status": "SUCCEEDED"}})
    transport.calls.clear()
    assert apply(assignments, delete(assignments, key, IDENTIFIER))[key].identifier == IDENTIFIER
    (request,) = transport.made("DeleteAccountAssignment")
    assert (request["PrincipalId"], request["PermissionSetArn"]) == (GROUP_ID, SET_ARN)
    assert request["TargetId"] == MEMBER_ID
    assert transport.made("GetGroupId") == transport.made("ListPermissionSets") == []


def test_nothing_is_looked_for_where_there_is_no_instance(assignments, transport):
    transport.on("ListInstances", {"Instances": []})
    assignments._connection.refresh_instance()
    assert assignments.read_by_identifier({(KEY, IDENTIFIER)}) == {}
    assert assignments.identifiers([KEY]) == {}


@pytest.fixture
def who(assignments, transport):
    """One group, assigned in two of three accounts with the permission set, and a user who has nothing."""
    group = {"GroupId": GROUP_ID, "DisplayName": "Auditors"}
    transport.on(
        "ListAccountsForProvisionedPermissionSet", {"AccountIds": [ACCOUNT_ID, MEMBER_ID, "000000000003"]}
    )
    transport.on("ListGroups", {"Groups": [group]})
    transport.on("DescribeGroup", group)
    transport.on("ListUsers", {"Users": [{"UserId": USER_ID, "UserName": "ana"}]})
    transport.on(
        "ListAccounts",
        {"Accounts": [{"Id": ACCOUNT_ID, "Name": "Management"}, {"Id": MEMBER_ID, "Name": "Dev"}]},
    )
    transport.on(
        "ListAccountAssignmentsForPrincipal",
        lambda request: {
            "AccountAssignments": [row(MEMBER_ID), row(ACCOUNT_ID)]
            if request["PrincipalType"] == "GROUP"
            else []
        },
    )
    transport.on(
        "ListAccountAssignments",
        lambda request: {
            "AccountAssignments": [row(request["AccountId"])]
            if request["AccountId"] in (ACCOUNT_ID, MEMBER_ID)
            else []
        },
    )
    return transport


def rows_of(connection):
    return [tuple(entry[:5]) for entry in list_all_account_assignments(connection)]


EXPECTED = [
    ("GROUP", "Auditors", "ReadOnlyAccess", MEMBER_ID, "Dev"),
    ("GROUP", "Auditors", "ReadOnlyAccess", ACCOUNT_ID, "Management"),
]


def test_the_access_picture_is_read_by_principal_where_that_is_cheaper(connection, who):
    assert rows_of(connection) == EXPECTED
    assert len(who.made("ListAccountAssignmentsForPrincipal")) == 2
    assert who.made("ListAccountAssignments") == []


def test_the_access_picture_is_read_by_pair_where_that_is_cheaper(connection, who):
    users = [
        {"UserId": f"{number:08d}-2222-4333-8444-555555555555", "UserName": f"u{number}"}
        for number in range(50)
    ]
    who.on("ListUsers", {"Users": users, "NextToken": "more"})
    assert rows_of(connection) == EXPECTED
    assert len(who.made("ListAccountAssignments")) == 3
    assert who.made("ListAccountAssignmentsForPrincipal") == []
    assert len(who.made("ListUsers")) == 1


def test_a_delegate_sees_the_same_picture(member_connection, who):
    assert rows_of(member_connection) == EXPECTED
    assert who.made("ListAccountAssignmentsForPrincipal") == []


def test_what_a_deleted_principal_left_behind_has_no_name(member_connection, who):
    who.on("DescribeGroup", Refusal("ResourceNotFoundException"))
    assert {entry[1] for entry in rows_of(member_connection)} == {""}
    assert {entry.principal_id for entry in list_all_account_assignments(member_connection)} == {GROUP_ID}


@pytest.mark.parametrize("own", ["Development", ""])
def test_account_names_are_left_out_where_nobody_may_tell(member_connection, who, own):
    who.on("ListAccounts", Refusal("AccessDeniedException"))
    rows = list_all_account_assignments(replace(member_connection, account_name=own))
    names = {row.account_id: row.account_name for row in rows}
    assert names == {MEMBER_ID: own, ACCOUNT_ID: ""}, "the caller's own is known where it could be read"


NO_ASSIGNEE = f"Received a 404 status error: the GROUP assignee {GROUP_ID} was not found in directory d-1"


def test_a_deletion_that_fails_for_want_of_its_principal_is_done_once_the_assignment_is_gone(
    assignments, transport
):
    Assigner(failing={MEMBER_ID: NO_ASSIGNEE}).install(transport, "Deletion")
    assert apply(assignments, delete(assignments, KEY, IDENTIFIER))[KEY].identifier == IDENTIFIER
    still = {"PrincipalId": GROUP_ID, "PrincipalType": "GROUP", "PermissionSetArn": SET_ARN}
    transport.on("ListAccountAssignments", {"AccountAssignments": [{**still, "AccountId": MEMBER_ID}]})
    with pytest.raises(WriteFailedError, match="was not found in directory"):
        apply(assignments, delete(assignments, KEY, IDENTIFIER))
