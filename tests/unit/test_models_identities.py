"""Groups and users."""

from __future__ import annotations

import boto3
import pytest
from scenario_refusals import accepted, refused, user

from idc_aws.scenario.people import Address, Enterprise, User

PROFILE_FIELDS = [
    "email_type",
    "phone_number",
    "middle_name",
    "honorific_prefix",
    "honorific_suffix",
    "nick_name",
    "title",
    "user_type",
    "profile_url",
    "website",
    "preferred_language",
    "locale",
    "timezone",
]


def made_user(**fields: object) -> User:
    return accepted({"users": [user(**fields)]}).users[0]


def refused_field(field: str, **fields: object) -> str:
    found = refused({"users": [user(**fields)]})
    assert list(found) == [f"users[0].{field}"]
    return found[f"users[0].{field}"]


def test_names_are_enough_for_a_user():
    made = made_user()
    assert (made.display_name, made.email, made.email_type, made.password_delivery, made.groups) == (
        "Ana Silva",
        None,
        "work",
        "email",
        [],
    )


@pytest.mark.parametrize("given", [None, "A. Silva"])
def test_a_display_name_may_be_given(given):
    assert made_user(display_name=given).display_name == (given or "Ana Silva")


@pytest.mark.parametrize("missing", ["user_name", "given_name", "family_name"])
def test_a_user_without_a_name_is_refused(missing):
    entry = {key: value for key, value in user().items() if key != missing}
    found = refused({"users": [entry]})
    assert list(found) == [f"users[0].{missing}"]
    assert f"{missing!r} is missing" in found[f"users[0].{missing}"]


def test_an_empty_name_is_no_name():
    assert set(refused({"users": [user(given_name="", family_name="")]})) == {
        "users[0].given_name",
        "users[0].family_name",
    }


@pytest.mark.parametrize("name", ["a", "ana.silva@example.com", "安娜", "x" * 128])
def test_user_names_that_aws_takes(name):
    assert made_user(user_name=name).user_name == name


@pytest.mark.parametrize("name", ["ana silva", "x" * 129, "a\t", "Administrator", "AWSAdministrators"])
def test_user_names_that_aws_refuses(name):
    assert repr(name)[:40] in refused_field("user_name", user_name=name)


@pytest.mark.parametrize("address", ["ana", "@example.com", "ana@", "ana @example.com", "a@b@c"])
def test_an_email_address_has_its_shape(address):
    assert repr(address) in refused_field("email", email=address)


def test_user_names_are_unique_in_any_case():
    found = refused({"users": [user(), user(user_name="ANA")]})
    assert list(found) == ["users[1].user_name"]
    assert "'ANA' is there already" in found["users[1].user_name"]
    assert "users[0]" in found["users[1].user_name"]


def test_two_users_with_one_email_are_refused():
    found = refused({"users": [user(email="a@example.com"), user(user_name="bo", email="A@Example.com")]})
    assert list(found) == ["users[1].email"]


def test_two_users_without_email_are_not_alike():
    assert len(accepted({"users": [user(), user(user_name="bo")]}).users) == 2


@pytest.mark.parametrize("field", PROFILE_FIELDS)
def test_every_profile_field_is_kept_and_checked(field):
    assert getattr(made_user(**{field: "Straße 1\u3000日本 🙂"}), field) == "Straße 1\u3000日本 🙂"
    assert "1025 characters" in refused_field(field, **{field: "x" * 1025})
    assert "U+0000" in refused_field(field, **{field: "x\x00"})
    assert refused_field(field, **{field: 42}).endswith('Put it in quotes: "42".')


@pytest.mark.parametrize(("part", "model"), [("address", Address), ("enterprise", Enterprise)])
def test_address_and_enterprise_are_kept_and_checked(part, model):
    given = {name: f"a {name}" for name in model.model_fields}
    assert getattr(made_user(**{part: given}), part).model_dump() == given
    for name in given:
        assert refused_field(f"{part}.{name}", **{part: {name: "\x00"}})


def test_no_field_of_the_form_is_missing():
    """The API's own list, without photos, roles and what the console's form does not offer."""
    client = boto3.client(
        "identitystore", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    shape = client.meta.service_model.operation_model("CreateUser").input_shape
    fields = {_snake(name) for name in shape.members} - {"identity_store_id", "extensions", "photos", "roles"}
    fields = fields - {"emails", "phone_numbers", "addresses", "name"} | {"email", "phone_number", "address"}
    names = {_snake(name) for name in shape.members["Name"].members} - {"formatted"}
    assert (fields | names) - set(User.model_fields) == set()
    address = {_snake(name) for name in shape.members["Addresses"].member.members} - {"type", "primary"}
    assert address == set(Address.model_fields)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


def test_a_birthdate_is_a_day():
    assert made_user(birthdate="1990-04-23").birthdate == "1990-04-23"
    for given in ("23.04.1990", "1990-02-30", "1990"):
        assert repr(given) in refused_field("birthdate", birthdate=given)


def test_a_group_is_named_once_in_a_user():
    assert "twice" in refused_field("groups[2]", groups=["a", "b", "a"])


@pytest.mark.parametrize("name", ["Administrator", "AWSAdministrators"])
def test_groups_cannot_have_reserved_names(name):
    assert repr(name) in refused({"groups": [{"display_name": name}]})["groups[0].display_name"]


def test_groups_are_unique_in_any_case():
    entries = [{"display_name": "Auditors", "description": "Read"}, {"display_name": "auditors"}]
    assert list(refused({"groups": entries})) == ["groups[1].display_name"]
    assert accepted({"groups": entries[:1]}).groups[0].description == "Read"


@pytest.mark.parametrize(
    ("field", "words"), [("password", "holds what looks like a secret"), ("external_ids", "unknown key")]
)
def test_what_is_no_part_of_a_profile_is_refused_without_its_value(field, words):
    message = refused_field(field, **{field: "hunter2"})
    assert words in message
    assert "hunter2" not in message
