"""AWS accounts and Applications in the practice console: by their effects, as the API sees them."""

from __future__ import annotations

import html
import re

import pytest

ACCOUNTS = "/start/practice-console/accounts"


@pytest.fixture
def administrator(place):
    """Return the owner's browser, at the console."""
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    assert visitor.heading == "Dashboard"
    return visitor


class Directory:
    """Two groups, a user and two permission sets."""

    def __init__(self, place):
        self.portal = place.portal
        self.readers = self.portal.add_group("Readers")
        self.writers = self.portal.add_group("Writers")
        self.look = self.portal.add_permission_set("Look", "ReadOnlyAccess", Description="Look at all")
        self.work = self.portal.add_permission_set("Work", "PowerUserAccess")
        self.accounts = self.portal.accounts
        self.user = f"USER:{self.portal.user_id}"

    def assigned(self, account_name):
        """Return who has which permission set in an account."""
        found = set()
        arn, account_id = self.portal.instance["InstanceArn"], self.accounts[account_name]
        key = {"InstanceArn": arn, "AccountId": account_id}
        client = self.portal.sso_admin
        for each in client.list_permission_sets_provisioned_to_account(**key).get("PermissionSets", []):
            listed = client.list_account_assignments(**key, PermissionSetArn=each)["AccountAssignments"]
            found |= {(f"{one['PrincipalType']}:{one['PrincipalId']}", each) for one in listed}
        return found


@pytest.fixture
def directory(place):
    return Directory(place)


def cells(visitor):
    """Return the table's rows as texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", visitor.page.text, re.DOTALL)
    found = []
    for row in rows:
        texts = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
        found.append([" ".join(html.unescape(re.sub("<.*?>", " ", text)).split()) for text in texts])
    return [texts for texts in found if texts]


def carried(visitor):
    """Return what the page's form holds in hidden fields and ticked boxes."""
    fields = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', visitor.page.text):
        fields[name] = html.unescape(value)
    for name, value in re.findall(
        r'<input type="checkbox" name="(\w+)" value="([^"]*)" checked', visitor.page.text
    ):
        fields.setdefault(name, []).append(html.unescape(value))
    fields.pop("csrf_token", None)
    return fields


def press(visitor, action, act, **fields):
    """Send a form with all that it holds, as a browser does."""
    return visitor.send(action, **(carried(visitor) | fields | {"act": act}))


def test_the_tree_has_root_units_and_accounts_with_ids(administrator, directory):
    directory.portal.assign(directory.look, directory.accounts["Production"])
    administrator.open(ACCOUNTS)
    lines = cells(administrator)
    assert lines[0][0].startswith("Root r-")
    names = [line[0].split(" 1")[0].split(" 2")[0] for line in lines]
    assert any("management account" in line[0] for line in lines)
    assert [f"{name}" for name in directory.accounts if not any(name in text for text in names)] == []
    production = next(line for line in lines if line[0].startswith("Production"))
    assert production == [f"Production {directory.accounts['Production']} | production@example.com", "Look"]
    development = next(line for line in lines if line[0].startswith("Development"))
    assert development[1] == "-"
    assert administrator.value("organization_id").startswith("o-")


def test_an_account_asks_once_which_sets_it_has_however_many_there_are(
    place, administrator, directory, monkeypatch
):
    directory.portal.assign(directory.look, directory.accounts["Production"])
    names, stock_call = [], place.gateway.call

    def call(context, service_name, operation_name, request):
        names.append(operation_name)
        return stock_call(context, service_name, operation_name, request)

    monkeypatch.setattr(place.gateway, "call", call)
    counts = []
    for name in (None, "One", "Two"):
        if name is not None:
            directory.portal.add_permission_set(name, "PowerUserAccess")
        names.clear()
        administrator.open(f"{ACCOUNTS}/{directory.accounts['Production']}?tab=permission-sets")
        counts.append(names.count("ListPermissionSetsProvisionedToAccount"))
    assert counts == [3, 3, 3]  # for who has access, for the sets there, and for those that are up to date


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("view=list", None),
        ("search=production", ["Production"]),
        ("search=DEVELOPMENT@example", ["Development"]),
        ("search=nowhere", []),
    ],
)
def test_the_list_and_what_is_searched(administrator, directory, query, found):
    administrator.open(f"{ACCOUNTS}?{query}")
    shown = re.findall(r'data-value="account_id">(\d+)<', administrator.page.text)
    wanted = sorted(directory.accounts) if found is None else found
    assert shown == [directory.accounts[name] for name in wanted]


def test_a_unit_is_searched_by_its_id(administrator, directory):
    administrator.open(ACCOUNTS)
    unit = re.findall(r"ou-[\w-]+", administrator.page.text)[0]
    administrator.open(f"{ACCOUNTS}?search={unit}")
    assert len(re.findall('data-value="account_id"', administrator.page.text)) == 2


def start_wizard(visitor, directory, *names):
    visitor.open(ACCOUNTS)
    visitor.send("/accounts", account=[directory.accounts[name] for name in names])
    assert visitor.heading == "Assign users and groups"


def test_the_wizard_assigns_groups_and_users_to_accounts(administrator, directory):
    start_wizard(administrator, directory, "Development", "Production")
    assert [row[0] for row in cells(administrator)] == ["ana"]  # users come first
    press(administrator, "/assign", "groups", principal=directory.user)
    assert [row[0] for row in cells(administrator)] == ["Readers", "Writers"]
    assert administrator.value("selected") == "1"
    press(administrator, "/assign", "next", principal=f"GROUP:{directory.readers}")
    assert administrator.heading == "Assign permission sets"
    assert [row[:2] for row in cells(administrator)] == [["Look", "Look at all"], ["Work", ""]]
    press(administrator, "/assign", "next", permission_set=[directory.look])
    assert administrator.heading == "Review and submit"
    assert administrator.value("count") == "4"
    assert [row[0] for row in cells(administrator)][:2] == ["ana", "Readers"]
    assert directory.assigned("Development") == set()  # nothing is written before the last step
    press(administrator, "/assign", "submit")
    administrator.open(administrator.page.url.raw_path.decode())
    assert administrator.message == "The accounts are configured: all 4 changes are in effect."
    assert "refresh" not in administrator.page.headers
    wanted = {(directory.user, directory.look), (f"GROUP:{directory.readers}", directory.look)}
    assert directory.assigned("Development") == wanted
    assert directory.assigned("Production") == wanted
    assert directory.assigned("Management") == set()


def test_previous_and_edit_keep_everything(administrator, directory):
    start_wizard(administrator, directory, "Development")
    press(administrator, "/assign", "groups")
    readers, writers = f"GROUP:{directory.readers}", f"GROUP:{directory.writers}"
    press(administrator, "/assign", "next", principal=[readers])
    press(administrator, "/assign", "principals", permission_set=[directory.look])  # Previous
    press(administrator, "/assign", "groups")
    assert carried(administrator)["principal"] == [readers]
    press(administrator, "/assign", "next", principal=[readers, writers])
    assert carried(administrator)["permission_set"] == [directory.look]
    press(administrator, "/assign", "next")
    press(administrator, "/assign", "permission-sets")  # Edit
    press(administrator, "/assign", "next", permission_set=[directory.look, directory.work])
    press(administrator, "/assign", "principals")  # Edit
    press(administrator, "/assign", "refresh", search="nobody is called so")
    assert administrator.value("selected") == "2"
    press(administrator, "/assign", "groups")
    press(administrator, "/assign", "next", principal=[writers])
    press(administrator, "/assign", "next")
    press(administrator, "/assign", "submit")
    assert directory.assigned("Development") == {(writers, directory.look), (writers, directory.work)}


def test_each_step_refuses_what_is_missing_and_keeps_the_rest(administrator, directory):
    administrator.open(ACCOUNTS)
    many = [f"{number:012}" for number in range(11)]
    for accounts in ([], many):
        assert administrator.send("/accounts", account=accounts).status_code == 400
        assert "1 to 10 accounts" in administrator.message
    start_wizard(administrator, directory, "Development")
    assert press(administrator, "/assign", "next").status_code == 400
    assert "at least one user or group" in administrator.message
    assert administrator.heading == "Assign users and groups"
    press(administrator, "/assign", "groups")
    press(administrator, "/assign", "next", principal=[f"GROUP:{directory.readers}"])
    assert press(administrator, "/assign", "next").status_code == 400
    assert "at least one permission set" in administrator.message
    assert carried(administrator)["principals"] == f"GROUP:{directory.readers}"
    press(administrator, "/assign", "next", permission_set=[directory.look])
    gone = directory.portal.identity_store.delete_group
    gone(IdentityStoreId=directory.portal.instance["IdentityStoreId"], GroupId=directory.readers)
    assert press(administrator, "/assign", "submit").status_code == 400
    assert "No GROUP" in administrator.message
    assert administrator.heading == "Review and submit"
    administrator.open(f"{ACCOUNTS}/assign")
    assert administrator.heading == "AWS accounts"  # without an account there is nothing to assign


def test_the_progress_page_follows_until_all_is_done_and_says_why_something_failed(administrator, directory):
    clients = directory.portal.clients
    clients.switches(asynchronous_duration_s=60, fail_next_assignments=["The account is on holiday."])
    start_wizard(administrator, directory, "Development", "Production")
    press(administrator, "/assign", "next", principal=[directory.user])
    press(administrator, "/assign", "next", permission_set=[directory.look])
    press(administrator, "/assign", "submit")
    assert administrator.heading == "Access to AWS accounts"
    assert administrator.page.headers["refresh"] == "2"
    assert "being configured" in administrator.message
    assert [row[4] for row in cells(administrator)] == ["In progress"] * 2
    address = administrator.page.url.raw_path.decode()
    assert "refresh" not in administrator.open(f"{address}&follow=no").headers
    clients.advance_clock(61)
    administrator.open(address)
    assert "refresh" not in administrator.page.headers
    assert administrator.message == "Problem: 1 of 2 failed. The table says why."
    assert [(row[0].split()[0], *row[1:]) for row in cells(administrator)] == [
        ("Development", "Assign", "ana User", "Look", "Failed", "The account is on holiday."),
        ("Production", "Assign", "ana User", "Look", "Provisioned", ""),
    ]


def test_more_than_fifteen_go_in_several_turns(administrator, directory):
    start_wizard(administrator, directory, "Development", "Production", "Management")
    groups = [f"GROUP:{directory.portal.add_group(f'Team {number}')}" for number in range(3)]
    press(administrator, "/assign", "groups")
    press(administrator, "/assign", "next", principal=groups)
    press(administrator, "/assign", "next", permission_set=[directory.look, directory.work])
    press(administrator, "/assign", "submit")
    assert administrator.value("left") == "3"
    assert len(cells(administrator)) == 15
    administrator.send("/progress", **carried(administrator))
    administrator.open(administrator.page.url.raw_path.decode())
    assert "all 18 changes" in administrator.message
    assert len(directory.assigned("Management")) == 6


def go_on(visitor, left):
    """Start what is left, and look at it when it is done."""
    assert (visitor.value("left"), len(cells(visitor))) == (str(left), 15)
    visitor.send("/progress", **carried(visitor))
    visitor.open(visitor.page.url.raw_path.decode())
    assert f"all {15 + left} changes" in visitor.message


@pytest.fixture
def sixteen(directory):
    """Return 16 users who have a permission set in an account."""
    portal, account_id = directory.portal, directory.accounts["Development"]
    keys = [f"USER:{portal.add_user(f'person-{number}')}" for number in range(16)]
    for key in keys:
        portal.assign(directory.look, account_id, PrincipalId=key.removeprefix("USER:"))
    return keys


@pytest.mark.parametrize("act", ["remove", "remove-set"])
def test_more_than_fifteen_are_removed_in_several_turns(administrator, directory, sixteen, act):
    portal, account_id = directory.portal, directory.accounts["Development"]
    portal.assign(directory.look, account_id, PrincipalType="GROUP", PrincipalId=directory.readers)
    path = f"{ACCOUNTS}/{account_id}"
    administrator.open(path)
    administrator.send(path, act=act, principal=sixteen, permission_set=directory.look)
    administrator.send(f"/{act}", **carried(administrator), typed="Delete")
    go_on(administrator, 1 if act == "remove" else 2)
    kept = {(f"GROUP:{directory.readers}", directory.look)} if act == "remove" else set()
    assert directory.assigned("Development") == kept


def test_what_is_sent_too_early_is_refused_and_sent_again(administrator, directory, sixteen):
    clients, path = directory.portal.clients, f"{ACCOUNTS}/{directory.accounts['Development']}"
    clients.switches(asynchronous_duration_s=60)
    administrator.open(path)
    administrator.send(path, act="remove", principal=sixteen)
    administrator.send("/remove", **carried(administrator))
    assert administrator.send("/progress", **carried(administrator)).status_code == 400
    assert "too many requests" in administrator.message
    again = html.unescape(re.findall(r'href="([^"]*)">Look again now', administrator.page.text)[0])
    clients.switches(asynchronous_duration_s=0)
    clients.advance_clock(61)
    administrator.open(again)
    go_on(administrator, 1)
    assert directory.assigned("Development") == set()


def test_more_than_fifteen_permission_sets_are_changed_in_several_turns(administrator, directory):
    portal, account_id = directory.portal, directory.accounts["Development"]
    names = [f"Set-{number}" for number in range(18)]
    arns = [portal.add_permission_set(name, "ReadOnlyAccess") for name in names]
    for arn in arns[:9]:
        portal.assign(arn, account_id)
    path = f"{ACCOUNTS}/{account_id}"
    administrator.open(path)
    administrator.send(path, act="change", principal=directory.user)
    administrator.send("/change", principals=directory.user, permission_set=arns[9:])
    go_on(administrator, 3)
    assert directory.assigned("Development") == {(directory.user, arn) for arn in arns[9:]}


@pytest.mark.parametrize("requests", ["nothing", "create:unknown", f"create:{'a' * 8}-{'b' * 4}"])
def test_the_progress_of_what_was_not_started_is_not_shown(administrator, directory, requests):
    assert administrator.open(f"{ACCOUNTS}/progress?requests={requests}").status_code in (400, 404)
    assert administrator.heading == "This page cannot be shown"


@pytest.fixture
def development(administrator, directory):
    """Return the path of an account in which ana and a group have access."""
    portal, account_id = directory.portal, directory.accounts["Development"]
    portal.assign(directory.look, account_id)
    for arn in (directory.look, directory.work):
        portal.assign(arn, account_id, PrincipalType="GROUP", PrincipalId=directory.readers)
    return f"{ACCOUNTS}/{account_id}"


def test_an_account_shows_who_has_access_and_its_permission_sets(administrator, directory, development):
    administrator.open(development)
    assert administrator.heading == "Development"
    assert administrator.value("email") == "development@example.com"
    assert cells(administrator) == [["Readers", "Group", "Look Work"], ["ana", "User", "Look"]]
    directory.portal.sso_admin.put_inline_policy_to_permission_set(
        InstanceArn=directory.portal.instance["InstanceArn"],
        PermissionSetArn=directory.work,
        InlinePolicy='{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}',
    )
    administrator.open(f"{development}?tab=permission-sets")
    assert cells(administrator) == [["Look", "Look at all", "Up to date"], ["Work", "", "Out of date"]]
    administrator.send(f"/{directory.accounts['Development']}", act="update", permission_set=directory.work)
    assert administrator.value("permission_set") == "Work"
    administrator.send("/update", **carried(administrator))
    assert cells(administrator)[0][1:5] == ["Update", "-", "Work", "Provisioned"]
    administrator.open(f"{development}?tab=permission-sets")
    assert [row[2] for row in cells(administrator)] == ["Up to date", "Up to date"]


def test_permission_sets_are_changed_for_one(administrator, directory, development):
    administrator.open(development)
    readers = f"GROUP:{directory.readers}"
    administrator.send(development, act="change", principal=readers)
    assert administrator.value("principal") == "Readers"
    assert carried(administrator)["permission_set"] == [directory.look, directory.work]
    for wanted, message in (
        ([directory.look, directory.work], "Nothing was changed"),
        ([], "Leave at least one"),
    ):
        fields = carried(administrator) | {"permission_set": wanted}
        assert administrator.send("/change", **fields).status_code == 400
        assert message in administrator.message
        assert carried(administrator).get("permission_set", []) == wanted
    administrator.send("/change", principals=readers, permission_set=directory.work)
    administrator.open(development)
    assert directory.assigned("Development") == {(directory.user, directory.look), (readers, directory.work)}
    administrator.send(development, act="change", principal=directory.user)
    administrator.send("/change", principals=directory.user, permission_set=directory.work)
    administrator.open(development)
    assert directory.assigned("Development") == {(directory.user, directory.work), (readers, directory.work)}


def test_access_is_removed_from_those_who_were_selected(administrator, directory, development):
    administrator.open(development)
    administrator.send(development, act="remove", principal=[f"GROUP:{directory.readers}"])
    assert administrator.heading == "Remove access"
    assert administrator.value("principal") == "Readers (Group)"
    administrator.send("/remove", **carried(administrator))
    administrator.open(development)
    assert directory.assigned("Development") == {(directory.user, directory.look)}
    administrator.open(f"{development}/remove?principals=GROUP:{directory.readers}")
    assert administrator.send("/remove", **carried(administrator)).status_code == 400
    assert "no access" in administrator.message


def test_a_permission_set_is_removed_by_typing_delete(administrator, directory, development):
    administrator.open(f"{development}?tab=permission-sets")
    administrator.send(development, act="remove-set", permission_set=directory.look)
    for typed in ("", "delete", "Look"):
        assert administrator.send("/remove-set", **carried(administrator), typed=typed).status_code == 400
        assert "Type Delete" in administrator.message
        assert f'value="{typed}"' in administrator.page.text
    administrator.send("/remove-set", **carried(administrator), typed="Delete")
    assert [row[1] for row in cells(administrator)] == ["Remove", "Remove"]
    administrator.open(development)
    assert directory.assigned("Development") == {(f"GROUP:{directory.readers}", directory.work)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"act": "change"}, "Select one user or group"),
        ({"act": "change", "principal": ["GROUP:a", "USER:b"]}, "Select one user or group"),
        ({"act": "remove"}, "Select the users or groups"),
        ({"act": "update"}, "Select a permission set"),
        ({"act": "remove-set"}, "Select a permission set"),
        ({"act": "something else", "principal": "GROUP:a"}, "Select the users or groups"),
    ],
)
def test_an_account_says_what_to_select_first(administrator, directory, development, fields, message):
    administrator.open(development)
    assert administrator.send(development, **fields).status_code == 400
    assert message in administrator.message
    assert administrator.heading == "Development"


def test_those_who_were_deleted_are_shown_and_can_be_removed(administrator, directory, development):
    directory.portal.identity_store.delete_group(
        IdentityStoreId=directory.portal.instance["IdentityStoreId"], GroupId=directory.readers
    )
    administrator.open(development)
    readers = f"GROUP:{directory.readers}"
    assert cells(administrator)[0] == [f"{directory.readers} (deleted)", "Group", "Look Work"]
    administrator.send(development, act="remove", principal=[readers])
    administrator.send("/remove", **carried(administrator))
    administrator.open(administrator.page.url.raw_path.decode())
    assert [row[4] for row in cells(administrator)] == ["Failed"] * 2  # AWS says so, and removes them
    assert directory.assigned("Development") == {(directory.user, directory.look)}


def test_an_unknown_account_is_said_so(administrator, directory):
    assert administrator.open(f"{ACCOUNTS}/999999999999").status_code >= 400
    assert administrator.heading == "This page cannot be shown"


def test_applications_are_none_in_both_tabs(administrator):
    administrator.open("/start/practice-console/applications")
    assert "AWS services" in administrator.page.text
    assert cells(administrator)[0][0].startswith("There are no applications")
    administrator.open("/start/practice-console/applications?tab=customer-managed")
    assert "SAML 2.0" in administrator.page.text
