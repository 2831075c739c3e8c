"""What exists becomes a scenario: a plan of it changes nothing, and elsewhere it makes the same again."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from idc_aws.calls import wait_until
from idc_aws.connection import connect
from idc_aws.errors import CheckFailedError
from idc_aws.identity_store import find_principal_id
from idc_aws.imported_files import MAIN, scenario_texts, write_texts
from idc_aws.importing import import_scenario
from idc_aws.scenario.reading import load_scenario, validate_scenario
from idc_helpers.notebook.inventory import Existing
from idc_helpers.runbook.lesson import LESSON, target_steps
from idc_helpers.runbook.records import read_events
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

ACCOUNTS = ("Management", "Development", "Production", "Security tooling")
PLAIN = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=12)
ODD = st.text(
    st.characters(categories=("L", "N", "P", "S", "M"), exclude_characters="\ufeff"), min_size=1, max_size=12
)
WORDS = st.one_of(
    PLAIN, ODD, st.sampled_from(["no", "0123", "1990-04-23", "null", "a: b", "# c", "- d", "'", "~"])
)
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
# Assigned, its policies would have to be in the accounts.
NOT_ASSIGNED = {
    "name": "Not-assigned",
    "customer_managed_policies": [{"name": "Own"}, {"name": "Own", "path": "/a/"}],
    "permissions_boundary": {"customer_managed_policy": {"name": "Most"}},
}
TAGS = st.dictionaries(PLAIN.filter(lambda key: not key.lower().startswith("aws")), PLAIN, max_size=2)


def unique(names, **options):
    return st.lists(names, unique_by=str.casefold, **options)


@st.composite
def scenarios(draw):
    """Return the data of a scenario: odd names, policies of each kind, people in groups, and their access."""
    sets = draw(unique(PLAIN.filter(lambda name: name[0].isalnum()), min_size=1, max_size=3))
    groups = draw(unique(WORDS, min_size=1, max_size=3))
    users = draw(unique(WORDS.filter(lambda name: " " not in name), min_size=1, max_size=3))
    some = st.sampled_from
    assignments = draw(
        st.lists(
            st.tuples(
                some(sets), some([("group", one) for one in groups] + [("user", one) for one in users])
            ),
            unique=True,
            max_size=4,
        )
    )
    fields = st.fixed_dictionaries(
        {"session_duration": some(["PT1H", "PT90M", "PT12H"])},
        optional={
            "description": PLAIN,
            "relay_state": st.just("https://console.aws.amazon.com/ec2/"),
            "managed_policies": unique(some(["ReadOnlyAccess", "Billing", "AmazonS3FullAccess"]), max_size=2),
            "inline_policy": st.just(POLICY),
            "permissions_boundary": st.just({"managed_policy": "PowerUserAccess"}),
            "tags": TAGS,
        },
    )
    profile = st.fixed_dictionaries(
        {"given_name": WORDS, "family_name": WORDS, "groups": unique(some(groups), max_size=2)},
        optional={
            "display_name": WORDS,
            "title": WORDS,
            "phone_number": WORDS,
            "birthdate": st.just("1990-04-23"),
            "address": st.fixed_dictionaries({}, optional={"postal_code": WORDS, "country": st.just("NO")}),
            "enterprise": st.fixed_dictionaries({}, optional={"manager": WORDS, "cost_center": WORDS}),
        },
    )
    return {
        "instance": {"name": draw(PLAIN.filter(lambda name: name[0].isalnum())), "tags": draw(TAGS)},
        "access_control_attributes": {"attributes": {"Team": "${path:title}"}},
        "management": {"delegated_administrator": "Security tooling"},
        "permission_sets": [NOT_ASSIGNED, *({"name": name, **draw(fields)} for name in sets)],
        "groups": [
            {"display_name": name} | draw(st.fixed_dictionaries({}, optional={"description": WORDS}))
            for name in groups
        ],
        "users": [
            {"user_name": name, "email": f"u{number}@example.com", **draw(profile)}
            for number, name in enumerate(users)
        ],
        "account_assignments": [
            {"permission_set": name, kind: who, "accounts": draw(unique(some(ACCOUNTS), min_size=1))}
            for name, (kind, who) in assignments
        ],
    }


def steps(connection, scenario, folder):
    context = RunContext(connection, scenario, "apply", "imported", folder)
    return [Step(context, name) for name in target_steps()]


def apply(connection, scenario, folder):
    for _ in range(2):  # access of single users comes after them
        for step in steps(connection, scenario, folder):
            step.apply()


def actions(connection, scenario, folder):
    """Return how many changes a plan of everything has, by action."""
    found = {
        change.action for step in steps(connection, scenario, folder) for change in step.compare().changes
    }
    return {action.value for action in found}


def wanted(connection, scenario):
    """Return everything that a scenario wants, by kind and key."""
    found = [want.desired(connection, scenario) for step in LESSON.values() for want in step.wants]
    return {(each.resource.kind, key): state for each in found for key, state in each.states.items()}


def empty(folder):
    """Return a connection to a sandbox after deleting its instance, and all in it, if there is one."""
    connection = connect(state_folder=folder)
    if (instance := connection.instance_or_none()) is not None:
        connection.call("sso-admin", "delete_instance", InstanceArn=instance.instance_arn)
        wait_until(connection.refresh_instance, lambda found: found is None, timeout_s=60, what="no instance")
    return connect(state_folder=folder)


@pytest.fixture(scope="module")
def second_folder(start_in):
    return start_in("importing")


# Without shrinking: each try fills an instance, and what fails is small already.
@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=[*HealthCheck])
@given(data=scenarios(), by_topic=st.booleans())
def test_what_exists_becomes_a_scenario_that_changes_nothing_and_makes_the_same_again(
    second_folder, tmp_path_factory, data, by_topic
):
    folder = tmp_path_factory.mktemp("imported")
    connection = empty(second_folder)
    scenario = validate_scenario(data)
    apply(connection, scenario, folder)
    imported = import_scenario(connection)
    assert imported.remarks == []
    path = folder / ("by-topic" if by_topic else "all.yaml")
    write_texts(scenario_texts(imported, path))
    read = load_scenario(path / MAIN if by_topic else path)
    assert actions(connection, read, folder) == {"unchanged"}
    assert wanted(connection, scenario).items() <= wanted(connection, read).items()
    second = empty(second_folder)
    apply(second, read, folder)
    assert import_scenario(second).data == imported.data


def test_notebook_12_checks_that_what_it_read_is_still_so(second_folder, tmp_path):
    connection = empty(second_folder)
    data = {
        "permission_sets": [{"name": "Reader"}],
        "groups": [{"display_name": "Devs"}],
        "account_assignments": [{"permission_set": "Reader", "group": "Devs", "accounts": ["Production"]}],
    }
    apply(connection, validate_scenario(data), tmp_path)
    context = RunContext(connection, validate_scenario({}), "plan", "12_what_you_have", tmp_path / "run")
    existing = Existing(context)
    assert existing.counts().rows[-1] == ("applications", "0", "0")
    assert existing.check().rows[0][0] == "✔ passed"
    directory, store = connection.client("identitystore"), connection.instance.identity_store_id
    directory.delete_group(IdentityStoreId=store, GroupId=find_principal_id(connection, "GROUP", "Devs"))
    with pytest.raises(CheckFailedError, match="would create group 'Devs'"):
        existing.check()
    told = [entry for entry in read_events(context.events.path) if entry["event"] == "checked"]
    assert [[check["passed"] for check in entry["checks"]] for entry in told] == [[True], [False]]


def test_an_account_with_an_older_version_of_a_set_fails_no_check(second_folder, tmp_path):
    connection = empty(second_folder)
    sets = [{"name": "Reader"}]
    assigned = [{"permission_set": "Reader", "group": "Devs", "accounts": ["Production"]}]
    data = {"permission_sets": sets, "groups": [{"display_name": "Devs"}], "account_assignments": assigned}
    apply(connection, validate_scenario(data), tmp_path)
    (arn,) = connection.items("sso-admin", "list_permission_sets")
    instance_arn = connection.instance.instance_arn
    connection.client("sso-admin").update_permission_set(
        InstanceArn=instance_arn, PermissionSetArn=arn, SessionDuration="PT4H"
    )
    existing = Existing(RunContext(connection, validate_scenario({}), "plan", "12", tmp_path / "run"))
    assert "1 to update" in existing.check().rows[0][2]
