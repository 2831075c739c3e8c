import re
import subprocess

import pytest

from idc_aws.calls import CONSOLE, Call
from idc_aws.rehearsal import Target, as_commands, as_python, console_words

TARGET = Target("eu-west-1")
ECHO = 'aws() { printf "%s\\n" "$@" >&2; printf "made-id"; }\n'


def arguments(calls, target=TARGET):
    """What a shell hands to the AWS CLI."""
    script = ECHO + as_commands(calls, target)
    done = subprocess.run(["bash", "-eu"], input=script, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    "text", ['It\'s "quoted"', "$HOME `id` $(id)", "naïve – ünïcode", "a;b|c&d>e", "back\\slash", "*?[x]"]
)
def test_any_text_reaches_the_command_as_it_is(text):
    call = Call("identitystore", "CreateGroup", {"IdentityStoreId": "d-1", "DisplayName": text})
    assert arguments([call]) == [
        *("identitystore", "create-group", "--identity-store-id", "d-1", "--display-name", text),
        *("--region", "eu-west-1"),
    ]


def test_what_starts_with_a_dash_or_is_true_or_false_stays_a_value():
    call = Call("sso-admin", "UpdateInstance", {"Name": "-rf", "PermissionSetsEnabled": True, "Other": False})
    assert arguments([call])[2:5] == ["--name=-rf", "--permission-sets-enabled", "--no-other"]


def test_the_command_has_no_option_that_the_aws_cli_does_not_know():
    call = Call("identitystore", "UpdateGroup", {"GroupId": "g", "Operations": [], "Revision": "1"})
    assert "--revision" not in arguments([call])
    assert "Revision='1'" in as_python([call], TARGET)


@pytest.mark.parametrize("text", ["file:///etc/passwd", "fileb://x", "https://example.com/", "http://x"])
def test_no_argument_is_read_from_a_file_or_a_page(text):
    call = Call("sso-admin", "CreatePermissionSet", {"Name": "A", "RelayState": text})
    found = arguments([call])
    assert text not in found
    assert found[found.index("--cli-input-json") + 1] == f'{{"RelayState": "{text}"}}'


def test_what_a_call_makes_is_a_variable_for_the_calls_after_it():
    user = Call(
        "identitystore",
        "CreateUser",
        {"UserName": "ana"},
        {"‹UserId made by call 1›": "UserId", "‹unused›": "X"},
    )
    member = Call(
        "identitystore", "CreateGroupMembership", {"MemberId": {"UserId": "‹UserId made by call 1›"}}
    )
    found = arguments([user, member])
    assert found[found.index("--query") + 1] == "UserId"
    assert found[found.index("--member-id") + 1] == '{"UserId": "made-id"}'
    assert "‹" not in as_commands([user, member], TARGET) + as_python([user, member], TARGET)
    assert "user_id = identitystore.create_user(" in as_python([user, member], TARGET)
    assert "MemberId={'UserId': user_id}" in as_python([user, member], TARGET)


def test_variables_of_one_kind_are_numbered():
    users = [
        Call("identitystore", "CreateUser", {"UserName": name}, {f"‹{name}›": "UserId"})
        for name in ("a", "b")
    ]
    members = [Call("identitystore", "DeleteUser", {"UserId": f"‹{name}›"}) for name in ("a", "b")]
    code = as_python([*users, *members], TARGET)
    assert "UserId=user_id,\n" in code
    assert "UserId=user_id_2,\n" in code


def test_profile_and_endpoint_are_those_of_the_run():
    call = Call("organizations", "RegisterDelegatedAdministrator", {"AccountId": "111122223333"})
    target = Target("us-east-1", "my profile", "http://127.0.0.1:5000")
    assert arguments([call], target)[-4:] == [
        "--profile",
        "my profile",
        "--endpoint-url",
        "http://127.0.0.1:5000",
    ]
    code = as_python([call], target)
    assert "session = boto3.Session(profile_name='my profile')" in code
    assert "endpoint_url='http://127.0.0.1:5000'" in code


def test_what_only_the_console_does_is_a_remark_in_its_words():
    call = Call(CONSOLE, "settings/multi_factor_authentication", {"prompt": "never"})
    words = console_words(call)
    assert "Settings → Authentication → Multi-factor authentication → Configure" in words
    assert "Prompt users for MFA: never" in words
    assert as_commands([call], TARGET) == f"# {words}"
    assert as_python([call], TARGET) == f"# {words}"


def test_an_instance_that_the_console_enables_is_looked_up_afterwards():
    enabled = Call(CONSOLE, "instance", {"region": "us-east-1"}, {"‹arn›": "InstanceArn"})
    tagged = Call("sso-admin", "TagResource", {"InstanceArn": "‹arn›", "Tags": [{"Key": "a", "Value": "b"}]})
    commands = as_commands([enabled, tagged], TARGET)
    assert "INSTANCE_ARN=$(aws sso-admin list-instances --query 'Instances[0].InstanceArn'" in commands
    assert 'instance_arn = sso_admin.list_instances()["Instances"][0]["InstanceArn"]' in as_python(
        [enabled, tagged], TARGET
    )


def test_calls_that_use_what_others_made_are_written_in_a_time_that_grows_with_their_number(monkeypatch):
    """Each of 3,000 calls was compared with what each other one had made: a minute of silence."""
    compared = []
    monkeypatch.setattr(re, "escape", lambda text: compared.append(text) or text)
    number = 300
    users = [
        Call("identitystore", "CreateUser", {"UserName": f"u{at}"}, {f"‹UserId made by call {at}›": "UserId"})
        for at in range(number)
    ]
    members = [
        Call("identitystore", "DeleteUser", {"UserId": f"‹UserId made by call {at}›"}) for at in range(number)
    ]
    commands = as_commands([*users, *members], TARGET)
    assert f'--user-id "$USER_ID_{number}"' in commands
    assert len(compared) == number, "each call with what it uses itself"
