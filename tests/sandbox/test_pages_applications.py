"""Applications at the pages: tiles of the access portal, the practice console, and consent in the browser."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from application_center import CUSTOM
from portal_harness import CHALLENGE

CONSOLE = "/start/practice-console"
URL = "https://reports.example.com/start?a=1&b=2"
REDIRECT_URI = "https://reports.example.com/callback"


class Applications:
    """The applications of a place, through the API."""

    def __init__(self, place) -> None:
        self.admin, self.user_id = place.portal.sso_admin, place.portal.user_id
        self.instance = {"InstanceArn": place.portal.instance["InstanceArn"]}

    def add(self, name: str, url: str = URL, **request) -> str:
        options = {"SignInOptions": {"Origin": "APPLICATION", "ApplicationUrl": url}} if url else {}
        options |= request.pop("PortalOptions", {})
        return self.admin.create_application(
            **self.instance, ApplicationProviderArn=CUSTOM, Name=name, PortalOptions=options, **request
        )["ApplicationArn"]

    def assign(self, arn: str, principal_id: str = "", kind: str = "USER") -> None:
        self.admin.create_application_assignment(
            ApplicationArn=arn, PrincipalType=kind, PrincipalId=principal_id or self.user_id
        )

    def assigned(self, arn: str) -> set[str]:
        found = self.admin.list_application_assignments(ApplicationArn=arn)["ApplicationAssignments"]
        return {one["PrincipalId"] for one in found}


@pytest.fixture
def applications(place) -> Applications:
    return Applications(place)


@pytest.fixture
def desk(place):
    """Return the sandbox's administrator at the practice console."""
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    return visitor


def tiles(visitor) -> list[str]:
    visitor.open("/start")
    return re.findall(r'data-application-name="([^"]+)"', visitor.page.text)


def test_a_tile_for_whom_it_is_assigned_to(ana, place, applications):
    arn, group_id = applications.add("Reports"), place.portal.add_group("Analysts")
    assert tiles(ana) == []
    applications.assign(arn)
    assert tiles(ana) == ["Reports"]
    applications.admin.update_application(ApplicationArn=arn, Status="DISABLED")
    assert tiles(ana) == []
    other = applications.add("Payroll")
    applications.assign(other, group_id, "GROUP")
    assert tiles(ana) == []
    place.portal.add_member(group_id, place.portal.user_id)
    assert tiles(ana) == ["Payroll"]
    applications.add("Hidden", PortalOptions={"Visibility": "DISABLED"})
    everybodys = applications.add("Everybody's")
    applications.admin.put_application_assignment_configuration(
        ApplicationArn=everybodys, AssignmentRequired=False
    )
    assert tiles(ana) == ["Everybody&#39;s", "Payroll"]


def test_a_hidden_application_has_no_tile(ana, applications):
    applications.assign(applications.add("Hidden", PortalOptions={"Visibility": "DISABLED"}))
    assert tiles(ana) == []


def test_a_tile_opens_the_address_and_tells_it_nothing(ana, applications):
    applications.assign(applications.add("<b>Reports</b>", Description="<i>x</i>"))
    assert tiles(ana) == ["&lt;b&gt;Reports&lt;/b&gt;"]
    assert "<i>" not in ana.page.text
    (link,) = re.findall(r"<a [^>]*reports\.example\.com[^>]*>", ana.page.text)
    assert f'href="{html.escape(URL)}"' in link
    assert 'target="_blank" rel="noopener noreferrer"' in link
    assert ana.page.headers["Referrer-Policy"] in ("no-referrer", "same-origin")


def test_an_application_without_an_address_leads_nowhere(ana, applications):
    applications.assign(applications.add("Reports", ""))
    assert tiles(ana) == ["Reports"]
    assert "no address" in ana.page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a/\"onclick='x'", "data:text/html,x", "//x"])
def test_an_address_that_is_none_is_not_taken(applications, url):
    with pytest.raises(applications.admin.exceptions.ValidationException, match="applicationUrl"):
        applications.add("Reports", url)


def test_the_console_lists_customers_applications_apart(desk, applications):
    applications.add("Reports")
    desk.open(f"{CONSOLE}/applications")
    assert "Reports" not in desk.page.text
    desk.open(f"{CONSOLE}/applications?tab=customer-managed")
    assert "Reports" in desk.page.text
    assert "us-east-1" in desk.page.text


def page_of(arn: str) -> str:
    return f"{CONSOLE}/applications/{arn.rpartition('/')[2]}"


def test_users_and_groups_are_assigned_and_removed_at_the_console(desk, place, applications):
    arn, group_id = applications.add("Reports"), place.portal.add_group("Analysts")
    desk.open(page_of(arn))
    assert desk.heading == "Reports"
    assert desk.value("application_url") == URL
    assert desk.value("assignment") == "Assigned users and groups"
    assert "Nobody is assigned yet" in desk.page.text
    desk.open(f"{page_of(arn)}/assign")
    desk.send("/assign", user=[place.portal.user_id], group=[group_id])
    assert "Assigned to this application: ana, Analysts" in desk.message
    assert applications.assigned(arn) == {place.portal.user_id, group_id}
    desk.open(f"{page_of(arn)}/assign")
    assert place.portal.user_id not in desk.page.text
    for path, through in ((f"users/{place.portal.user_id}", "directly"), (f"groups/{group_id}", "directly")):
        desk.open(f"{CONSOLE}/{path}?tab=applications")
        assert "Reports" in desk.page.text
        assert through in desk.page.text
    desk.open(page_of(arn))
    desk.send(page_of(arn), user=[place.portal.user_id])
    assert "No longer assigned to this application: ana" in desk.message
    assert applications.assigned(arn) == {group_id}
    place.portal.add_member(group_id, place.portal.user_id)
    desk.open(f"{CONSOLE}/users/{place.portal.user_id}?tab=applications")
    assert "group Analysts" in desk.page.text


@pytest.mark.parametrize("last_part", ["", "/assign"])
def test_nothing_ticked_is_refused(desk, place, applications, last_part):
    arn = applications.add("Reports")
    applications.assign(arn)
    place.portal.add_user("ben")
    desk.open(f"{page_of(arn)}{last_part}")
    desk.send(f"{page_of(arn)}{last_part}")
    assert desk.page.status_code == 400
    assert "Tick at least one user or group" in desk.page.text
    assert applications.assigned(arn) == {applications.user_id}


def test_an_application_that_is_not_there_says_so(desk):
    desk.open(f"{CONSOLE}/applications/apl-0000000000000000")
    assert desk.page.status_code == 400
    assert "There is no such application" in desk.page.text


def test_consent_for_an_application_leads_to_its_own_site_alone(ana, applications):
    arn = applications.add("Reports")
    applications.assign(arn)
    grant = {"AuthorizationCode": {"RedirectUris": [REDIRECT_URI]}}
    applications.admin.put_application_grant(ApplicationArn=arn, GrantType="authorization_code", Grant=grant)
    asked = {
        "response_type": "code",
        "client_id": arn,
        "redirect_uri": REDIRECT_URI,
        "state": "a state",
        "code_challenge_method": "S256",
        "code_challenge": CHALLENGE,
    }
    path = f"/authorize?{urlencode(asked)}"
    ana.open(path)
    assert ana.heading == "Allow Reports to access your data?"
    assert f"<code>{REDIRECT_URI}</code>." in ana.page.text
    policy = ana.page.headers["Content-Security-Policy"]
    assert "form-action 'self' https://reports.example.com;" in policy
    answer = ana.send("/authorize", answer="allow", follow=False)
    address = urlsplit(answer.headers["location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == REDIRECT_URI
    assert parse_qs(address.query)["state"] == ["a state"]
    assert parse_qs(address.query)["code"]
    ana.open(f"/authorize?{urlencode(asked | {'redirect_uri': 'https://evil.example/'})}")
    assert ana.page.status_code == 400
    assert "evil" not in ana.page.headers["Content-Security-Policy"]
