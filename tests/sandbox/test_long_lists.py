"""Long lists: a page reads its own rows, and what comes and goes between two pages shifts none."""

from __future__ import annotations

import pytest
from handler_harness import Harness

from idc_sandbox.errors import ServiceError


@pytest.fixture
def house(tmp_path):
    house = Harness(tmp_path / "sandbox.db")
    yield house
    house.store.close()


def users(house: Harness, **request) -> dict:
    return house.call("identitystore", "ListUsers", IdentityStoreId=house.identity_store_id, **request)


def test_what_comes_and_goes_between_pages_shifts_none(house):
    ids = [house.add_user(f"person-{at}") for at in range(7)]
    first = users(house, MaxResults=3)
    house.call("identitystore", "DeleteUser", IdentityStoreId=house.identity_store_id, UserId=ids[1])
    late = house.add_user("late")
    second = users(house, MaxResults=3, NextToken=first["NextToken"])
    third = users(house, MaxResults=3, NextToken=second["NextToken"])
    found = [user["UserId"] for page in (first, second, third) for user in page["Users"]]
    assert found == [*ids, late]
    assert "NextToken" not in third


def test_a_page_of_exactly_all_has_no_next_one(house):
    for at in range(3):
        house.add_user(f"person-{at}")
    assert "NextToken" not in users(house, MaxResults=3)
    assert len(users(house, MaxResults=2)["Users"]) == 2


def test_a_token_of_another_list_is_refused(house):
    house.add_user("a")
    house.add_user("b")
    token = users(house, MaxResults=1)["NextToken"]
    with pytest.raises(ServiceError, match="was not given by ListGroups"):
        house.call("identitystore", "ListGroups", IdentityStoreId=house.identity_store_id, NextToken=token)


@pytest.mark.parametrize(
    ("operation", "index"),
    [
        ("ListUsers", "identity_user_in_order"),
        ("ListGroups", "identity_group_in_order"),
        ("ListGroupMemberships", "group_membership_of_group"),
        ("ListGroupMembershipsForMember", "group_membership_of_user"),
    ],
)
def test_a_page_is_read_from_an_index_in_its_order(house, operation, index):
    """Sorting all rows for each page took the square of their number."""
    user_id, group_id = house.add_user("ana"), house.add_group("team")
    of_whom = {
        "ListGroupMemberships": {"GroupId": group_id},
        "ListGroupMembershipsForMember": {"MemberId": {"UserId": user_id}},
    }
    statements: list[str] = []
    house.store._connection.set_trace_callback(statements.append)
    request = {"IdentityStoreId": house.identity_store_id, **of_whom.get(operation, {})}
    house.call("identitystore", operation, **request)
    house.store._connection.set_trace_callback(None)
    (listing,) = [statement for statement in statements if "ORDER BY created_at" in statement]
    plan = " ".join(str(tuple(row)) for row in house.execute(f"EXPLAIN QUERY PLAN {listing}"))
    assert f"USING INDEX {index}" in plan
    assert "TEMP B-TREE" not in plan
    assert " LIMIT 101" in listing
