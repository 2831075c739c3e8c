"""Every exercise, really done as a learner would: not passed before, near misses told apart, passed after."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pyotp
import pytest
from patience import PATIENCE_S

from idc_aws.access import list_all_account_assignments, list_permission_sets
from idc_aws.calls import wait_until
from idc_aws.connection import connect
from idc_aws.errors import NotFoundError
from idc_aws.identity_store import find_principal_id
from idc_aws.project import DEFAULT_SCENARIO, INTERACTIVE_VARIABLE, project_folder
from idc_aws.scenario.reading import load_scenario
from idc_aws.signin.activation import describe_person, signed_in_person
from idc_aws.signin.login import begin_login, finish_login, save_token
from idc_aws.signin.profiles import SsoProfile, write_profile
from idc_aws.signin.terminal import sandbox_terminal
from idc_helpers.notebook.exercises import EXERCISES, NOT_DONE, TryIt, leftovers
from idc_helpers.notebook.tables import Line, Table
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.records import read_events
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step
from idc_helpers.runbook.teardown import Teardown
from idc_sandbox.persona import Persona

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
PERSON = "mary.major"


@pytest.fixture(scope="module")
def context(start_in, tmp_path_factory):
    """The administrator's half of the lesson, applied once."""
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    connection = connect(state_folder=start_in("exercises"))
    context = RunContext(
        connection, scenario, "apply", "lesson", tmp_path_factory.mktemp("exercises") / "run"
    )
    for name in target_steps():
        Step(context, name).apply()
    return context


@pytest.fixture(autouse=True)
def guided(monkeypatch):
    monkeypatch.setenv(INTERACTIVE_VARIABLE, "guided")


@pytest.fixture
def sso_admin(context):
    return context.connection.client("sso-admin")


@pytest.fixture
def identity_store(context):
    return context.connection.client("identitystore")


@pytest.fixture
def instance(context):
    return {"InstanceArn": context.connection.instance.instance_arn}


@pytest.fixture
def store(context):
    return {"IdentityStoreId": context.connection.instance.identity_store_id}


def look(context, name, answer=""):
    """Return the results of an exercise's check, and what it found, by what it asks."""
    shown = TryIt(context, name, {}).check(answer)
    assert isinstance(shown, Table)
    return shown, {row[1]: row for row in shown.rows}


def is_done(context, name, answer=""):
    shown, rows = look(context, name, answer)
    done = all(row[0] == "✔ done" for row in rows.values())
    assert shown.caption.endswith(": done") == done
    return done


def found(context, name, asked, answer=""):
    _, rows = look(context, name, answer)
    result, _, words = next(row for words, row in rows.items() if asked in words)
    return result.startswith("✔"), words


def accounts(context):
    listed = context.connection.client("organizations").list_accounts()["Accounts"]
    return {account["Name"]: account["Id"] for account in listed}


def assign(sso_admin, operation, instance, permission_set_arn, group_id, account_id):
    getattr(sso_admin, operation)(
        PermissionSetArn=permission_set_arn,
        PrincipalType="GROUP",
        PrincipalId=group_id,
        TargetType="AWS_ACCOUNT",
        TargetId=account_id,
        **instance,
    )


def under_way(sso_admin, instance):
    only = {"Filter": {"Status": "IN_PROGRESS"}, **instance}
    created = sso_admin.list_account_assignment_creation_status(**only)["AccountAssignmentsCreationStatus"]
    return (
        created
        + sso_admin.list_account_assignment_deletion_status(**only)["AccountAssignmentsDeletionStatus"]
    )


def settle(sso_admin, instance):
    read = lambda: under_way(sso_admin, instance)  # noqa: E731
    wait_until(read, lambda listed: not listed, timeout_s=PATIENCE_S, what="assignments to end")


def arns(context):
    return list_permission_sets(context.connection)


def test_asking_for_the_instance_takes_the_id_of_the_identity_store(context, sso_admin):
    asked = "the identity store's id"
    assert found(context, "ask_for_the_instance", asked)[1].startswith("nothing yet")
    (answer,) = sso_admin.list_instances()["Instances"]
    wrong = found(context, "ask_for_the_instance", asked, answer["InstanceArn"])
    assert wrong == (False, "that is the ARN of the instance; the identity store has an id of its own")
    assert "Region 'us-east-1'?" in found(context, "ask_for_the_instance", asked, "d-0123456789")[1]
    assert is_done(context, "ask_for_the_instance", f" {answer['IdentityStoreId']} ")


def test_one_more_mapping_keeps_the_others(context, sso_admin, instance):
    def put(**mappings):
        attributes = [{"Key": key, "Value": {"Source": [source]}} for key, source in mappings.items()]
        sso_admin.update_instance_access_control_attribute_configuration(
            InstanceAccessControlAttributeConfiguration={"AccessControlAttributes": attributes}, **instance
        )

    before = dict(context.scenario.access_control_attributes.attributes)
    division = "${path:enterprise.division}"
    assert not is_done(context, "one_more_mapping")
    put(Division=division)
    assert found(context, "one_more_mapping", "Division")[0]
    assert "gone or changed: CostCenter, Department" in found(context, "one_more_mapping", "still there")[1]
    put(**before, division=division)
    assert found(context, "one_more_mapping", "Division") == (
        False,
        "there is 'division': capital letters count",
    )
    put(**before, Division=division)
    assert is_done(context, "one_more_mapping")
    step = Step(context, "access_control_attributes")
    assert step.plan().writes, "the plan shows what was changed outside of it"
    step.apply()
    assert not is_done(context, "one_more_mapping")


def test_a_shorter_portal_session_is_not_the_one_of_background_jobs(context, instance):
    console = context.connection.console
    assert found(context, "shorter_portal_session", "lasts 4 hours") == (False, "8 hours")
    console.write_setting(instance["InstanceArn"], "sessions", {"user_background": "PT4H"})
    assert "people have the other one" in found(context, "shorter_portal_session", "background")[1]
    Step(context, "sessions").apply()
    console.write_setting(instance["InstanceArn"], "sessions", {"user_interactive": "PT4H"})
    assert is_done(context, "shorter_portal_session")
    Step(context, "sessions").apply()


def test_the_delegate_is_told_from_the_management_account_and_from_others(context):
    asked, ids = "delegated administrator", accounts(context)
    answered = context.connection.client("organizations").list_delegated_administrators(
        ServicePrincipal="sso.amazonaws.com"
    )["DelegatedAdministrators"]
    assert "needs no delegation" in found(context, "name_the_delegate", asked, ids["Management"])[1]
    assert "may administer nothing here" in found(context, "name_the_delegate", asked, ids["Production"])[1]
    unknown = found(context, "name_the_delegate", asked, "999999999999")[1]
    assert "is not an account of this organization" in unknown
    assert is_done(context, "name_the_delegate", answered[0]["Id"])


def test_a_set_for_whoever_is_on_call(context, sso_admin, instance):
    assert not found(context, "on_call", "exists")[0]
    near = sso_admin.create_permission_set(Name="oncall", **instance)["PermissionSet"]["PermissionSetArn"]
    assert found(context, "on_call", "exists") == (False, "there is none. Did you mean 'oncall'?")
    sso_admin.delete_permission_set(PermissionSetArn=near, **instance)
    request = {
        **instance,
        "PermissionSetArn": sso_admin.create_permission_set(Name="OnCall", **instance)["PermissionSet"][
            "PermissionSetArn"
        ],
    }
    _, rows = look(context, "on_call")
    assert [row[0] for row in rows.values()] == ["✔ done", "… not yet", "… not yet", "… not yet"]
    sso_admin.attach_managed_policy_to_permission_set(ManagedPolicyArn=READ_ONLY, **request)
    elsewhere = "https://console.aws.amazon.com/ec2/"
    sso_admin.update_permission_set(SessionDuration="PT2H", RelayState=elsewhere, **request)
    assert found(context, "on_call", "cloudwatch") == (False, elsewhere)
    relay_state = "https://eu-west-1.console.aws.amazon.com/cloudwatch/home"
    sso_admin.update_permission_set(SessionDuration="PT2H", RelayState=relay_state, **request)
    assert is_done(context, "on_call")
    shown, _ = look(context, "on_call")
    command = f"delete-permission-set --instance-arn {instance['InstanceArn']} --permission-set-arn"
    assert command in shown.note
    sso_admin.delete_permission_set(**request)


def test_the_story_of_the_auditors(context, sso_admin, identity_store, instance, store):
    ids, sets = accounts(context), arns(context)
    assert not is_done(context, "group_of_auditors")
    for later in ("read_only_for_auditors", "two_auditors"):
        assert "the exercise of notebook 06 makes it" in found(context, later, "exists")[1]
    group_id = identity_store.create_group(DisplayName="Auditors", **store)["GroupId"]
    assert not is_done(context, "group_of_auditors"), "a description is missing"
    identity_store.update_group(
        GroupId=group_id,
        Operations=[{"AttributePath": "description", "AttributeValue": "People who read the logs"}],
        **store,
    )
    assert is_done(context, "group_of_auditors")

    assert found(context, "read_only_for_auditors", "in Log archive") == (False, "no assignment at all")
    wrong_account = (instance, sets["ReadOnlyAccess"], group_id, ids["Development"])
    assign(sso_admin, "create_account_assignment", *wrong_account)
    settle(sso_admin, instance)
    assert found(context, "read_only_for_auditors", "in Log archive") == (False, "nothing in Log archive")
    assert found(context, "read_only_for_auditors", "no other account") == (
        False,
        "ReadOnlyAccess in Development",
    )
    wrong_set = (instance, sets["AdministratorAccess"], group_id, ids["Log archive"])
    assign(sso_admin, "create_account_assignment", *wrong_set)
    assign(sso_admin, "delete_account_assignment", *wrong_account)
    settle(sso_admin, instance)
    assert found(context, "read_only_for_auditors", "in Log archive") == (False, "AdministratorAccess")
    assert found(context, "read_only_for_auditors", "nothing more") == (False, "AdministratorAccess")
    right = (instance, sets["ReadOnlyAccess"], group_id, ids["Log archive"])
    assign(sso_admin, "create_account_assignment", *right)
    settle(sso_admin, instance)
    assert not is_done(context, "read_only_for_auditors"), "the other set is still there"
    assign(sso_admin, "delete_account_assignment", *wrong_set)
    settle(sso_admin, instance)
    assert is_done(context, "read_only_for_auditors")

    users = {user["UserName"]: user["UserId"] for user in identity_store.list_users(**store)["Users"]}
    assert found(context, "two_auditors", "two members") == (False, "nobody")
    for count, user in enumerate(("richard.roe", PERSON), 1):
        identity_store.create_group_membership(GroupId=group_id, MemberId={"UserId": users[user]}, **store)
        assert is_done(context, "two_auditors") == (count == 2)
    assert len(leftovers(context).rows) == 4


def test_what_is_left_stops_the_deletion_of_the_instance_and_its_commands_remove_it(
    context, sso_admin, instance, start_in, tmp_path
):
    elsewhere = connect(state_folder=start_in("leftovers"))
    run = replace(context, target_connection=elsewhere, run_folder=tmp_path / "run")
    Step(run, "instance").apply()
    assert leftovers(run).rows == ()
    store = {"IdentityStoreId": elsewhere.instance.identity_store_id}
    elsewhere.client("identitystore").create_group(DisplayName="Auditors", **store)
    elsewhere.client("sso-admin").create_permission_set(
        Name="OnCall", InstanceArn=elsewhere.instance.instance_arn
    )
    shown = leftovers(run)
    assert [row[0] for row in shown.rows] == ["group Auditors", "permission set OnCall"]
    assert "the teardown leaves it" in shown.note
    Teardown(run).apply()
    assert "still holds permission set OnCall, group Auditors" in Teardown(run).check().checks[0].detail
    for _, command in shown.rows:
        program, service, operation, *options = command.split()
        names = [_member(name) for name in options[::2]]
        call = getattr(
            elsewhere.client({"sso-admin": "sso-admin"}.get(service, service)), operation.replace("-", "_")
        )
        assert program == "aws"
        call(**dict(zip(names, options[1::2], strict=True)))
    assert leftovers(run).rows == ()
    Teardown(run).apply()
    assert leftovers(run).rows == ()
    assert elsewhere.refresh_instance() is None


def _member(option):
    return "".join(part.capitalize() for part in option.removeprefix("--").split("-"))


def test_what_a_form_made_has_a_receipt_and_is_not_listed_as_left(start_in, context, tmp_path):
    elsewhere = connect(state_folder=start_in("receipted"))
    group = context.scenario.groups[0].model_copy(update={"display_name": "Auditors"})
    scenario = context.scenario.model_copy(update={"groups": [group]})
    run = replace(context, target_connection=elsewhere, scenario=scenario, run_folder=tmp_path / "run")
    Step(run, "instance").apply()
    Step(run, "groups").apply()
    assert TryIt(run, "group_of_auditors", {}).check().note == ""
    assert leftovers(run).rows == ()
    Teardown(run).apply()
    assert elsewhere.refresh_instance() is None


def test_a_spare_device_is_a_second_one(context):
    assert "activate the user first" in found(context, "spare_device", "two MFA devices")[1]
    with signed_in_person(context.connection, PERSON):
        pass
    assert found(context, "spare_device", "two MFA devices") == (False, "1: authenticator app")
    _register_another_app(context)
    assert is_done(context, "spare_device")


def _register_another_app(context):
    """Do what a person does on the page “My devices”."""
    console = context.connection.console
    person = describe_person(context.connection, PERSON)
    memory = Path(console.state_folder) / "people" / f"{person.user_id}.json"
    persona = Persona(console.pages()["site_url"], PERSON)
    persona.recall(json.loads(memory.read_text("utf-8")))
    page = persona.browser.open("/start/devices/register")
    form = page.find_form("code", ending="/register/totp")
    code = pyotp.TOTP(page.values["totp_secret"]).now()
    answer = persona.browser.send(page, form, code=code, name="Spare")
    assert answer.status == 200


def test_less_is_a_group_and_a_second_profile_on_the_same_session(context, identity_store, store):
    def say(asked):
        return found(context, "second_profile", asked)

    terminal = sandbox_terminal(context.connection)
    group_id = find_principal_id(context.connection, "GROUP", "ReadOnlyAccess")
    assert say("second profile")[1] == "no profile 'practice' yet"
    assert say("in the group") == (False, "not yet")
    ids = accounts(context)
    first = SsoProfile(
        "practice",
        "practice",
        "https://practice-portal.awsapps.com/start",
        "us-east-1",
        ids["Management"],
        "AdministratorAccess",
        "us-east-1",
    )
    write_profile(terminal.config_file, first)
    assert "only 'practice'" in say("second profile")[1]
    write_profile(terminal.config_file, replace(first, profile_name="second"))
    assert say("ReadOnlyAccess in Development") == (False, f"{ids['Management']} · AdministratorAccess")
    right = replace(first, profile_name="second", account_id=ids["Development"], role_name="ReadOnlyAccess")
    write_profile(terminal.config_file, replace(right, session_name="other"))
    assert say("same session") == (False, "sso_session = other")
    write_profile(terminal.config_file, right)
    identity_store.create_group_membership(
        GroupId=group_id, MemberId={"UserId": find_principal_id(context.connection, "USER", PERSON)}, **store
    )
    assert say("and it works") == (False, "nobody is signed in: aws sso login --profile second")
    login = begin_login(context.connection, right.start_url)
    with signed_in_person(context.connection, PERSON) as person:
        person.do("approve_device", user_code=login.user_code)
        save_token(terminal.token_folder, right, login, finish_login(context.connection, login))
    assert say("and it works") == (True, ids["Development"])
    assert is_done(context, "second_profile")
    refused = terminal.call("s3api", "create-bucket", profile="second", bucket="practice-look-only")
    assert "AccessDenied" in refused.refusal
    (left,) = [
        row for row in leftovers(context).rows if row[0] == f"membership of {PERSON} in ReadOnlyAccess"
    ]
    assert left[1] in look(context, "second_profile")[0].note
    membership_id = left[1].rpartition("--membership-id ")[2]
    identity_store.delete_group_membership(MembershipId=membership_id, **store)
    assert say("in the group") == (False, "not yet")


def test_a_membership_that_the_scenario_wants_was_left_by_no_exercise(context):
    _, richard = context.scenario.users
    variation = context.scenario.person.model_copy(update={"user_name": richard.user_name})
    run = replace(context, scenario=context.scenario.model_copy(update={"person": variation}))
    assert found(run, "second_profile", "in the group") == (True, "yes")
    assert not [row for row in leftovers(run).rows if richard.user_name in row[0] and "ReadOnly" in row[0]]


def test_every_session_has_an_end(context):
    with signed_in_person(context.connection, PERSON) as person:
        assert re.match(
            r"\d still active: .Active sessions.", found(context, "end_every_session", "no session")[1]
        )
        person.do("sign_out")
    user_id = describe_person(context.connection, PERSON).user_id
    console = context.connection.console
    for session in console.send("GET", f"users/{user_id}/sessions")["sessions"]:
        console.send("POST", f"users/{user_id}/sessions/{session['session_id']}/delete")
    assert is_done(context, "end_every_session")
    nobody = TryIt(context, "end_every_session", {"user_name": "richard.roe"}).check()
    assert nobody.rows[0] == ("… not yet", "the person has been active", "not activated yet")


@pytest.mark.parametrize("name", EXERCISES)
def test_headless_an_undone_exercise_is_one_line_and_no_check(name, empty_connection, tmp_path, monkeypatch):
    monkeypatch.setenv(INTERACTIVE_VARIABLE, "headless")
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    context = RunContext(empty_connection, scenario, "apply", EXERCISES[name].notebook, tmp_path / "run")
    shown = TryIt(context, name, {}).check()
    assert isinstance(shown, Line)
    assert repr(shown) == NOT_DONE
    events = list(read_events(context.run_folder / "events.jsonl"))
    assert [event for event in events if event["event"] == "checked"] == []


@pytest.mark.parametrize("name", EXERCISES)
def test_guided_before_there_is_an_instance_an_exercise_says_what_it_waits_for(
    name, empty_connection, tmp_path
):
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    context = RunContext(empty_connection, scenario, "apply", EXERCISES[name].notebook, tmp_path / "run")
    shown = TryIt(context, name, {}).check("x")
    assert "not yet" in repr(shown).casefold()


def test_an_exercise_takes_other_names_and_refuses_unknown_ones(context):
    exercise = TryIt(context, "read_only_for_auditors", {"account": "Production"})
    assert "in the account `Production`" in repr(exercise)
    with pytest.raises(NotFoundError, match=r"has no name 'acount'. Did you mean 'account'\?"):
        TryIt(context, "read_only_for_auditors", {"acount": "Production"})
    with pytest.raises(NotFoundError, match=r"Did you mean 'on_call'\?"):
        TryIt(context, "oncall", {})


def test_nothing_that_the_exercises_left_is_unknown_to_the_list(context):
    rows = list_all_account_assignments(context.connection)
    assert {row.principal_name for row in rows} >= {"Auditors"}
    assert "group Auditors" in [row[0] for row in leftovers(context).rows]
