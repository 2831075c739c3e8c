"""Each page: accessible, light and dark, fit for a phone, with one heading, a title and the banner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import pytest
from accessibility import violations_of_page
from playwright.sync_api import Page, expect
from scene import PASSWORD

BANNER = "Practice sandbox, not AWS. Do not type a real password here."
PHONE = {"width": 360, "height": 700}
DESK = {"width": 1100, "height": 800}
SETTINGS = (
    *("", "/name", "/portal-url", "/identity-source"),
    *("/authentication", "/authentication/standard", "/authentication/mfa"),
    *("/authentication/session-duration", "/management", "/management/register", "/management/add-region"),
    *("/tags", "/tags/manage", "/additional", "/additional/encryption"),
)
PERMISSION_SET = (
    *("", "/accounts", "/tags", "/edit", "/attach", "/inline-policy", "/boundary", "/delete"),
    *("?notice=permission-set-saved&of=Everything",),
)
INLINE = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}}'
MULTI_REGION_KEY = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
ATTRIBUTES = ("/attributes", "/attributes/disable", "/attributes/manage")


@pytest.fixture
def look():
    """Return a function that looks at the page that is shown, in every way."""

    def look_at(page: Page) -> None:
        expect(page.get_by_role("banner").get_by_text(BANNER)).to_be_visible()
        assert page.get_by_role("heading", level=1).count() == 1
        is_console = page.get_by_role("navigation", name="Identity Center").count() > 0
        assert page.title().endswith("· Practice console" if is_console else "· Practice portal")
        assert page.locator("html").get_attribute("lang") == "en"
        assert violations_of_page(page) == [], page.url
        page.set_viewport_size(PHONE)
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], f"{page.url} is {widths[0]} wide on a phone"
        page.set_viewport_size(DESK)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], f"{page.url} is {widths[0]} wide with letters of twice the size"
        page.evaluate("document.documentElement.style.fontSize = ''")

    return look_at


def test_pages_before_the_sign_in(visitor, scene, mfa, look):
    _, user_id = scene.add_user()
    scene.invite(user_id)
    page = visitor.page
    page.goto(scene.links()["mailbox_url"])
    look(page)
    page.get_by_role("link", name="Invitation to join").first.click()
    look(page)
    page.get_by_role("link", name="Accept invitation").click()
    page.get_by_label("New password", exact=True).fill("simple")
    page.get_by_label("New password, once more").fill("simple")
    visitor.press("Set the password")
    expect(page.get_by_role("alert")).to_contain_text("Choose another password")
    look(page)
    visitor.choose_password()
    look(page)


@contextmanager
def further_region(scene) -> Iterator[str]:
    """Give the instance a Region beside its own, for a while."""
    named = {"InstanceArn": scene.instance["InstanceArn"]}
    key = {"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": MULTI_REGION_KEY}
    scene.sso_admin.update_instance(**named, EncryptionConfiguration=key)
    scene.sso_admin.add_region(**named, RegionName="eu-west-1")
    yield "eu-west-1"
    scene.sso_admin.remove_region(**named, RegionName="eu-west-1")
    scene.sso_admin.update_instance(**named, EncryptionConfiguration={"KeyType": "AWS_OWNED_KMS_KEY"})


def test_settings_of_the_practice_console(visitor, scene, look):
    page, settings = visitor.page, f"{scene.site}/start/practice-console/settings"
    page.goto(scene.links()["console_url"])
    look(page)
    for path in SETTINGS:
        page.goto(f"{settings}{path}")
        look(page)
    with further_region(scene) as region:
        for path in ("/management", f"/management/regions/{region}/remove"):
            page.goto(f"{settings}{path}")
            look(page)
    page.goto(f"{settings}/identity-source")
    page.get_by_label("Active Directory").check()
    visitor.press("Next")
    visitor.sees("Confirm the change of identity source")
    look(page)
    visitor.press("Change identity source")
    expect(page.get_by_role("alert")).to_contain_text("Type ACCEPT")
    look(page)
    # What Chromium itself says of a form that was refused.
    assert [text for text in visitor.complaints if "status of 400" not in text] == []
    visitor.complaints.clear()
    page.goto(f"{settings}/attributes")
    visitor.press("Enable attributes for access control")
    for path in ATTRIBUTES:
        page.goto(f"{settings}{path}")
        look(page)
    visitor.press("Add attribute")
    look(page)


def test_the_way_to_an_identity_provider_and_back(visitor, scene, look):
    page, settings = visitor.page, f"{scene.site}/start/practice-console/settings"
    page.goto(scene.links()["console_url"])
    page.goto(f"{scene.site}/start/practice-console/prevent-account-instances")
    look(page)
    page.goto(f"{settings}/identity-source")
    page.get_by_label("External identity provider").check()
    visitor.press("Next")
    visitor.sees("Configure external identity provider")
    look(page)
    with page.expect_download() as file:
        page.get_by_role("link", name="Download metadata file").click()
    assert "signin.aws/platform/saml/acs/" in file.value.path().read_text()
    example = str(resources.files("idc_sandbox").joinpath("data/example-idp-metadata.xml"))
    page.get_by_label("Choose file").set_input_files(example)
    expect(page.get_by_label("IdP SAML metadata", exact=True)).to_have_value(re.compile("X509Certificate"))
    page.get_by_role("button", name="Next").last.click()
    visitor.sees("Confirm the change of identity source")
    page.get_by_label("To confirm, type ACCEPT").fill("ACCEPT")
    try:
        page.get_by_role("button", name="Change identity source").last.click()
        expect(page.get_by_role("status")).to_contain_text("Nothing was deleted")
        page.goto(f"{settings}/identity-source/provider")
        look(page)
        page.goto(f"{scene.site}/start")
        visitor.sees("People sign in elsewhere")
        look(page)
        page.get_by_role("link", name="Change the identity source (for the owner)").click()
        visitor.sees("Change identity source")
    finally:
        arn = scene.instance["InstanceArn"]
        scene.console("POST", "identity-source", {"instance_arn": arn, "type": "identity_center_directory"})


@pytest.fixture
def permission_set(scene) -> Iterator[str]:
    """Return the ARN of a set that has something of everything, in an account that lags behind it."""
    named = {"InstanceArn": scene.instance["InstanceArn"]}
    api = scene.sso_admin
    arn = api.create_permission_set(**named, Name="Everything")["PermissionSet"]["PermissionSetArn"]
    named["PermissionSetArn"] = arn
    _, user_id = scene.add_user(is_assigned=False)
    assignment = {
        **named,
        **{"TargetType": "AWS_ACCOUNT", "TargetId": scene.accounts[1]},
        **{"PrincipalType": "USER", "PrincipalId": user_id},
    }
    api.create_account_assignment(**assignment)
    scene.control("GET", "switches")  # settles what was asked for
    keys = {"Name": "Keys", "Path": "/teams/"}
    api.attach_managed_policy_to_permission_set(
        **named, ManagedPolicyArn="arn:aws:iam::aws:policy/SecurityAudit"
    )
    api.attach_customer_managed_policy_reference_to_permission_set(
        **named, CustomerManagedPolicyReference=keys
    )
    api.put_inline_policy_to_permission_set(**named, InlinePolicy=INLINE)
    api.put_permissions_boundary_to_permission_set(
        **named, PermissionsBoundary={"CustomerManagedPolicyReference": keys}
    )
    api.tag_resource(InstanceArn=named["InstanceArn"], ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    yield arn
    api.delete_account_assignment(**assignment)
    api.list_permission_sets(InstanceArn=named["InstanceArn"])  # settles the deletion
    api.delete_permission_set(**named)


def test_permission_sets_of_the_practice_console(visitor, scene, look, permission_set):
    page, sets = visitor.page, f"{scene.site}/start/practice-console/permission-sets"
    page.goto(scene.links()["console_url"])
    for path in ("", "?search=none"):
        page.goto(f"{sets}{path}")
        look(page)
    for path in PERMISSION_SET:
        page.goto(f"{sets}/{permission_set.rpartition('/')[2]}{path}")
        look(page)
    page.goto(f"{sets}/create")
    look(page)
    page.get_by_label("Custom permission set").check()
    visitor.press("Next")
    look(page)
    page.locator("details:not([open]) > summary").evaluate_all("all => all.forEach(one => one.click())")
    page.get_by_label("AdministratorAccess", exact=True).check()
    visitor.press("Attach more")
    page.locator("details:not([open]) > summary").evaluate_all("all => all.forEach(one => one.click())")
    look(page)
    page.get_by_label("Inline policy (JSON)").fill(INLINE)
    visitor.press("Next")
    visitor.sees("Specify permission set details")
    visitor.press("Add tag")
    look(page)
    page.get_by_label("Permission set name").fill("two words")
    visitor.press("Next")
    expect(page.get_by_role("alert")).to_contain_text("no spaces")
    look(page)
    page.get_by_label("Permission set name").fill("Whole")
    visitor.press("Next")
    visitor.sees("Review and create")
    look(page)
    # That is what Chromium itself says of a form that was refused.
    visitor.complaints[:] = [text for text in visitor.complaints if "with a status of 400" not in text]


def test_pages_of_the_sign_in(visitor, scene, mfa, look):
    mfa(prompt="always-on")
    visitor.add_authenticator()
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    page = visitor.page
    page.goto(f"{scene.site}/start/sign-in")
    page.get_by_label("User name").fill(name)
    visitor.press("Next")
    page.get_by_label("Password").fill("wrong")
    visitor.press("Sign in")
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    look(page)
    page.get_by_label("Password").fill(PASSWORD)
    visitor.press("Sign in")
    visitor.sees("Register an MFA device")
    look(page)
    visitor.register_app()
    visitor.sees("Access portal")
    page.goto(f"{scene.site}/start/devices/register")
    visitor.press("Register a security key or passkey")
    visitor.press("Sign out")
    visitor.give_password(name)
    visitor.sees("Prove that it is you")
    look(page)


@pytest.mark.parametrize("way", ["block", "require-email-otp"])
def test_pages_of_other_ways_to_sign_in(visitor, scene, mfa, look, way):
    mfa(user_without_device=way)
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.sees("You cannot sign in" if way == "block" else "Enter the code from your mail")
    look(visitor.page)


def test_the_page_after_a_password_that_an_administrator_handed_over(visitor, scene, mfa, look):
    mfa(user_without_device="allow")
    name, user_id = scene.add_user()
    given = scene.console("POST", f"users/{user_id}/reset-password", {"delivery": "one-time-password"})
    page = visitor.page
    page.goto(f"{scene.site}/start")
    page.get_by_label("User name").fill(name)
    visitor.press("Next")
    page.get_by_label("Password").fill(given["one_time_password"])
    visitor.press("Sign in")
    visitor.sees("Choose a new password")
    look(page)
    page.get_by_label("New password", exact=True).fill(given["one_time_password"])
    page.get_by_label("New password, once more").fill(given["one_time_password"])
    visitor.press("Set the password")
    expect(page.get_by_role("alert")).to_contain_text("and from the one you were given")
    look(page)


def test_pages_of_the_portal(visitor, scene, mfa, look):
    mfa(user_without_device="allow")
    name, user_id = scene.add_user()
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.sees("Access portal")
    page, site = visitor.page, scene.site
    look(page)
    account = scene.accounts[1]
    for path in (
        f"/start/accounts/{account}/roles/ReadOnlyAccess/access-keys",
        f"/start/console?account_id={account}&role_name=ReadOnlyAccess",
        "/start/devices",
        "/start/devices/register",
        "/start/device",
        "/start/device?user_code=BBBB-BBBB",
    ):
        page.goto(f"{site}{path}")
        look(page)
    waiting, _ = scene.start_device_login()
    page.goto(waiting["verificationUriComplete"])
    look(page)
    visitor.press("Yes, it is the same")
    visitor.sees("Allow practice-cli to access your data?")
    look(page)
    visitor.press("Deny access")
    visitor.sees("Request denied")
    look(page)
    waiting, _ = scene.start_device_login()
    page.goto(waiting["verificationUriComplete"])
    visitor.press("Yes, it is the same")
    visitor.press("Allow access")
    visitor.sees("Request approved")
    look(page)


def test_pages_with_devices_and_pages_with_nothing(visitor, scene, mfa, look):
    name, user_id = scene.add_user(is_assigned=False)
    visitor.accept_invitation(user_id)
    visitor.give_password(name)
    visitor.register_app()
    visitor.sees("Access portal")
    expect(visitor.page.get_by_role("status")).to_contain_text("Nothing is assigned to you yet")
    look(visitor.page)
    page = visitor.page
    page.goto(f"{scene.site}/start/devices")
    for summary in ("Rename", "Delete"):
        page.get_by_text(summary, exact=False).first.click()
    look(page)


@pytest.mark.parametrize(
    "path", ["/start/nothing-here", "/start/mailbox", "/start/practice-console", "/authorize"]
)
def test_pages_that_say_no(visitor, scene, look, path):
    page = visitor.page
    answer = page.goto(f"{scene.site}{path}")
    assert answer.status in (400, 403, 404)
    look(page)
    # That is what Chromium itself says of such an answer.
    assert [text for text in visitor.complaints if "the server responded with a status of" not in text] == []
    visitor.complaints.clear()
