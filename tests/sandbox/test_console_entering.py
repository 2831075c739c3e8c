"""Who is at the practice console: a role from the portal with exactly its permissions, or the owner."""

from __future__ import annotations

import html
import re
import time

import pytest
from console_forms import filled, press, read_forms, send_form
from page_visitor import Place, Visitor

from idc_sandbox.pages.application import console_pages

CONSOLE = "/start/practice-console"
MANAGEMENT = "111122223333"
BOXES = ["identities", "assignments", "permission-sets", "applications"]
_MOST_PAGES = 400
# What sending every form asks for; each screen's own tests have what needs more to be typed.
REFUSED_TO_READERS = {
    "identitystore-auth:BatchDeleteSession",
    "identitystore:CreateGroup",
    "identitystore:CreateGroupMembership",
    "identitystore:CreateUser",
    "identitystore:DeleteGroup",
    "identitystore:DeleteGroupMembership",
    "identitystore:DeleteUser",
    "identitystore:UpdateGroup",
    "identitystore:UpdateUser",
    "organizations:EnablePolicyType",
    "organizations:RegisterDelegatedAdministrator",
    "sso-directory:CreateAlias",
    "sso-directory:DisableUser",
    "sso-directory:UpdatePassword",
    "sso:AttachManagedPolicyToPermissionSet",
    "sso:CreateAccountAssignment",
    "sso:CreateInstanceAccessControlAttributeConfiguration",
    "sso:CreatePermissionSet",
    "sso:DeleteAccountAssignment",
    "sso:DeleteInstance",
    "sso:DeletePermissionSet",
    "sso:DetachManagedPolicyFromPermissionSet",
    "sso:ProvisionPermissionSet",
    "sso:PutInlinePolicyToPermissionSet",
    "sso:PutMfaDeviceManagementForDirectory",
    "sso:TagResource",
    "sso:UpdateDirectoryAssociation",
    "sso:UpdateInstance",
    "sso:UpdatePermissionSet",
    "sso:UpdateSSOConfiguration",
}


class People:
    """What the screens show: a group with a member, a permission set that it has in two accounts."""

    def __init__(self, place: Place) -> None:
        portal = place.portal
        self.place = place
        self.group_id = portal.add_group("Readers", portal.user_id)
        portal.add_group("Writers")
        self.set_arn = portal.add_permission_set("Look", "SecurityAudit", Description="Look")
        self.account_id = portal.accounts["Production"]
        for account_id in (self.account_id, MANAGEMENT):
            portal.assign(self.set_arn, account_id, PrincipalType="GROUP", PrincipalId=self.group_id)

    def snapshot(self) -> dict[str, list[tuple[object, ...]]]:
        """Return the whole state but the trail, which has an event of each visit."""
        with self.place.clients.store.transaction() as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {
                name: [tuple(row) for row in connection.execute(f"SELECT * FROM {name}")]
                for (name,) in names
                if name != "trail_event"
            }


@pytest.fixture
def people(place):
    return People(place)


def come_with(visitor: Visitor, place: Place, policy: str, account_id: str = MANAGEMENT, **options) -> None:
    """Give ana a permission set with a policy, and let her come to the console with it."""
    arn = place.portal.add_permission_set(f"Ana{policy}", policy, **options)
    place.portal.assign(arn, account_id)
    enter(visitor, f"Ana{policy}", account_id)


def enter(visitor: Visitor, role_name: str, account_id: str = MANAGEMENT) -> None:
    visitor.open(f"/start/console?account_id={account_id}&role_name={role_name}")
    press(visitor, "Open IAM Identity Center, as this role")


def open_with_owners_link(visitor: Visitor, place: Place) -> None:
    visitor.open(place.links()["console_url"].partition("8723")[2])


def test_the_bar_says_who_is_there_and_leaving_ends_it(ana, place):
    come_with(ana, place, "AdministratorAccess")
    assert ana.heading == "Dashboard"
    assert f'AnaAdministratorAccess</strong> in account <span class="number">{MANAGEMENT}' in ana.page.text
    press(ana, "Leave")
    assert ana.heading == "Access portal"
    assert ana.open(CONSOLE).status_code == 403
    assert "practice console is closed" in ana.heading


def test_a_read_only_role_sees_every_screen_and_saves_on_none(ana, place, people):
    come_with(ana, place, "ReadOnlyAccess")
    before = people.snapshot()
    account = f"{CONSOLE}/accounts/{people.account_id}"
    waiting = [account, f"{account}?tab=permission-sets"]
    waiting += [path for path, *_ in console_pages() if "{" not in path]
    seen, refusals, shown = set(), set(), set()
    while waiting and len(seen) < _MOST_PAGES:
        path = waiting.pop(0)
        if _kind_of(path) in seen:
            continue
        seen.add(_kind_of(path))
        ana.open(path)
        assert ana.page.status_code in (200, 404), f"{path}: {ana.page.status_code} {ana.message}"
        if path.endswith("/register-device"):  # which starts something: each box says why it does not
            assert ana.page.text.count("is not authorized to perform: sso-directory:Start") == 2
        if "text/html" not in ana.page.headers["content-type"]:  # a file to download
            continue
        shown.add(ana.heading)
        waiting += _links(ana)
        _send_everything(ana, seen, refusals, waiting)
    assert len(seen) < _MOST_PAGES
    assert people.snapshot() == before
    assert {"Dashboard", "AWS accounts", "Production", "Applications", "Change permission sets"} <= shown
    assert REFUSED_TO_READERS - refusals == set()


def _kind_of(address: str) -> str:
    """Return an address without ids: of a hundred accounts one page is looked at."""
    return re.sub(r"\d{12}|[0-9a-f]{8,}[0-9a-f-]*|(?<==)[^&]*%[^&]*", "*", address)


def _links(visitor: Visitor) -> list[str]:
    found = re.findall(rf'href="({CONSOLE}[^"]*)"', visitor.page.text)
    return [html.unescape(one) for one in found]


def _send_everything(
    visitor: Visitor, seen: set[str], refusals: set[str], waiting: list[str], depth: int = 0
):
    """Fill in and send each form of the page, by each of its buttons; what it leads to as well."""
    page = visitor.page
    for form in read_forms(visitor):
        if form.method.lower() != "post" or form.action.endswith(("/leave", "/sign-out")):
            continue
        for name, value, label in form.buttons:
            given = sorted((field, any(values)) for field, values in form.values().items())
            key = _kind_of(f"{form.action} {label} {value} {given}")
            if key in seen or depth > 6:
                continue
            seen.add(key)
            for is_whole in (False, True):
                data = filled(form, is_whole=is_whole) | ({name: value} if name else {})
                send_form(visitor, form, data)
                assert visitor.page.status_code < 500, f"{key}: {visitor.message}"
                found = re.findall(r"not authorized to perform: ([\w-]+:\w+)", visitor.message)
                refusals |= set(found)
                if found or visitor.page.status_code != 400:
                    break
            if visitor.page.history:
                waiting.append(visitor.page.url.raw_path.decode())
            elif visitor.page.status_code == 200:
                waiting += _links(visitor)
                _send_everything(visitor, seen, refusals, waiting, depth + 1)
            visitor.page = page


def _name_instance(visitor: Visitor, people: People) -> None:
    visitor.open(CONSOLE)
    press(visitor, "Save", name="practice")


def _delete_instance(visitor: Visitor, people: People) -> None:
    visitor.open(f"{CONSOLE}/delete")
    instance_id = people.place.portal.instance["InstanceArn"].rpartition("/")[2]
    press(visitor, "Confirm", goes=BOXES, typed=instance_id)


def _assign(visitor: Visitor, people: People) -> None:
    visitor.open(f"{CONSOLE}/accounts")
    press(visitor, "Assign users or groups", account=people.account_id)
    press(visitor, "Next", principal=f"USER:{people.place.portal.user_id}")
    press(visitor, "Next", permission_set=people.set_arn)
    press(visitor, "Submit")


def _change(visitor: Visitor, people: People) -> None:
    visitor.open(f"{CONSOLE}/accounts/{people.account_id}")
    press(visitor, "Change permission sets", principal=f"GROUP:{people.group_id}")
    choices = read_forms(visitor)[-1].choices("permission_set")
    press(visitor, "Save changes", permission_set=choices)


def _remove(visitor: Visitor, people: People) -> None:
    visitor.open(f"{CONSOLE}/accounts/{people.account_id}")
    press(visitor, "Remove access", principal=f"GROUP:{people.group_id}")
    press(visitor, "Remove access")


def _update(visitor: Visitor, people: People) -> None:
    visitor.open(f"{CONSOLE}/accounts/{people.account_id}?tab=permission-sets")
    press(visitor, "Update", permission_set=people.set_arn)
    press(visitor, "Update")


def _remove_set(visitor: Visitor, people: People) -> None:
    visitor.open(f"{CONSOLE}/accounts/{people.account_id}?tab=permission-sets")
    press(visitor, "Remove", permission_set=people.set_arn)
    press(visitor, "Remove access", typed="Delete")


ACTS = [
    (_name_instance, "sso:UpdateInstance"),
    (_assign, "sso:CreateAccountAssignment"),
    (_change, "sso:CreateAccountAssignment"),
    (_remove, "sso:DeleteAccountAssignment"),
    (_update, "sso:ProvisionPermissionSet"),
    (_remove_set, "sso:DeleteAccountAssignment"),
    (_delete_instance, "sso:DeleteInstance"),
]


@pytest.mark.parametrize(("act", "action"), ACTS)
def test_what_a_role_may_not_do_is_refused_in_awss_words(ana, place, people, act, action):
    come_with(ana, place, "ReadOnlyAccess")
    before = people.snapshot()
    act(ana, people)
    assert ana.page.status_code == 400
    role = ana.message.partition("User: ")[2].partition(" ")[0]
    assert re.fullmatch(
        rf"arn:aws:sts::{MANAGEMENT}:assumed-role/AWSReservedSSO_AnaReadOnlyAccess_[0-9a-f]{{16}}/ana", role
    )
    assert f"is not authorized to perform: {action}" in ana.message
    assert people.snapshot() == before


@pytest.mark.parametrize(("act", "action"), ACTS)
def test_what_a_role_may_do_is_done(ana, place, people, act, action):
    come_with(ana, place, "AdministratorAccess")
    before = people.snapshot()
    act(ana, people)
    assert people.snapshot() != before
    if act is _delete_instance:  # the branch that one sits on: the role is gone with the instance
        assert "is not authorized to perform: sso:ListInstances" in ana.message
    else:
        assert ana.page.status_code == 200
        assert not ana.message.startswith("Problem")


def test_a_role_that_may_not_look_is_told_so_in_the_consoles_frame(ana, place, people):
    come_with(ana, place, "AmazonS3ReadOnlyAccess")
    for path in (CONSOLE, f"{CONSOLE}/accounts", f"{CONSOLE}/applications"):
        assert ana.open(path).status_code == 403
        assert ana.heading == "This page cannot be shown"
        assert "is not authorized to perform: sso:ListInstances" in ana.message
        assert ana.page.text.count('aria-label="Identity Center"') == 1
    press(ana, "Leave")


def test_the_end_of_the_roles_credentials_is_the_end_at_the_console(ana, place, people):
    come_with(ana, place, "AdministratorAccess", SessionDuration="PT2H")
    place.clients.advance_clock(2 * 3600 - 10)
    assert ana.open(CONSOLE).status_code == 200
    place.clients.advance_clock(11)
    before = people.snapshot()
    press(ana, "Save", name="too late")
    assert (ana.page.status_code, ana.heading) == (403, "The role's session is over")
    assert people.snapshot() == before
    for path in (CONSOLE, f"{CONSOLE}/accounts", f"{CONSOLE}?key=invented"):
        assert ana.open(path).status_code == 403
    ana.open(CONSOLE)
    assert ana.heading == "The role's session is over"
    press(ana, "Leave")
    assert ana.open(CONSOLE).status_code == 403
    assert ana.heading == "The practice console is closed"


def _sent_later(visitor: Visitor, form_page, people: People) -> bool:
    """Send the form of a page that was left open; return whether it was refused for being out of date."""
    before = people.snapshot()
    visitor.page = form_page
    press(visitor, "Save", name="of somebody else")
    is_refused = (visitor.page.status_code, visitor.heading) == (403, "This form is out of date")
    assert people.snapshot() == before or not is_refused
    return is_refused


def test_when_the_role_is_over_the_administrator_comes_only_by_leaving_or_by_a_link(ana, place, people):
    open_with_owners_link(ana, place)
    administrators = ana.page
    come_with(ana, place, "ReadOnlyAccess", SessionDuration="PT1H")
    ana.open(CONSOLE)
    roles = ana.page
    assert _sent_later(ana, administrators, people)  # nor does a role carry out what the administrator began
    place.clients.advance_clock(3601)
    for _ in range(2):
        assert ana.open(CONSOLE).status_code == 403
        assert ana.heading == "The role's session is over"
    press(ana, "Leave")
    ana.open(CONSOLE)
    assert "Administrator</strong> of this sandbox" in ana.page.text
    assert _sent_later(ana, roles, people)
    assert not _sent_later(ana, administrators, people)
    enter(ana, "AnaReadOnlyAccess")
    place.clients.advance_clock(3601)
    assert ana.open(CONSOLE).status_code == 403
    open_with_owners_link(ana, place)
    assert "Administrator</strong> of this sandbox" in ana.page.text


def test_the_owner_puts_a_role_down_on_the_page_where_they_are_and_nobody_else_is_offered_it(ana, place):
    come_with(ana, place, "ReadOnlyAccess", SessionDuration="PT1H")
    ana.open(f"{CONSOLE}/groups")
    assert "Work as the administrator" not in ana.page.text
    open_with_owners_link(ana, place)
    for advance_s, leads_to in ((0, "/groups"), (3601, "")):
        enter(ana, "AnaReadOnlyAccess")
        place.clients.advance_clock(advance_s)
        ana.open(f"{CONSOLE}/groups")  # a plain link, such as a notebook's, leaves them in the role
        assert "Administrator</strong> of this sandbox" not in ana.page.text
        press(ana, "Work as the administrator again")
        assert ana.page.url.path == f"{CONSOLE}{leads_to}"
        assert "Administrator</strong> of this sandbox" in ana.page.text


def test_a_form_of_one_role_is_not_carried_out_as_another(ana, place, people):
    come_with(ana, place, "ReadOnlyAccess")
    ana.open(CONSOLE)
    readers = ana.page
    come_with(ana, place, "AdministratorAccess")
    assert _sent_later(ana, readers, people)
    _name_instance(ana, people)
    assert ana.message == "The instance is named practice."


def test_the_cookie_of_a_role_outlives_the_role(ana, place):
    come_with(ana, place, "ReadOnlyAccess", SessionDuration="PT12H")
    cookie = next(one for one in ana.client.cookies.jar if one.name == "idc_console_role")
    assert cookie.expires - time.time() > 48 * 3600


@pytest.mark.parametrize("spoil", ["{0}x", "", "invented", "{0}; idc_console_role=another"])
def test_a_role_that_cannot_be_read_does_not_make_one_the_administrator(ana, place, people, spoil):
    open_with_owners_link(ana, place)
    come_with(ana, place, "ReadOnlyAccess")
    ana.open(CONSOLE)
    roles = ana.page
    cookies = dict(ana.client.cookies.items())
    cookies["idc_console_role"] = spoil.format(cookies["idc_console_role"])
    sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
    before = people.snapshot()
    ana.client.cookies.clear()
    ana.open(CONSOLE, cookie=sent)
    assert (ana.page.status_code, ana.heading) == (403, "The role's session is over")
    given = [one for one in ana.page.headers.get_list("set-cookie") if one.startswith("idc_console_role=")]
    assert given
    assert not [one for one in given if "path=/;" in one.casefold()]  # it stays until the person leaves
    for page, heading in ((roles, "This form is out of date"), (ana.page, "The role's session is over")):
        token = re.findall(r'name="csrf_token" value="(\w+)"', page.text)[0]
        ana.client.cookies.clear()
        ana.page = ana.client.post(
            CONSOLE, data={"csrf_token": token, "act": "name", "name": "x"}, headers={"cookie": sent}
        )
        assert ana.page.status_code == 403
        assert ana.heading in (heading, "This form is out of date")
    assert people.snapshot() == before
    ana.client.cookies.clear()
    left = ana.client.post(
        f"{CONSOLE}/leave", data={"csrf_token": token}, headers={"cookie": sent}, follow_redirects=False
    )
    assert left.headers["location"].endswith("/start")
    assert any(
        one.startswith('idc_console_role="";') and "path=/;" in one.casefold()
        for one in left.headers.get_list("set-cookie")
    )


def test_a_role_lives_on_after_the_assignment_as_at_aws(ana, place, people):
    come_with(ana, place, "ReadOnlyAccess")
    ana.open(CONSOLE)
    ana.client.cookies.delete("idc_session")  # signed out of the portal
    assert ana.open(CONSOLE).status_code == 200


def test_only_a_role_that_the_person_has_lets_them_in(ana, place, people):
    come_with(ana, place, "ReadOnlyAccess")
    press(ana, "Leave")
    for account_id, role_name in (
        (MANAGEMENT, "Invented"),
        (people.account_id, "AnaReadOnlyAccess"),
        ("999999999999", "AnaReadOnlyAccess"),
    ):
        ana.open(f"/start/console?account_id={MANAGEMENT}&role_name=AnaReadOnlyAccess")
        ana.send("/enter", account_id=account_id, role_name=role_name)
        assert ana.page.status_code >= 400
        assert ana.open(CONSOLE).status_code == 403
    stranger = place.visitor()
    stranger.open("/start")
    data = {"csrf_token": stranger.csrf_token(), "account_id": MANAGEMENT, "role_name": "AnaReadOnlyAccess"}
    stranger.page = stranger.client.post(f"{CONSOLE}/enter", data=data, follow_redirects=True)
    assert stranger.open(CONSOLE).status_code == 403


@pytest.mark.parametrize("taken", ["idc_console_role", "everything but idc_browser"])
def test_a_cookie_of_another_browser_opens_nothing(ana, place, people, taken):
    come_with(ana, place, "AdministratorAccess")
    other = place.visitor()
    other.open("/start")
    for name, value in ana.client.cookies.items():
        if name == taken or (taken != "idc_console_role" and name != "idc_browser"):
            other.client.cookies.set(name, value)
    assert other.open(CONSOLE).status_code == 403


@pytest.mark.parametrize("planted", ["", "ASIAINVENTED", "eyJhbGciOiJub25lIn0.x.y"])
def test_a_planted_cookie_opens_nothing(place, people, planted):
    key, _ = place.clients.administrator_key()
    visitor = place.visitor()
    visitor.open("/start")
    for value in (planted, key):
        cookies = f"idc_console_role={value}; idc_browser={visitor.client.cookies['idc_browser']}"
        assert visitor.open(CONSOLE, cookie=cookies).status_code == 403


def test_of_two_role_cookies_neither_is_believed(ana, place, people):
    come_with(ana, place, "AdministratorAccess")
    cookies = "; ".join(f"{name}={value}" for name, value in ana.client.cookies.items())
    ana.client.cookies.clear()
    assert ana.open(CONSOLE, cookie=cookies).status_code == 200
    ana.client.cookies.clear()
    assert ana.open(CONSOLE, cookie=f"idc_console_role=another; {cookies}").status_code == 403


def test_the_owners_link_makes_one_the_administrator_again(ana, place, people):
    open_with_owners_link(ana, place)
    assert "Administrator</strong> of this sandbox" in ana.page.text
    come_with(ana, place, "ReadOnlyAccess")
    _name_instance(ana, people)
    assert "is not authorized" in ana.message
    ana.open(f"{CONSOLE}?key=invented")  # opened before, but by no new link: who follows it is not sent away
    assert "AnaReadOnlyAccess</strong>" in ana.page.text
    open_with_owners_link(ana, place)
    assert "Administrator</strong> of this sandbox" in ana.page.text
    _name_instance(ana, people)
    assert ana.message == "The instance is named practice."


def test_a_link_that_opens_nothing_leaves_the_role_as_it_is(ana, place, people):
    come_with(ana, place, "ReadOnlyAccess")
    assert ana.open(f"{CONSOLE}?key=invented").status_code == 403
    ana.open(CONSOLE)
    assert "AnaReadOnlyAccess" in ana.page.text


@pytest.mark.parametrize(
    ("relay_state", "leads"),
    [
        ("https://us-east-1.console.aws.amazon.com/singlesignon/home?region=us-east-1", True),
        ("https://console.aws.amazon.com/singlesignon", True),
        ("https://console.aws.amazon.com/ec2/", False),
        ("https://example.com/singlesignon", False),
    ],
)
def test_a_relay_state_to_identity_centers_console_leads_to_the_practice_console(
    ana, place, relay_state, leads
):
    arn = place.portal.add_permission_set("Center", "ReadOnlyAccess", RelayState=relay_state)
    place.portal.assign(arn, MANAGEMENT)
    ana.open(f"/start/console?account_id={MANAGEMENT}&role_name=Center")
    assert ("here it opens the practice console" in ana.page.text) is leads
    press(ana, "Open IAM Identity Center, as this role")
    assert ana.heading == "Dashboard"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("users/none", "There is no user 'none'."),
        ("users/none/register-device", "There is no user 'none'."),
        ("groups/none", "There is no group 'none'."),
        ("permission-sets/none/edit", "There is no permission set 'none'."),
        ("accounts/none", "There is no account 'none'."),
        ("accounts/none/change", "There is no account 'none'."),
        (f"accounts/{MANAGEMENT}/update", "The address names no permission set."),
        (f"accounts/{MANAGEMENT}/remove-set", "The address names no permission set."),
    ],
)
def test_an_address_of_what_is_not_there_is_answered_in_words(place, path, message):
    visitor = place.visitor()
    open_with_owners_link(visitor, place)
    assert visitor.open(f"{CONSOLE}/{path}").status_code == 404
    assert visitor.message == f"Problem: {message} Choose one from the list."


@pytest.mark.parametrize("query", ["", "?requests=", "?requests=,"])
def test_the_progress_of_nothing_is_the_list_of_accounts(place, query):
    visitor = place.visitor()
    open_with_owners_link(visitor, place)
    visitor.open(f"{CONSOLE}/accounts/progress{query}")
    assert visitor.heading == "AWS accounts"
