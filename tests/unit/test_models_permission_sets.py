"""Permission sets, their policies, and account assignments."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from scenario_refusals import accepted, refused

from idc_aws.identifiers import aws_managed_policies
from idc_aws.scenario.access import PermissionSet, PredefinedName
from idc_aws.scenario.policies import inline_policy_text

PREFIX = "arn:aws:iam::aws:policy/"
STATEMENT = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
POLICY = {"Version": "2012-10-17", "Statement": [STATEMENT]}
ADDRESS = "https://console.aws.amazon.com/"


def permission_set(**fields: object) -> PermissionSet:
    return accepted({"permission_sets": [{"name": "Auditor", **fields}]}).permission_sets[0]


def refused_field(field: str, **fields: object) -> str:
    found = refused({"permission_sets": [{"name": "Auditor", **fields}]})
    place = f"permission_sets[0].{field}" if field else "permission_sets[0]"
    assert list(found) == [place]
    return found[place]


def test_a_name_is_enough():
    assert permission_set().session_duration == "PT1H"


@pytest.mark.parametrize("name", get_args(PredefinedName))
def test_a_predefined_one_is_short_for_its_policy(name):
    made = accepted({"permission_sets": [{"predefined": name}]}).permission_sets[0]
    assert (made.name, made.managed_policies) == (name, [f"{PREFIX}{aws_managed_policies()[name]}"])


def test_a_predefined_one_may_have_a_name_and_policies_of_its_own():
    made = permission_set(predefined="SecurityAudit", managed_policies=["ReadOnlyAccess"])
    assert made.name == "Auditor"
    assert made.managed_policies == [f"{PREFIX}ReadOnlyAccess", f"{PREFIX}SecurityAudit"]


@pytest.mark.parametrize("again", ["Billing", f"{PREFIX}job-function/Billing"])
def test_a_predefined_one_may_name_its_policy_again(again):
    assert permission_set(predefined="Billing", managed_policies=[again]).managed_policies == [
        f"{PREFIX}job-function/Billing"
    ]


def test_an_unknown_predefined_one_is_the_only_thing_to_mend():
    found = refused({"permission_sets": [{"predefined": "AdministratorAcces"}]})
    assert list(found) == ["permission_sets[0].predefined"]
    assert "Did you mean 'AdministratorAccess'?" in found["permission_sets[0].predefined"]


@pytest.mark.parametrize("entry", [{}, {"name": ""}, {"name": None}])
def test_a_permission_set_has_a_name(entry):
    assert (
        "a permission set's name is missing"
        in refused({"permission_sets": [entry]})["permission_sets[0].name"]
    )


@pytest.mark.parametrize("name", ["a", "A_b+c=d,e.f@g-h", "x" * 32])
def test_names_that_aws_takes(name):
    assert permission_set(name=name).name == name


@pytest.mark.parametrize("name", ["x" * 33, "two words", "Ä", "a/b", "a\n", 5])
def test_names_that_aws_refuses(name):
    assert refused_field("name", name=name)


@pytest.mark.parametrize(
    ("given", "kept"), [("PT1H", "PT1H"), ("PT60M", "PT1H"), ("PT12H", "PT12H"), ("PT90M", "PT1H30M")]
)
def test_session_durations_are_kept_in_one_spelling(given, kept):
    assert permission_set(session_duration=given).session_duration == kept


@pytest.mark.parametrize("given", ["PT13H", "PT59M", "PT12H1S", "P1D", "P1Y", "4h"])
def test_session_durations_run_from_one_to_twelve_hours(given):
    assert repr(given) in refused_field("session_duration", session_duration=given)


def test_the_remedy_for_a_session_duration_names_the_bounds():
    assert "from 'PT1H' to 'PT12H'" in refused_field("session_duration", session_duration="PT13H")


def test_a_relay_state_is_an_address_of_at_most_240_characters():
    longest = ADDRESS + "x" * (240 - len(ADDRESS))
    assert permission_set(relay_state=longest).relay_state == longest
    assert "241 characters" in refused_field("relay_state", relay_state=f"{longest}x")


@pytest.mark.parametrize(
    "given", ["console.aws.amazon.com", "http://console.aws.amazon.com", "https://", "https://ä.example"]
)
def test_other_relay_states_are_refused(given):
    assert repr(given) in refused_field("relay_state", relay_state=given)


def test_descriptions_are_latin():
    assert permission_set(description="Für Prüfer,\nnur lesend").description
    assert "'λ'" in refused_field("description", description="λ")
    assert "701 characters" in refused_field("description", description="x" * 701)


def test_managed_policies_are_kept_as_arns():
    given = ["AmazonS3ReadOnlyAccess", f"{PREFIX}job-function/Billing"]
    assert permission_set(managed_policies=given).managed_policies == [f"{PREFIX}{given[0]}", given[1]]


def test_an_unknown_managed_policy_is_refused_at_its_place():
    given = ["ReadOnlyAccess", "ReadOnlyAcces"]
    assert "'ReadOnlyAcces' is an unknown" in refused_field("managed_policies[1]", managed_policies=given)


def test_a_policy_is_listed_once_under_any_spelling():
    given = ["Billing", f"{PREFIX}job-function/Billing"]
    assert "listed twice" in refused_field("managed_policies[1]", managed_policies=given)
    own = [{"name": "a"}, {"name": "a", "path": "/"}]
    assert "listed twice" in refused_field("customer_managed_policies[1]", customer_managed_policies=own)


def test_at_most_25_policies_together():
    managed = [name for name, path in aws_managed_policies().items() if path == name][:20]
    own = [{"name": f"own{number}"} for number in range(6)]
    assert permission_set(managed_policies=managed, customer_managed_policies=own[:5])
    assert "26 managed" in refused_field(
        "managed_policies", managed_policies=managed, customer_managed_policies=own
    )


def test_a_policy_of_your_own_has_a_path():
    assert permission_set(customer_managed_policies=[{"name": "a"}]).customer_managed_policies[0].path == "/"


@pytest.mark.parametrize("path", ["finance", "/finance", "finance/", "//", "/a b/"])
def test_paths_that_aws_refuses(path):
    assert refused_field(
        "customer_managed_policies[0].path", customer_managed_policies=[{"name": "a", "path": path}]
    )


def test_an_inline_policy_is_the_same_as_mapping_and_as_text():
    assert permission_set(inline_policy=POLICY) == permission_set(inline_policy=json.dumps(POLICY, indent=4))
    assert permission_set(inline_policy=POLICY).inline_policy == POLICY


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "is not JSON"),
        ('{"Version": NaN}', "NaN is not a number in JSON"),
        ('{"Version": -Infinity}', "-Infinity is not a number in JSON"),
        ("[]", "is not a policy document"),
        (5, "is not a policy document"),
        ('{"Statement": [], "Statement": []}', "'Statement' twice"),
    ],
)
def test_other_inline_policies_are_refused(given, words):
    assert words in refused_field("inline_policy", inline_policy=given)


def inline_policy_of(size: int, letter: str = "x") -> dict[str, object]:
    frame = {"Statement": {**STATEMENT, "Resource": "arn:aws:s3:::"}}
    room = size - len(inline_policy_text(frame))
    return {"Statement": {**STATEMENT, "Resource": f"arn:aws:s3:::{letter * (room // len(letter.encode()))}"}}


def test_an_inline_policy_has_at_most_10240_characters_that_are_not_blank():
    assert permission_set(inline_policy=inline_policy_of(10_240))
    assert permission_set(inline_policy=json.dumps(inline_policy_of(10_240), indent=8))
    with_blanks = inline_policy_of(10_240)
    with_blanks["Statement"]["Resource"] += " " * 100
    assert permission_set(inline_policy=with_blanks)
    assert "10241 characters" in refused_field("inline_policy", inline_policy=inline_policy_of(10_241))


def test_the_size_is_counted_as_aws_counts_it_in_the_bytes_that_are_sent():
    assert permission_set(inline_policy=inline_policy_of(10_200, "ü"))
    assert "too long" in refused_field("inline_policy", inline_policy=inline_policy_of(10_260, "ü"))


def test_blanks_inside_an_inline_policy_have_their_own_limit():
    blanks = {"Statement": {**STATEMENT, "Resource": f"arn:aws:s3:::{' ' * 40_000}"}}
    assert "too long" in refused_field("inline_policy", inline_policy=blanks)


@pytest.mark.parametrize("given", ["[" * 20_000, '{"Statement":' * 5_000, '{"a":' * 900 + "1" + "}" * 900])
def test_an_inline_policy_that_is_nested_without_end_is_refused(given):
    found = refused({"permission_sets": [{"name": "Auditor", "inline_policy": given}]})
    assert all(place.startswith("permission_sets[0].inline_policy") for place in found)


@pytest.mark.parametrize(
    ("boundary", "found"),
    [
        ({"managed_policy": "", "customer_managed_policy": {}}, "neither"),
        ({"managed_policy": "ReadOnlyAccess", "customer_managed_policy": {"name": "a"}}, "both"),
    ],
)
def test_a_permissions_boundary_is_exactly_one_policy(boundary, found):
    assert f"found {found}" in refused_field("permissions_boundary", permissions_boundary=boundary)


def test_a_permissions_boundary_is_a_policy():
    made = permission_set(permissions_boundary={"managed_policy": "ReadOnlyAccess"})
    assert made.permissions_boundary.managed_policy == f"{PREFIX}ReadOnlyAccess"
    place = "permissions_boundary.managed_policy"
    assert "unknown" in refused_field(place, permissions_boundary={"managed_policy": "Nothing"})


def test_tags_have_keys_and_values():
    assert permission_set(tags={"Größe": "", "a b": "c/d"}).tags == {"Größe": "", "a b": "c/d"}
    assert refused_field("tags.x", tags={"x": 5}).endswith('Put it in quotes: "5".')
    assert "129 characters" in refused_field(f"tags.{'x' * 129}", tags={"x" * 129: ""})


@pytest.mark.parametrize("second", [{"name": "AUDITOR"}, {"name": "Auditor"}])
def test_permission_sets_have_names_of_their_own(second):
    found = refused({"permission_sets": [{"name": "Auditor"}, {"name": "Other"}, second]})
    assert list(found) == ["permission_sets[2].name"]
    assert "permission_sets[0]" in found["permission_sets[2].name"]


def test_a_predefined_name_counts_as_a_name():
    entries = [{"predefined": "Billing"}, {"predefined": "Billing", "session_duration": "PT13H"}]
    assert set(refused({"permission_sets": entries})) == {
        "permission_sets[1].session_duration",
        "permission_sets[1].predefined",
    }


ASSIGNMENT = {"permission_set": "Auditor", "group": "Auditors", "accounts": ["Production"]}


def test_what_an_assignment_names_may_exist_elsewhere():
    scenario = accepted({"account_assignments": [ASSIGNMENT, {**ASSIGNMENT, "accounts": ["012345678901"]}]})
    assert [entry.accounts for entry in scenario.account_assignments] == [["Production"], ["012345678901"]]


@pytest.mark.parametrize(("principal", "found"), [({"user": "ana"}, "both"), ({"group": None}, "neither")])
def test_an_assignment_has_exactly_one_principal(principal, found):
    message = refused({"account_assignments": [{**ASSIGNMENT, **principal}]})["account_assignments[0]"]
    assert f"found {found} of group and user" in message


@pytest.mark.parametrize(
    ("accounts", "place"),
    [
        ([], "accounts"),
        ([111122223333], "accounts[0]"),
        (["Production", "1111"], "accounts[1]"),
        (["1111-2222-3333"], "accounts[0]"),
        (["111122223333 "], "accounts[0]"),
        (["1111 2222 3333"], "accounts[0]"),
        (["\u0661" * 12], "accounts[0]"),
        ([""], "accounts[0]"),
        (["x" * 129], "accounts[0]"),
        ("Production", "accounts"),
    ],
)
def test_accounts_are_ids_in_quotes_or_names(accounts, place):
    assert list(refused({"account_assignments": [{**ASSIGNMENT, "accounts": accounts}]})) == [
        f"account_assignments[0].{place}"
    ]


NAMED = {"permission_set": "Auditor", "group": "Auditors"}


@pytest.mark.parametrize(
    "where",
    [
        {"organizational_units": ["Root/Workloads", "Prod", "ou-0001-aaaabbbb"]},
        {"account_tags": {"env": "prod"}, "accounts": []},
        {"accounts": ["Production"], "organizational_units": ["Root"], "account_tags": {"env": "prod"}},
    ],
)
def test_an_assignment_may_name_units_and_tags_in_place_of_accounts(where):
    (entry,) = accepted({"account_assignments": [{**NAMED, **where}]}).account_assignments
    assert entry.model_dump(exclude_defaults=True) == NAMED | {key: of for key, of in where.items() if of}


@pytest.mark.parametrize(
    ("where", "place", "found"),
    [
        ({}, "accounts", "is missing. Add it: accounts, organizational_units or account_tags"),
        ({"organizational_units": [], "account_tags": {}}, "accounts", "is missing"),
        ({"organizational_units": [""]}, "organizational_units[0]", "is empty"),
        ({"organizational_units": ["x" * 1025]}, "organizational_units[0]", "is too long"),
        ({"organizational_units": "Root"}, "organizational_units", "Write it as a list: [Root]"),
        ({"account_tags": {"env": 1}}, "account_tags.env", "is a number, not a text"),
        ({"account_tags": ["env"]}, "account_tags", "is a list, not a group of keys"),
    ],
)
def test_what_is_wrong_with_units_and_tags_is_the_only_thing_reported(where, place, found):
    refusals = refused({"account_assignments": [{**NAMED, **where}]})
    assert list(refusals) == [f"account_assignments[0].{place}"]
    assert found in refusals[f"account_assignments[0].{place}"]


def test_an_assignment_is_there_once():
    other = {**ASSIGNMENT, "accounts": ["Development", "Production"]}
    found = refused({"account_assignments": [ASSIGNMENT, other]})
    assert list(found) == ["account_assignments[1].accounts[1]"]
    assert (
        "account_assignments[0] gives 'Auditor' to 'Auditors'" in found["account_assignments[1].accounts[1]"]
    )


@pytest.mark.parametrize(
    "other",
    [
        {"permission_set": "Other"},
        {"group": "Others"},
        {"group": None, "user": "Auditors"},
        {"accounts": ["Development"]},
    ],
)
def test_assignments_that_differ_in_one_part_are_different(other):
    assert (
        len(accepted({"account_assignments": [ASSIGNMENT, {**ASSIGNMENT, **other}]}).account_assignments) == 2
    )
