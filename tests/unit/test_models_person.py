import pytest
from scenario_refusals import accepted, refused, user

from idc_aws.errors import ParametersError
from idc_aws.scenario.people import Person
from idc_aws.scenario.reading import PERSON_PARAMETERS, chosen_person, load_scenario

FILE = """\
users:
  - user_name: ana
    given_name: Ana
    family_name: Silva
  - user_name: richard.roe
    given_name: Richard
    family_name: Roe
person:
"""


def loaded(tmp_path, *lines):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE + "".join(f"  {line}\n" for line in lines), encoding="utf-8")
    return load_scenario(path)


def problem(tmp_path, *lines):
    with pytest.raises(ParametersError) as caught:
        loaded(tmp_path, *lines)
    (found,) = caught.value.problems
    return found.line, found.path, f"{found.message}. {found.remedy}"


def test_a_person_is_read_with_account_permission_set_and_profile(tmp_path):
    lines = 'user_name: ana|account: "012345670123"|permission_set: ReadOnlyAccess|profile_name: my-work'
    person = loaded(tmp_path, *lines.split("|")).person
    assert person == Person(
        user_name="ana", account="012345670123", permission_set="ReadOnlyAccess", profile_name="my-work"
    )


def test_an_account_may_be_named(tmp_path):
    assert loaded(tmp_path, "account: Development").person.account == "Development"


def test_a_scenario_without_a_person_has_one_without_wishes():
    assert accepted({}).person == Person(profile_name="practice")


def test_a_user_whom_the_scenario_does_not_name_is_refused_with_line_and_guess(tmp_path):
    line, path, said = problem(tmp_path, "user_name: richard.ro")
    assert (line, path) == (9, "person.user_name")
    assert "'richard.ro' is not a user of this scenario. Did you mean 'richard.roe'?" in said


def test_where_no_name_is_near_all_are_listed(tmp_path):
    _, _, said = problem(tmp_path, "user_name: zzz")
    assert "The scenario's users are: ana, richard.roe." in said


def test_without_users_of_its_own_a_scenario_may_name_anybody(tmp_path):
    path = tmp_path / "external.yaml"
    path.write_text("person:\n  user_name: from.elsewhere\n", encoding="utf-8")
    assert load_scenario(path).person.user_name == "from.elsewhere"


def test_an_account_id_without_quotes_is_refused_with_its_line_and_digits(tmp_path):
    line, path, said = problem(tmp_path, "user_name: ana", "account: 012345670123")
    assert (line, path) == (10, "person.account")
    assert 'Write "012345670123"' in said


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("user_name", "two words", "a space is not allowed in it"),
        ("user_name", "x" * 129, "129 characters"),
        ("account", "1234", "'1234' is not an account id"),
        ("account", 12345678901, "Quote the account id"),
        ("permission_set", "x" * 33, "33 characters. Use 1 to 32 characters."),
        ("permission_set", "Read Only", "a space is not allowed in it"),
        ("permission_set", "Lese-Zugriffé", "'é' is not allowed in it"),
        ("profile_name", "x" * 65, "65 characters. Use 1 to 64 characters."),
        ("profile_name", "a]b", "']' is not allowed in it"),
        ("profile_name", "a\n[default]", "a line break is not allowed in it"),
        (
            "permission_set",
            "Read\u00a0Only",
            "a non-breaking space, as copied text often has it, is not allowed",
        ),
        ("permission_set", "Read\u200b", "an invisible character (U+200B, zero width space) is not allowed"),
        ("user_name", "a\u0007b", "an invisible character (U+0007, control character) is not allowed"),
        ("profile_name", "AKIAI44QH8DHBEXAMPLE", "holds what looks like a secret: an access key id"),
        ("profile_name", 7, 'Put it in quotes: "7".'),
        ("profil_name", "x", "Did you mean 'profile_name'?"),
    ],
)
def test_values_that_cannot_be_right_are_refused(key, value, words):
    found = refused({"person": {key: value}})
    assert words in found[f"person.{key}"]


def test_a_key_id_is_not_repeated_in_what_is_said():
    assert "AKIA" not in str(refused({"person": {"profile_name": "AKIAI44QH8DHBEXAMPLE"}}))


SCENARIO = {"users": [user(), user(user_name="bo")], "person": {"user_name": "bo", "account": "Development"}}


def test_the_notebooks_parameters_come_before_the_scenario():
    given = {"user_name": "", "account": None, "permission_set": "Auditor", "profile_name": "audit"}
    assert chosen_person(accepted(SCENARIO), **given) == Person(
        user_name="bo", account="Development", permission_set="Auditor", profile_name="audit"
    )


def test_another_person_comes_without_the_first_ones_account_and_permission_set():
    given = {"user_name": "ana", "account": "Production"}
    assert chosen_person(accepted(SCENARIO), **given) == Person(user_name="ana", account="Production")
    same = chosen_person(accepted(SCENARIO), user_name="bo")
    assert (same.user_name, same.account) == ("bo", "Development")
    first = accepted(SCENARIO | {"person": {"account": "Development"}})
    assert chosen_person(first, user_name="ana").account == "Development", "the first user, by name"


def test_a_notebook_may_name_a_user_whom_a_form_has_made():
    assert chosen_person(accepted(SCENARIO), user_name="new.one").user_name == "new.one"


def test_where_nobody_is_named_it_is_the_first_user():
    assert chosen_person(accepted({"users": SCENARIO["users"]})).user_name == "ana"


def test_where_there_is_nobody_it_says_what_to_give():
    with pytest.raises(ParametersError, match=r"nobody is named\. Give `user_name`"):
        chosen_person(accepted({}))


def test_a_parameter_is_held_to_the_same_rules():
    with pytest.raises(ParametersError, match=r"person\.account: 12345678901 is a number.*-r in place of -p"):
        chosen_person(accepted(SCENARIO), account=12345678901)


def test_the_notebooks_parameters_are_the_keys_of_the_person():
    assert PERSON_PARAMETERS == ("user_name", "account", "permission_set", "profile_name")
