"""Settings in the practice console: each act by its effect, each field by its refusal, and who may."""

from __future__ import annotations

import html
import re
from importlib import resources
from xml.etree import ElementTree

import pytest
from console_role import come_with_role

CONSOLE = "/start/practice-console"
SETTINGS = f"{CONSOLE}/settings"
MFA, SESSIONS = "multi_factor_authentication", "sessions"
BOTH = ["authenticator-apps", "security-keys-and-built-in-authenticators"]
CONFIGURATION = "InstanceAccessControlAttributeConfiguration"
MFA_FORM = {"prompt": "always-on", "allowed_types": BOTH, "user_without_device": "require-registration"}
SESSION_FORM = {
    "user_interactive": "PT8H",
    "user_background": "P7D",
    "user_background_enabled": "yes",
    "kiro_extended": "yes",
}
PROVIDER = {
    "type": "external_identity_provider",
    "metadata": resources.files("idc_sandbox").joinpath("data/example-idp-metadata.xml").read_text(),
}
IDP_SIGN_IN = "https://idp.example.com/saml/sign-in"


@pytest.fixture
def administrator(place):
    visitor = place.visitor()
    visitor.open(place.links()["console_url"].partition("8723")[2])
    return visitor


@pytest.fixture
def arn(place):
    return place.portal.instance["InstanceArn"]


def settings_of(place):
    return place.clients.console("GET", "settings", {"instance_arn": place.portal.instance["InstanceArn"]})


def post(visitor, path, shown=None, **fields):
    """Open a screen, and send its form."""
    visitor.open(f"{SETTINGS}{shown or path}")
    return visitor.send(path.rpartition("/")[2] or "settings", **fields)


def values_in(visitor, name):
    """Return what the fields of a name hold."""
    found = re.findall(rf'name="{name}"[^>]* value="([^"]*)"', visitor.page.text)
    return [html.unescape(one) for one in found]


def chosen_in(visitor, name):
    """Return the values of the boxes and radio buttons that are chosen."""
    return re.findall(rf'name="{name}" value="([^"]*)" checked', visitor.page.text)


# --- details, tabs


def test_the_details_are_those_of_the_instance(place, administrator, arn):
    administrator.open(SETTINGS)
    organization = place.clients.client("organizations").describe_organization()["Organization"]
    shown = {name: administrator.value(name) for name in ("name", "instance_id", "region", "instance_arn")}
    assert shown == {
        "name": "none yet",
        "instance_id": arn.rpartition("/")[2],
        "region": "us-east-1",
        "instance_arn": arn,
    }
    assert administrator.value("organization_id") == organization["Id"]
    assert administrator.value("delegated_administrator") == "No account registered"
    assert administrator.value("identity_enhanced_sessions") == "Disabled"


def test_the_tabs_are_those_of_the_console_and_attributes_come_when_they_are_enabled(administrator):
    def tabs():
        administrator.open(SETTINGS)
        nav = administrator.page.text.partition('aria-label="Tabs"')[2].partition("</nav>")[0]
        return re.findall(r"<a [^>]*>(.*?)</a>", nav)

    first, last = ["Identity source", "Authentication"], ["Management", "Tags", "Additional settings"]
    assert tabs() == first + last
    administrator.send("/settings/attributes")
    assert administrator.message.startswith("Attributes for access control are enabled")
    assert tabs() == [*first, "Attributes for access control", *last]


def test_without_an_instance_settings_lead_to_enable(place, administrator, arn):
    place.portal.sso_admin.delete_instance(InstanceArn=arn)
    for path in ("", "/name", "/authentication", "/authentication/mfa", "/attributes/manage", "/tags/manage"):
        administrator.open(f"{SETTINGS}{path}")
        assert administrator.heading == "Enable IAM Identity Center", path


def test_the_instance_gets_its_name(place, administrator):
    post(administrator, "/name", name=" Practice <b> ")
    assert administrator.page.status_code == 400
    assert values_in(administrator, "name") == [" Practice <b> "]
    post(administrator, "/name", name=" Practice ")
    assert "Practice" in administrator.message
    assert administrator.value("name") == "Practice"
    assert place.portal.sso_admin.list_instances()["Instances"][0]["Name"] == "Practice"
    assert post(administrator, "/name", name=" ").status_code == 400


# --- identity source


def test_the_identity_source_is_shown_in_the_consoles_words(place, administrator, arn):
    administrator.open(SETTINGS)
    names = ("identity_source", "authentication_method", "provisioning_method", "portal_url", "issuer_url")
    assert [administrator.value(name) for name in names] == [
        "Identity Center directory",
        "Password",
        "Direct",
        place.portal.start_url,
        f"https://identitycenter.amazonaws.com/{arn.rpartition('/')[2]}",
    ]
    assert administrator.value("identity_store_id") == place.portal.instance["IdentityStoreId"]


@pytest.mark.parametrize("subdomain", ["", "https://acme.awsapps.com/start", "Acme", "d-acme", "a" * 63])
def test_a_subdomain_that_is_none_changes_nothing_and_stays_in_the_field(place, administrator, subdomain):
    assert post(administrator, "/portal-url", subdomain=subdomain).status_code == 400
    assert "lower-case" in administrator.message
    assert values_in(administrator, "subdomain") == [subdomain]
    assert settings_of(place)["access_portal"]["subdomain"] is None


def test_a_tab_shows_what_it_is_for_and_folds_the_details_above_it(administrator):
    for path, is_open in (("", True), ("/authentication", False), ("/management", False), ("/tags", False)):
        administrator.open(f"{SETTINGS}{path}")
        details = administrator.page.text.partition("Details</h2>")[0].rpartition("<details")[2]
        assert details.startswith(" open") is is_open, path


def test_the_portals_address_is_chosen_once(place, administrator):
    post(administrator, "/portal-url", subdomain=" acme ")
    assert "“acme”" in administrator.message
    assert administrator.value("portal_url") == "https://acme.awsapps.com/start"
    assert settings_of(place)["access_portal"]["subdomain"] == "acme"
    assert "Customize AWS access portal URL" not in administrator.page.text
    administrator.open(f"{SETTINGS}/portal-url")
    assert "nothing to change" in administrator.page.text
    administrator.open(f"{SETTINGS}/name")
    data = {"csrf_token": administrator.csrf_token(), "subdomain": "other"}
    assert administrator.client.post(f"{SETTINGS}/portal-url", data=data).status_code == 400
    assert settings_of(place)["access_portal"]["subdomain"] == "acme"


def test_the_identity_source_changes_after_its_consequences_and_says_what_was_deleted(place, administrator):
    place.portal.add_group("Auditors", place.portal.user_id)
    place.portal.assign(place.portal.add_permission_set("Set"), place.clients.management_account_id)
    post(administrator, "/identity-source", act="next", type="active_directory")
    assert (administrator.value("old"), administrator.value("new")) == (
        "Identity Center directory",
        "Active Directory",
    )
    assert "All users and groups of this instance are deleted." in administrator.page.text
    assert "leaving the directory “to look”" in administrator.page.text
    assert settings_of(place)["identity_source"]["type"] == "identity_center_directory"
    for typed in ("", "accept", "ACCEPT IT"):
        answer = administrator.send("/identity-source", act="change", type="active_directory", typed=typed)
        assert answer.status_code == 400
        assert "ACCEPT" in administrator.message
        assert values_in(administrator, "typed") == [typed]
        assert administrator.value("new") == "Active Directory"
    assert settings_of(place)["identity_source"]["type"] == "identity_center_directory"
    administrator.send("/identity-source", act="change", type="active_directory", typed="ACCEPT")
    assert administrator.message.endswith("1 user, 1 group and 1 account assignment.")
    assert administrator.value("identity_source") == "Active Directory"
    store = {"IdentityStoreId": place.portal.instance["IdentityStoreId"]}
    assert place.portal.identity_store.list_users(**store)["Users"] == []


def test_the_change_goes_back_with_what_was_chosen_and_refuses_no_change(place, administrator):
    post(administrator, "/identity-source", act="next", type="external_identity_provider")
    assert "identity provider" in administrator.page.text
    administrator.send("/identity-source", act="previous", type="external_identity_provider")
    assert chosen_in(administrator, "type") == ["external_identity_provider"]
    for new, message in (("identity_center_directory", "already"), ("", "Choose"), ("ldap", "Choose")):
        for act in ("next", "change"):
            answer = administrator.send("/identity-source", act=act, type=new, typed="ACCEPT")
            assert answer.status_code == 400
            assert message in administrator.message
            assert administrator.heading == "Change identity source"


def test_metadata_is_exchanged_with_an_identity_provider_before_the_change(place, administrator):
    provider = {"type": "external_identity_provider"}
    post(administrator, "/identity-source", act="next", **provider)
    assert administrator.heading == "Configure external identity provider"
    instance = place.portal.instance
    store_id = instance["IdentityStoreId"]
    issuer = f"https://us-east-1.signin.aws.amazon.com/platform/saml/{store_id}"
    acs = re.fullmatch(
        r"https://us-east-1\.signin\.aws/platform/saml/acs/[0-9a-f-]{36}", administrator.value("acs_url")
    )
    assert acs
    assert administrator.value("issuer_url") == issuer
    assert administrator.value("sign_in_url") == place.portal.start_url
    exchange = administrator.page
    file = administrator.open(f"{SETTINGS}/identity-source/metadata")
    assert "attachment" in file.headers["content-disposition"]
    service = ElementTree.fromstring(file.text)
    assert service.get("entityID") == issuer
    assert [one.get("Location") for one in service.iter() if one.tag.endswith("ConsumerService")] == [acs[0]]
    for metadata, message in (
        ("", "IdP sign-in URL is missing"),
        ("<x", "is no XML"),
        ("<!DOCTYPE x><x/>", "without a DOCTYPE"),
        (f"<x>{'x' * 75_000}</x>", "at most 75,000 characters"),
        ("<x><![CDATA[y]]></x>", "describes no identity provider"),
        ("<x/>", "describes no identity provider"),
        (file.text, "such as Identity Center itself"),
    ):
        administrator.page = exchange
        administrator.send("/identity-source", act="confirm", metadata=metadata, **provider)
        assert (administrator.page.status_code, message in administrator.message) == (400, True), metadata
        assert html.escape(metadata, quote=False) in administrator.page.text.replace("&#34;", '"')
    administrator.send("/identity-source", act="confirm", certificate="x", sign_in_url="ftp://x", **provider)
    assert "IdP issuer URL is missing" in administrator.message
    administrator.send("/identity-source", act="example", **provider)
    example = html.unescape(
        re.findall("<textarea[^>]*>(.*?)</textarea>", administrator.page.text, re.DOTALL)[0]
    )
    administrator.send("/identity-source", act="confirm", metadata=example, **provider)
    assert administrator.heading == "Confirm the change of identity source"
    assert "Users, groups and assignments stay" in administrator.page.text
    assert "before user names match" in administrator.page.text
    carried = {
        name: values_in(administrator, name)[0] for name in ("sign_in_url", "issuer_url", "certificate")
    }
    assert carried["sign_in_url"] == IDP_SIGN_IN
    administrator.send("/identity-source", act="exchange", **carried, **provider)
    assert values_in(administrator, "issuer_url") == [carried["issuer_url"]]
    administrator.send("/identity-source", act="confirm", **carried, **provider)
    assert settings_of(place)["identity_source"]["type"] == "identity_center_directory"
    administrator.send("/identity-source", act="change", typed="ACCEPT", **carried, **provider)
    assert administrator.value("authentication_method") == "SAML 2.0"
    administrator.open(f"{SETTINGS}/identity-source/provider")
    assert administrator.value("idp_issuer_url") == "https://idp.example.com/saml"
    assert "2125" in administrator.value("idp_valid_until")
    assert settings_of(place)["identity_source"]["identity_provider"] == carried


def test_with_an_identity_provider_the_sign_in_says_who_takes_over_until_the_source_is_changed_back(
    place, administrator, ana
):
    post(administrator, "/identity-source", act="change", typed="ACCEPT", **PROVIDER)
    assert ana.open("/start").status_code == 200
    assert ana.heading == "Access portal"  # a session goes on
    visitor = place.visitor()
    visitor.open("/start")
    assert visitor.heading == "People sign in elsewhere"
    assert IDP_SIGN_IN in visitor.message
    assert f'href="{SETTINGS}/identity-source"' in visitor.page.text
    post(administrator, "/identity-source", act="next", type="identity_center_directory")
    assert "signs in with it again" in administrator.page.text
    assert "resetting no passwords after it" in administrator.page.text
    administrator.send("/identity-source", act="change", type="identity_center_directory", typed="ACCEPT")
    visitor.sign_in()
    assert visitor.heading == "Access portal"
    administrator.open(f"{SETTINGS}/identity-source/provider")
    assert administrator.heading == "Settings: Identity source"


def test_with_an_identity_provider_there_is_no_mfa_to_configure(place, administrator):
    post(administrator, "/identity-source", act="next", **PROVIDER)
    administrator.send("/identity-source", act="change", typed="ACCEPT", **PROVIDER)
    assert "Nothing was deleted" in administrator.message
    administrator.open(f"{SETTINGS}/authentication")
    assert "not Identity Center's to ask for" in html.unescape(administrator.page.text)
    for path in ("standard", "mfa"):
        administrator.open(f"{SETTINGS}/authentication/{path}")
        assert f'action="{SETTINGS}/authentication/{path}"' not in administrator.page.text
    data = {"csrf_token": administrator.csrf_token(), **MFA_FORM}
    assert administrator.client.post(f"{SETTINGS}/authentication/mfa", data=data).status_code in (400, 403)
    assert settings_of(place)[MFA] is None


# --- authentication


def test_the_tab_shows_what_is_set(place, administrator):
    administrator.open(f"{SETTINGS}/authentication")
    shown = {
        name: administrator.value(name)
        for name in (
            *("send_email_otp", "prompt", "allowed_types", "user_without_device", "users_manage_own_devices"),
            *("user_interactive", "user_background", "kiro_extended"),
        )
    }
    assert shown == {
        "send_email_otp": "Disabled",
        "prompt": "Every time they sign in (always-on)",
        "allowed_types": "Users can authenticate with: Security keys and built-in authenticators;"
        " Authenticator apps",
        "user_without_device": "Require them to register an MFA device at sign in",
        "users_manage_own_devices": "Users can add and manage their own MFA devices",
        "user_interactive": "8 hours",
        "user_background": "7 days",
        "kiro_extended": "90 days",
    }
    arn = place.portal.instance["InstanceArn"]
    for name, values in (
        ("standard_authentication", {"send_email_otp": True}),
        (MFA, {"user_without_device": "block", "users_manage_own_devices": False, "prompt": "never"}),
        (SESSIONS, {"user_interactive": "PT90M", "user_background_enabled": False, "kiro_extended": False}),
    ):
        place.clients.console("PUT", f"settings/{name}", {"instance_arn": arn, **values})
    administrator.open(f"{SETTINGS}/authentication")
    assert {name: administrator.value(name) for name in shown if name != "allowed_types"} == {
        "send_email_otp": "Enabled",
        "prompt": "Never (disabled)",
        "user_without_device": "Block their sign-in",
        "users_manage_own_devices": "Administrators alone",
        "user_interactive": "1 hour 30 minutes",
        "user_background": "Disabled",
        "kiro_extended": "as user interactive sessions",
    }


def test_the_mailed_password_is_turned_on_and_off(place, administrator):
    for fields, is_on in (({"send_email_otp": "yes"}, True), ({}, False)):
        post(administrator, "/authentication/standard", **fields)
        assert "saved" in administrator.message
        assert settings_of(place)["standard_authentication"] == {"send_email_otp": is_on}
        administrator.open(f"{SETTINGS}/authentication/standard")
        assert chosen_in(administrator, "send_email_otp") == (["yes"] if is_on else [])


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"prompt": "context-aware"}, {"prompt": "context-aware"}),
        ({"allowed_types": BOTH[:1]}, {"allowed_types": BOTH[:1]}),
        (
            {"user_without_device": "block"},
            {"user_without_device": "block", "users_manage_own_devices": False},
        ),
        (
            {"user_without_device": "allow", "users_manage_own_devices": "yes"},
            {"user_without_device": "allow"},
        ),
        ({"prompt": "never", "allowed_types": []}, {"prompt": "never", "allowed_types": []}),
        ({}, {}),  # what is required forces the box, which is locked and not sent
    ],
)
def test_mfa_is_configured(place, administrator, fields, changed):
    before = settings_of(place)[MFA]
    post(administrator, "/authentication/mfa", **MFA_FORM | fields)
    assert "MFA settings are updated" in administrator.message
    assert settings_of(place)[MFA] == before | changed
    administrator.open(f"{SETTINGS}/authentication/mfa")
    assert chosen_in(administrator, "prompt") == [settings_of(place)[MFA]["prompt"]]
    assert sorted(chosen_in(administrator, "allowed_types")) == settings_of(place)[MFA]["allowed_types"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": ""}, "Prompt users for MFA"),
        ({"prompt": "sometimes"}, "Prompt users for MFA"),
        ({"user_without_device": ""}, "does not yet have"),
        ({"user_without_device": "shout"}, "does not yet have"),
        ({"allowed_types": []}, "at least one MFA type"),
        ({"allowed_types": ["sms"]}, "sms"),
    ],
)
def test_mfa_that_does_not_exist_changes_nothing_and_stays_on_the_page(place, administrator, fields, message):
    before = settings_of(place)
    sent = MFA_FORM | {"prompt": "context-aware", "user_without_device": "allow"} | fields
    assert post(administrator, "/authentication/mfa", **sent).status_code == 400
    assert message in administrator.message
    assert settings_of(place) == before
    kept = {name: chosen_in(administrator, name) for name in ("prompt", "user_without_device")}
    for name, wrong in (("prompt", "sometimes"), ("user_without_device", "shout")):
        assert kept[name] == [one for one in [sent[name]] if one not in ("", wrong)]
    assert chosen_in(administrator, "allowed_types") == [
        one for one in reversed(BOTH) if one in sent["allowed_types"]
    ]


@pytest.mark.parametrize(
    ("fields", "changed", "shown"),
    [
        ({"user_interactive": "PT15M"}, {"user_interactive": "PT15M"}, "15 minutes"),
        ({"user_interactive": "P90D"}, {"user_interactive": "P90D"}, "90 days"),
        (
            {"user_interactive": "custom", "user_interactive_minutes": "90"},
            {"user_interactive": "PT90M"},
            "1 hour 30 minutes",
        ),
        (
            {"user_interactive": "custom", "user_interactive_minutes": " 129600 "},
            {"user_interactive": "PT129600M"},
            "90 days",
        ),
        ({"user_background": "P30D"}, {"user_background": "P30D"}, "8 hours"),
        ({"user_background_enabled": []}, {"user_background_enabled": False}, "8 hours"),
        ({"kiro_extended": []}, {"kiro_extended": False}, "8 hours"),
    ],
)
def test_session_durations_are_configured(place, administrator, fields, changed, shown):
    before = settings_of(place)[SESSIONS]
    post(administrator, "/authentication/session-duration", **SESSION_FORM | fields)
    assert "saved" in administrator.message
    assert administrator.value("user_interactive") == shown
    assert settings_of(place)[SESSIONS] == before | changed


@pytest.mark.parametrize("stored", ["PT8H", "PT480M", "P1DT12H"])
def test_a_stored_duration_is_chosen_in_the_form_and_saving_keeps_it(place, administrator, arn, stored):
    place.clients.console("PUT", "settings/sessions", {"instance_arn": arn, "user_interactive": stored})
    administrator.open(f"{SETTINGS}/authentication/session-duration")
    (choice, _background) = re.findall(r'<option value="(\w+)" selected>', administrator.page.text)
    minutes = values_in(administrator, "user_interactive_minutes")[0]
    assert (choice, minutes) == (("custom", "2160") if stored == "P1DT12H" else ("PT8H", "480"))
    custom = {"user_interactive": choice, "user_interactive_minutes": minutes}
    administrator.send("/session-duration", **SESSION_FORM | custom)
    expected = "1 day 12 hours" if stored == "P1DT12H" else "8 hours"
    assert administrator.value("user_interactive") == expected


@pytest.mark.parametrize("name", ["user_interactive", "user_background"])
@pytest.mark.parametrize("minutes", ["14", "129601", "-90", "1.5", "٩٠", "9" * 12, "", "8h"])
def test_a_duration_out_of_bounds_changes_nothing_and_stays_in_the_field(place, administrator, name, minutes):
    before = settings_of(place)
    fields = {name: "custom", f"{name}_minutes": minutes, "kiro_extended": []}
    answer = post(administrator, "/authentication/session-duration", **SESSION_FORM | fields)
    assert answer.status_code == 400
    assert "whole number of minutes" in administrator.message
    assert values_in(administrator, f"{name}_minutes") == [minutes]
    assert chosen_in(administrator, "kiro_extended") == []
    assert settings_of(place) == before


def test_a_duration_that_is_not_offered_is_refused(place, administrator):
    before = settings_of(place)
    fields = SESSION_FORM | {"user_interactive": "PT7H"}
    assert post(administrator, "/authentication/session-duration", **fields).status_code == 400
    assert settings_of(place) == before


# --- attributes for access control


def attributes_of(place, arn):
    answer = place.portal.sso_admin.describe_instance_access_control_attribute_configuration(InstanceArn=arn)
    return {one["Key"]: one["Value"]["Source"] for one in answer[CONFIGURATION]["AccessControlAttributes"]}


def test_attributes_are_enabled_added_removed_and_saved_without_a_script(place, administrator, arn):
    administrator.open(f"{SETTINGS}/attributes")
    administrator.send("/settings/attributes")
    assert attributes_of(place, arn) == {}
    cost, team = "${path:enterprise.costCenter}", "${path:enterprise.department}"
    administrator.open(f"{SETTINGS}/attributes/manage")
    assert values_in(administrator, "key") == [""]
    administrator.send("/manage", act="add", key=["Cost"], value=[cost])
    assert (values_in(administrator, "key"), values_in(administrator, "value")) == (["Cost", ""], [cost, ""])
    assert attributes_of(place, arn) == {}
    administrator.send("/manage", act="remove-0", key=["Cost", "Team"], value=[cost, team])
    assert values_in(administrator, "key") == ["Team"]
    administrator.send("/manage", act="save", key=["Cost", " Team ", ""], value=[cost, f" {team} ", ""])
    assert "saved" in administrator.message
    assert attributes_of(place, arn) == {"Cost": [cost], "Team": [team]}
    assert administrator.value("attribute_Team") == team
    administrator.open(f"{SETTINGS}/attributes/manage")
    assert values_in(administrator, "key") == ["Cost", "Team"]
    administrator.send("/manage", act="save")
    assert attributes_of(place, arn) == {}


@pytest.mark.parametrize(
    ("keys", "values", "message"),
    [
        (["Team", ""], ["${path:title}", "${path:title}"], "Row 2 has no key"),
        (["Team"], [""], "names no attribute"),
        (["Team"], ["enterprise.department"], "names no attribute"),
        (["Team"], ["${path:}"], "names no attribute"),
        (["Team", "Team"], ["${path:title}", "${path:locale}"], "once"),
        (["Te<am"], ["${path:title}"], "Te<am"),
    ],
)
def test_a_row_that_is_wrong_changes_nothing_and_all_rows_stay(
    place, administrator, arn, keys, values, message
):
    administrator.open(f"{SETTINGS}/attributes")
    administrator.send("/settings/attributes")
    administrator.open(f"{SETTINGS}/attributes/manage")
    assert administrator.send("/manage", act="save", key=keys, value=values).status_code == 400
    assert message in administrator.message
    assert (values_in(administrator, "key"), values_in(administrator, "value")) == (keys, values)
    assert attributes_of(place, arn) == {}


def test_attributes_are_disabled_by_typing_it(place, administrator, arn):
    administrator.open(f"{SETTINGS}/attributes/disable")
    assert administrator.heading == "Settings: Attributes for access control"  # nothing to disable yet
    administrator.send("/settings/attributes")
    for typed in ("", "disable"):
        assert post(administrator, "/attributes/disable", typed=typed).status_code == 400
        assert "DISABLE" in administrator.message
        assert values_in(administrator, "typed") == [typed]
        assert attributes_of(place, arn) == {}
    post(administrator, "/attributes/disable", typed="DISABLE")
    assert "disabled" in administrator.message
    with pytest.raises(place.portal.sso_admin.exceptions.ResourceNotFoundException):
        attributes_of(place, arn)


# --- management


def administrators_of(place):
    client = place.clients.client("organizations")
    found = client.list_delegated_administrators(ServicePrincipal="sso.amazonaws.com")
    return [one["Id"] for one in found["DelegatedAdministrators"]]


def test_a_member_account_becomes_the_delegated_administrator_and_stops_being_it(place, administrator):
    accounts = place.clients.client("organizations").list_accounts()["Accounts"]
    management = place.clients.management_account_id
    member, other = [one for one in accounts if one["Id"] != management][:2]
    assert post(administrator, "/management/register").status_code == 400
    assert "Choose one member account" in administrator.message
    assert management not in re.findall(r'name="account_id" value="(\d+)"', administrator.page.text)
    post(administrator, "/management/register", account_id=member["Id"])
    assert member["Id"] in administrator.message
    assert administrator.value("administrator_name") == member["Name"]
    assert member["Name"] in administrator.value("delegated_administrator")
    assert administrators_of(place) == [member["Id"]]
    assert post(administrator, "/management/register", account_id=other["Id"]).status_code == 400
    assert "one at a time" in administrator.message
    assert chosen_in(administrator, "account_id") == [other["Id"]]
    for typed in ("", member["Name"].swapcase(), member["Id"]):
        assert post(administrator, "/management/deregister", typed=typed).status_code == 400
        assert values_in(administrator, "typed") == [typed]
    assert administrators_of(place) == [member["Id"]]
    post(administrator, "/management/deregister", typed=member["Name"])
    assert "no longer" in administrator.message
    assert administrators_of(place) == []
    administrator.open(f"{SETTINGS}/management/deregister")
    assert administrator.heading == "Settings: Management"


def test_what_organizations_refuses_is_said(place, administrator):
    for account_id in (place.clients.management_account_id, "999999999999", "no account"):
        assert post(administrator, "/management/register", account_id=account_id).status_code == 400
        assert administrator.message.startswith("Problem")
    assert administrators_of(place) == []


def test_a_region_is_refused_for_want_of_the_key(place, administrator, arn):
    administrator.open(f"{SETTINGS}/management")
    assert administrator.value("region_name") == "us-east-1"
    assert post(administrator, "/management/add-region", region="eu-west-1").status_code == 400
    assert "customer managed multi-Region KMS key" in administrator.message
    assert "<option selected>eu-west-1</option>" in administrator.page.text
    assert post(administrator, "/management/add-region", region="mars-1").status_code == 400
    assert [one["RegionName"] for one in place.portal.sso_admin.list_regions(InstanceArn=arn)["Regions"]] == [
        "us-east-1"
    ]


@pytest.fixture
def further_region(place, arn):
    """Return a Region that the instance has beside its own."""
    key_arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
    sso_admin = place.portal.sso_admin
    sso_admin.update_instance(
        InstanceArn=arn,
        EncryptionConfiguration={"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": key_arn},
    )
    sso_admin.add_region(InstanceArn=arn, RegionName="eu-west-1")
    return "eu-west-1"


def test_a_further_region_is_removed_and_the_home_region_cannot_be(place, administrator, arn, further_region):
    way = f"{SETTINGS}/management/regions/{further_region}/remove"
    administrator.open(f"{SETTINGS}/management")
    assert re.findall(r'href="([^"]+/remove)"', administrator.page.text) == [way]
    administrator.open(way)
    assert administrator.heading == "Remove Region"
    administrator.send("/remove")
    assert administrator.message.startswith(f"Region {further_region} is being removed")
    left = [one["RegionName"] for one in place.portal.sso_admin.list_regions(InstanceArn=arn)["Regions"]]
    assert left == ["us-east-1"]
    assert administrator.open(way).url.path == f"{SETTINGS}/management"
    administrator.open(f"{SETTINGS}/management/regions/us-east-1/remove")
    administrator.send("/remove")
    assert "is the home Region" in administrator.message


def test_what_is_being_added_cannot_be_removed_yet(place, administrator, further_region):
    place.clients.switches(asynchronous_duration_s=60)
    post(administrator, "/management/add-region", region="eu-west-2")
    assert "Adding" in administrator.page.text
    assert re.findall(r"/regions/([a-z0-9-]+)/remove", administrator.page.text) == [further_region]
    administrator.open(f"{SETTINGS}/management/regions/{further_region}/remove")
    administrator.send("/remove")
    assert "'eu-west-2' is ADDING: wait until it is done" in administrator.message


def test_management_leads_to_the_end_of_the_instance(administrator):
    administrator.open(f"{SETTINGS}/management")
    assert f'href="{CONSOLE}/delete"' in administrator.page.text


# --- tags, encryption


def tags_of(place, arn):
    found = place.portal.sso_admin.list_tags_for_resource(InstanceArn=arn, ResourceArn=arn)["Tags"]
    return {one["Key"]: one["Value"] for one in found}


def test_tags_are_added_changed_and_removed(place, administrator, arn):
    post(administrator, "/tags/manage", act="save", key=["Stage", "Owner"], value=["practice", ""])
    assert tags_of(place, arn) == {"Stage": "practice", "Owner": ""}
    assert administrator.value("tag_Stage") == "practice"
    administrator.open(f"{SETTINGS}/tags/manage")
    assert values_in(administrator, "key") == ["Owner", "Stage"]
    administrator.send("/manage", act="add", key=["Owner", "Stage"], value=["", "practice"])
    assert values_in(administrator, "key") == ["Owner", "Stage", ""]
    administrator.send("/manage", act="remove-0", key=["Owner", "Stage"], value=["", "practice"])
    assert values_in(administrator, "key") == ["Stage"]
    assert set(tags_of(place, arn)) == {"Owner", "Stage"}
    administrator.send("/manage", act="save", key=["Stage", "Cost"], value=["real", "7"])
    assert tags_of(place, arn) == {"Stage": "real", "Cost": "7"}


def test_as_many_tags_as_a_resource_may_have_fit_into_the_form(place, administrator, arn):
    keys = [f"key{number:02}" for number in range(75)]
    post(administrator, "/tags/manage", act="save", key=keys, value=["x"] * 75)
    assert len(tags_of(place, arn)) == 75


@pytest.mark.parametrize(
    ("keys", "values", "message"),
    [
        (["", "Stage"], ["lost", "x"], "no key"),
        (["Stage", "Stage"], ["one", "two"], "twice"),
        (["aws:x"], ["y"], "aws:"),
        (["Sta<ge"], ["y"], "Sta<ge"),
    ],
)
def test_tags_that_are_wrong_change_nothing_and_all_rows_stay(
    place, administrator, arn, keys, values, message
):
    place.portal.sso_admin.tag_resource(
        InstanceArn=arn, ResourceArn=arn, Tags=[{"Key": "Kept", "Value": "1"}]
    )
    assert post(administrator, "/tags/manage", act="save", key=keys, value=values).status_code == 400
    assert message in administrator.message
    assert (values_in(administrator, "key"), values_in(administrator, "value")) == (keys, values)
    assert tags_of(place, arn) == {"Kept": "1"}


def test_the_instance_keeps_aws_key_and_the_other_is_refused_with_the_reason(place, administrator, arn):
    administrator.open(f"{SETTINGS}/additional")
    assert administrator.value("key_type") == "AWS owned key"
    key_arn = "arn:aws:kms:us-east-1:111122223333:key/mrk-1"
    fields = {"key_type": "CUSTOMER_MANAGED_KEY", "key_arn": key_arn}
    assert post(administrator, "/additional/encryption", **fields).status_code == 400
    assert "AWS KMS" in administrator.message
    assert values_in(administrator, "key_arn") == [key_arn]
    assert chosen_in(administrator, "key_type") == ["CUSTOMER_MANAGED_KEY"]
    assert post(administrator, "/additional/encryption").status_code == 400
    post(administrator, "/additional/encryption", key_type="AWS_OWNED_KMS_KEY")
    assert "AWS owns" in administrator.message
    details = place.portal.sso_admin.describe_instance(InstanceArn=arn)["EncryptionConfigurationDetails"]
    assert details["KeyType"] == "AWS_OWNED_KMS_KEY"


# --- rights

ACTS = [
    ("/name", {"name": "Other"}),
    ("/portal-url", {"subdomain": "acme"}),
    ("/identity-source", {"act": "change", "type": "active_directory", "typed": "ACCEPT"}),
    ("/authentication/standard", {"send_email_otp": "yes"}),
    ("/authentication/mfa", MFA_FORM),
    ("/authentication/session-duration", SESSION_FORM),
    ("/attributes", {}),
    ("/management/register", {"account_id": "member"}),
    ("/tags/manage", {"act": "save", "key": "Stage", "value": "x"}),
    ("/additional/encryption", {"key_type": "AWS_OWNED_KMS_KEY"}),
    ("/management/add-region", {"region": "eu-west-1"}),
    ("/management/regions/us-east-1/remove", {}),
]


def test_who_may_only_read_sees_every_screen_and_saves_on_none(place, arn):
    reader = come_with_role(place)
    before = settings_of(place)
    for path, fields in ACTS:
        assert reader.open(f"{SETTINGS}{path}").status_code == 200, path
        data = {"csrf_token": reader.csrf_token(), **fields}
        if "account_id" in fields:
            data["account_id"] = next(iter(place.portal.accounts.values()))
        reader.page = reader.client.post(f"{SETTINGS}{path}", data=data)
        assert reader.page.status_code in (400, 403), path
        assert "not authorized" in reader.message, path
    for path in ("", "/authentication", "/management", "/tags", "/additional"):
        assert reader.open(f"{SETTINGS}{path}").status_code == 200, path
    assert settings_of(place) == before
    assert tags_of(place, arn) == {}
    assert administrators_of(place) == []


def test_who_may_not_read_an_organization_sees_the_rest(place):
    someone = come_with_role(place, "AWSSSOReadOnly")
    assert someone.open(f"{SETTINGS}/management").status_code == 200
    assert someone.value("region_name") == "us-east-1"
