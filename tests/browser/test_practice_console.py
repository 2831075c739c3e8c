"""The practice console's wizard of a permission set by keyboard alone, from the list to the set."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

SETS = "/start/practice-console/permission-sets"
INLINE = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}}'
MOST_TABS = 90
# What has the focus: its label without the hint, or its text; and whether one sees that it has it.
FOCUSED = """() => {
    const one = document.activeElement;
    if (one === document.body) return ["", true];  // the browser's own buttons, after the last of the page
    const label = one.labels?.length ? one.labels[0].innerText.split("\\n")[0] : one.ariaLabel;
    const isSeen = one.matches(":focus-visible") && getComputedStyle(one).outlineStyle !== "none";
    return [(label || one.textContent).trim().replace(/\\s+/g, " "), isSeen];
}"""


class Keyboard:
    """Somebody without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, name: str) -> None:
        """Press Tab until something of this name has the focus; all on the way shows that it has it."""
        passed = []
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            focused, is_seen = self.page.evaluate(FOCUSED)
            assert is_seen, f"{focused!r} does not show that it has the focus"
            if focused == name:
                return
            passed.append(focused)
        pytest.fail(f"Tab never came to {name!r}, but to {passed}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def fill(self, name: str, text: str) -> None:
        self.reach(name)
        self.press("Control+a")
        self.page.keyboard.type(text)

    def choose(self, name: str) -> None:
        """Press a button or a link, or open a fold."""
        self.reach(name)
        self.press("Enter")

    def has(self, name: str) -> None:
        """Wait until something has the focus without any key."""
        self.page.wait_for_function(f"name => ({FOCUSED})()[0] === name", arg=name)


def test_a_permission_set_is_created_by_keyboard_alone(visitor, scene):
    page, keys = visitor.page, Keyboard(visitor.page)
    page.goto(scene.links()["console_url"])
    page.goto(f"{scene.site}{SETS}")
    keys.choose("Create permission set")
    visitor.sees("Select permission set type")
    keys.reach("Predefined permission set")
    keys.press("ArrowDown")
    keys.choose("Next")
    visitor.sees("Specify policies and permissions boundary")
    keys.choose("AWS managed policies (not set)")
    keys.fill("Search AWS managed policies by name", "s3 readonly")
    with page.expect_navigation():  # the field has the focus before it and after it
        keys.press("Enter")
    keys.has("Search AWS managed policies by name")
    keys.reach("AmazonS3ReadOnlyAccess")
    keys.press("Space")
    keys.reach("Inline policy (not set)")
    keys.press("Space")
    keys.fill("Inline policy (JSON)", INLINE)
    keys.choose("Permissions boundary – optional (not set)")
    keys.reach("Use a permissions boundary to control the maximum permissions")
    keys.press("Space")
    keys.fill("Name of the AWS managed policy", "PowerUserAccess")
    keys.choose("Next")
    visitor.sees("Specify permission set details")
    keys.fill("Permission set name", "By keyboard")
    keys.press("Enter")  # the form's own button, not "Add tag"
    expect(page.get_by_role("alert")).to_contain_text("no spaces")
    keys.fill("Permission set name", "ByKeyboard")
    keys.reach("Session duration")
    page.keyboard.type("8")
    keys.fill("Key 1", "team")
    keys.fill("Value 1 (optional)", "audit")
    keys.choose("Add tag")
    keys.has("Key 2")
    keys.choose("Next")
    visitor.sees("Review and create")
    keys.choose("Edit policies and permissions boundary")
    visitor.sees("Specify policies and permissions boundary")
    keys.choose("Next")
    visitor.sees("Specify permission set details")
    keys.choose("Previous")
    visitor.sees("Specify policies and permissions boundary")
    keys.choose("Next")
    visitor.sees("Specify permission set details")
    keys.choose("Next")
    visitor.sees("Review and create")
    keys.choose("Create")
    visitor.sees("Permission sets")
    expect(page.get_by_role("status")).to_contain_text("The permission set ByKeyboard is created")
    keys.choose("View permission set details")
    visitor.sees("ByKeyboard")
    arn = page.locator("[data-value=arn]").inner_text()
    named = {"InstanceArn": scene.instance["InstanceArn"], "PermissionSetArn": arn}
    api = scene.sso_admin
    described = api.describe_permission_set(**named)["PermissionSet"]
    assert (described["Name"], described["SessionDuration"]) == ("ByKeyboard", "PT8H")
    (managed,) = api.list_managed_policies_in_permission_set(**named)["AttachedManagedPolicies"]
    assert managed["Name"] == "AmazonS3ReadOnlyAccess"
    assert api.get_inline_policy_for_permission_set(**named)["InlinePolicy"] == INLINE
    boundary = api.get_permissions_boundary_for_permission_set(**named)["PermissionsBoundary"]
    assert boundary == {"ManagedPolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess"}
    tags = api.list_tags_for_resource(InstanceArn=scene.instance["InstanceArn"], ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "audit"}]
    keys.choose("Delete permission set")
    visitor.sees("Delete permission set")
    keys.fill("To confirm, type ByKeyboard", "ByKeyboard")
    keys.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("ByKeyboard is deleted")
    # That is what Chromium itself says of a form that was refused.
    visitor.complaints[:] = [text for text in visitor.complaints if "with a status of 400" not in text]
