"""The practice console's groups: each act by its effect seen through the API, and by its refusals."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError

CONSOLE = "/start/practice-console"
GROUPS = f"{CONSOLE}/groups"


@pytest.fixture
def desk(place):
    """Return the sandbox's administrator at the practice console."""
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    return visitor


@pytest.fixture
def store(place):
    return Store(place)


class Store:
    """The identity store, as the API shows it."""

    def __init__(self, place):
        self.portal, self.client = place.portal, place.portal.identity_store
        self.store_id = place.portal.instance["IdentityStoreId"]

    def groups(self):
        found = self.client.list_groups(IdentityStoreId=self.store_id)["Groups"]
        return {one["DisplayName"]: one.get("Description") for one in found}

    def members(self, group_id):
        found = self.client.list_group_memberships(IdentityStoreId=self.store_id, GroupId=group_id)
        return {one["MemberId"]["UserId"] for one in found["GroupMemberships"]}

    def id_of(self, name):
        unique = {"AttributePath": "displayName", "AttributeValue": name}
        answer = self.client.get_group_id(
            IdentityStoreId=self.store_id, AlternateIdentifier={"UniqueAttribute": unique}
        )
        return answer["GroupId"]


def test_a_group_is_created_with_its_members(desk, place, store):
    desk.open(f"{GROUPS}/create")
    desk.send(
        "/groups/create", act="create", name="Engineers", description="Build", user=[place.portal.user_id]
    )
    assert desk.heading == "Groups"
    assert "Engineers is created" in desk.message
    assert store.groups() == {"Engineers": "Build"}
    assert store.members(store.id_of("Engineers")) == {place.portal.user_id}


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("", "Group name is needed"),
        ("  ", "Group name is needed"),
        ("Administrator", "reserved"),
        ("x" * 1025, "displayName"),
        ("engineers", "Engineers"),
    ],
)
def test_a_group_that_cannot_be_is_refused_and_what_was_typed_stays(desk, place, store, name, named):
    store.portal.add_group("Engineers")
    desk.open(f"{GROUPS}/create")
    desk.send("/groups/create", act="create", name=name, description="Kept", user=[place.portal.user_id])
    assert desk.page.status_code == 400
    assert named.casefold() in desk.message.casefold()
    assert 'value="Kept"' in desk.page.text
    assert re.search(rf'value="{place.portal.user_id}"[^>]* checked', desk.page.text)
    assert list(store.groups()) == ["Engineers"]


def test_to_look_for_users_keeps_what_was_typed_and_ticked(desk, store, place):
    berta = store.portal.add_user("berta")
    desk.open(f"{GROUPS}/create")
    desk.send("/groups/create", act="find", name="<Team>", find="ber", user=[place.portal.user_id])
    assert 'value="&lt;Team&gt;"' in desk.page.text
    assert f'value="{berta}"' in desk.page.text
    assert re.search(rf'value="{place.portal.user_id}"[^>]* checked', desk.page.text)
    assert store.groups() == {}
    desk.send("/groups/create", act="find", find="nobody")
    assert "No user to choose" in desk.page.text


def test_members_come_and_go(desk, store, place):
    group_id, berta = store.portal.add_group("Engineers"), store.portal.add_user("berta")
    desk.open(f"{GROUPS}/{group_id}/add-users")
    assert desk.page.text.count('name="user"') == 2
    desk.send("/add-users", act="add", user=[berta, place.portal.user_id])
    assert "ana, berta" in desk.message
    assert store.members(group_id) == {berta, place.portal.user_id}
    desk.open(f"{GROUPS}/{group_id}/add-users")
    assert "No user to choose" in desk.page.text
    desk.open(f"{GROUPS}/{group_id}")
    desk.send(group_id, act="remove", user=[berta])
    assert "berta" in desk.message
    assert store.members(group_id) == {place.portal.user_id}


@pytest.mark.parametrize("path", ["", "/add-users"])
def test_nobody_ticked_is_refused(desk, store, path, place):
    group_id = store.portal.add_group("Engineers")
    if not path:
        store.portal.add_member(group_id, place.portal.user_id)
    desk.open(f"{GROUPS}/{group_id}{path}")
    desk.send(f"{group_id}{path}", act="remove")
    assert (desk.page.status_code, "Tick at least one user" in desk.message) == (400, True)


def test_name_and_description_are_edited(desk, store):
    group_id = store.portal.add_group("Enginers")
    desk.open(f"{GROUPS}/{group_id}/edit")
    desk.send("/edit", name="Engineers", description="Build")
    assert (desk.value("name"), desk.value("description")) == ("Engineers", "Build")
    assert store.groups() == {"Engineers": "Build"}
    desk.open(f"{GROUPS}/{group_id}/edit")
    desk.send("/edit", name="Engineers", description="")
    assert store.groups() == {"Engineers": None}
    desk.open(f"{GROUPS}/{group_id}/edit")
    desk.send("/edit", name="", description="Kept")
    assert (desk.page.status_code, 'value="Kept"' in desk.page.text) == (400, True)
    assert store.groups() == {"Engineers": None}


@pytest.mark.parametrize(
    ("names", "members", "typed", "is_done"),
    [
        (["A"], 0, None, True),
        (["A"], 1, None, False),
        (["A"], 1, "a", False),
        (["A"], 1, "Delete", False),
        (["A"], 1, "A", True),
        ([" Two  words "], 1, "Two  words", True),
        (["A", "B"], 0, None, False),
        (["A", "B"], 1, "delete", False),
        (["A", "B"], 1, "Delete", True),
    ],
)
def test_how_much_is_typed_to_delete_groups(desk, store, place, names, members, typed, is_done):
    ids = [store.portal.add_group(name, *[place.portal.user_id] * members) for name in names]
    desk.open(GROUPS)
    desk.send("/groups", group=ids)
    assert desk.heading == ("Delete group" if len(ids) == 1 else "Delete 2 groups")
    assert set(store.groups()) == set(names)
    desk.send("/groups", act="delete", group=ids, **({} if typed is None else {"typed": typed}))
    assert set(store.groups()) == (set() if is_done else set(names))
    if not is_done:
        assert (desk.page.status_code, "to confirm" in desk.message) == (400, True)
        assert desk.heading.startswith("Delete")


@pytest.mark.parametrize(("members", "typed", "is_done"), [(0, "", True), (1, "", False), (1, "A", True)])
def test_a_group_is_deleted_on_its_own_page(desk, store, place, members, typed, is_done):
    group_id = store.portal.add_group("A", *[place.portal.user_id] * members)
    desk.open(f"{GROUPS}/{group_id}")
    assert ("To confirm, type A" in desk.page.text) is bool(members)
    desk.send(group_id, act="delete", typed=typed)
    assert (store.groups() == {}) is is_done
    if is_done:
        with pytest.raises(ClientError, match="not found"):
            store.members(group_id)


def test_access_of_a_group_has_accounts_by_name(desk, store):
    group_id = store.portal.add_group("Engineers")
    account_id = next(iter(store.portal.accounts.values()))
    arn = store.portal.add_permission_set("ViewOnly")
    store.portal.assign(arn, account_id, PrincipalType="GROUP", PrincipalId=group_id)
    desk.open(f"{GROUPS}/{group_id}?tab=accounts")
    assert desk.value("permission_set") == "ViewOnly"
    row = re.findall(r"<tr><td>(.*?)</td><td class=\"number\">(.*?)</td>", desk.page.text)
    assert [one[1] for one in row] == [account_id]
    assert row[0][0] not in ("", "-")
    desk.open(f"{GROUPS}/{group_id}?tab=applications")
    assert "No application is assigned" in desk.page.text


def test_the_list_is_looked_through_and_paged(desk, store):
    for number in range(51):
        store.portal.add_group(f"Team {number:02}")
    desk.open(GROUPS)
    assert desk.value("total") == "51 groups"
    assert "Page 1 of 2" in desk.page.text
    assert "Team 50" in desk.open(f"{GROUPS}?page=2").text
    for wrong in ("0", "-1", "x", "9" * 30, "²"):
        assert desk.open(f"{GROUPS}?page={wrong}").status_code == 200
    assert "Page" not in desk.open(f"{GROUPS}?find=team+07").text
    assert desk.value("total") == "1 group"


def test_a_group_that_is_not_there_says_so(desk):
    desk.open(f"{GROUPS}/b9d057ffaa-48f85fd9-aa6a-40a7-a10d-0cf4c55103c6")
    assert "not found" in desk.message
    assert desk.page.status_code == 404


def test_before_there_is_an_instance_enable_comes_first(desk, place):
    place.portal.sso_admin.delete_instance(InstanceArn=place.portal.instance["InstanceArn"])
    for path in ("groups", "groups/create", "users", "users/add"):
        desk.open(f"{CONSOLE}/{path}")
        assert "Enable" in desk.heading
