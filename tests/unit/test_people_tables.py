"""People, groups, memberships and assignments as CSV: read as they come, refused as a whole, and back."""

import csv
import io
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from idc_aws.errors import InvalidValueError, ParametersError
from idc_aws.scenario.reading import load_scenario, validate_scenario
from idc_aws.scenario.saving import dumped
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.table_reading import read_tables
from idc_aws.scenario.tables import parse_mapping, plain_value, safe_cell, tables_of, templates, write_tables
from idc_runner.cli import scenarios as commands

PEOPLE = "user_name,given_name,family_name"


@pytest.fixture
def tables(tmp_path):
    """Return a function that reads tables from their texts, or bytes."""

    def read(mapping=(), **texts):
        files = {kind: tmp_path / f"{kind}.csv" for kind in texts}
        for kind, text in texts.items():
            files[kind].write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_tables(files, parse_mapping(mapping))

    return read


@pytest.fixture
def problems(tables, tmp_path):
    """Return a function that gives what is wrong with tables, the folder left out."""

    def read(mapping=(), **texts):
        with pytest.raises(ParametersError) as caught:
            tables(mapping, **texts)
        return [str(one).replace(f"{tmp_path}/", "") for one in caught.value.problems]

    return read


EXPORTS = {
    "the kit's own": ("user_name,given_name,family_name,email\nana,Ana,Silva,ana@x.com\n", "ana"),
    "the console's form": ("Username,First name,Last name,Email address\nana,Ana,Silva,ana@x.com\n", "ana"),
    "semicolons, and a mark": ("\ufeffUsername;First name;Last name;Email\nana;Ana;Silva;ana@x.com\n", "ana"),
    "tabs, old line ends": ("Username\tFirst name\tLast name\tEmail\rana\tAna\tSilva\tana@x.com\r", "ana"),
    "a named separator": (
        "sep=;\r\nUsername;First name;Last name;E-Mail\r\nana;Ana;Silva;ana@x.com\r\n",
        "ana",
    ),
    "Entra ID": (
        "userPrincipalName,displayName,surname,mail,givenName,id,userType,accountEnabled\n"
        "ana@x.com,,Silva,ana@x.com,Ana,1b2c,,True\n",
        "ana@x.com",
    ),
    "Entra ID's template": (
        "version:v1.0,,,,\nName [displayName] Required,User name [userPrincipalName] Required,"
        "Initial password [passwordProfile] Required,First name [givenName],Last name [surname],Mail\n"
        ",ana@x.com,,Ana,Silva,ana@x.com\n",
        "ana@x.com",
    ),
    "Okta": (
        "login,firstName,lastName,middleName,email,secondEmail,mobilePhone\nana,Ana,Silva,,ana@x.com,,\n",
        "ana",
    ),
    "Google Workspace": (
        "First Name [Required],Last Name [Required],Email Address [Required],Password [Required],"
        "Org Unit Path [Required],Change Password at Next Sign-In,Status [READ ONLY]\n"
        "Ana,Silva,ana@x.com,****,/,False,Active\n",
        "ana@x.com",
    ),
}


@pytest.mark.parametrize(("text", "user_name"), EXPORTS.values(), ids=EXPORTS)
def test_exports_are_read_as_they_come(tables, text, user_name):
    (user,) = tables(users=text).data["users"]
    named = {"user_name": user_name, "given_name": "Ana", "family_name": "Silva", "email": "ana@x.com"}
    assert {name: value for name, value in user.items() if value} == named


def test_what_a_column_was_taken_for_is_said_and_what_is_not_used(tables, tmp_path):
    text = "Mail,Vorname,Surname,Building\nana@x.com,Ana,Silva,7\n"
    read = tables(["Vorname=given_name", "Building=locality"], users=text)
    mail = "Mail → email, Mail → user_name"
    (taken,) = read.notes
    assert taken.startswith(f"{tmp_path}/users.csv: ")
    assert all(pair in taken for pair in ("Mail → email", "Mail → user_name", "Vorname → given_name")), mail
    assert read.data["users"][0]["address"] == {"locality": "7"}
    assert "not used: Building" in tables(["Vorname=given_name"], users=text).notes[1]


def test_of_several_columns_for_one_field_the_first_known_one_counts(tables):
    text = "login,firstName,lastName,mobilePhone,primaryPhone\nana,Ana,Silva,1,2\n"
    assert tables(users=text).data["users"][0]["phone_number"] == "2"
    assert tables(["mobilePhone=phone_number"], users=text).data["users"][0]["phone_number"] == "1"


def test_who_may_not_sign_in_there_is_left_out_with_their_memberships(tables):
    read = tables(
        users=f"{PEOPLE},accountEnabled\nana,Ana,Silva,true\nbo,Bo,Li,FALSE\n",
        memberships="group,user_name\nDevs,ana\nDevs,bo\n",
    )
    assert [user["user_name"] for user in read.data["users"]] == ["ana"]
    assert "groups" not in read.data
    assert any("1 user (bo)" in note for note in read.notes)


def test_memberships_go_to_people_of_the_table_and_to_those_who_exist(tables):
    read = tables(
        users=f"{PEOPLE},email,groups\nana,Ana,Silva,ana@x.com,Devs; Ops\n",
        groups="display_name,description\nDevs,They build\n",
        memberships="group,user_name\nDevs,ana@x.com\nAdmins,ana\nDevs,carla\nNew,carla\n",
    )
    assert read.data["users"][0]["groups"] == ["Devs", "Ops", "Admins"]
    assert read.data["groups"] == [
        {"display_name": "Devs", "description": "They build", "members": ["carla"]},
        {"display_name": "New", "members": ["carla"]},
    ]
    assert any("must exist already: 1 member (carla)" in note for note in read.notes)
    assert validate_scenario(read.data)


def test_assignments_of_one_principal_and_set_come_together(tables):
    read = tables(
        assignments="permission_set,group,user,account,organizational_unit,account_tags\n"
        "Read,Devs,,Dev,,\nRead,,ana,Dev,,\nRead,Devs,,111122223333,Root/Prod,\nRead,Devs,,,,env=prod; a=b\n"
    )
    assert read.data["account_assignments"] == [
        {
            "permission_set": "Read",
            "group": "Devs",
            "accounts": ["Dev", "111122223333"],
            "organizational_units": ["Root/Prod"],
        },
        {"permission_set": "Read", "user": "ana", "accounts": ["Dev"]},
        {"permission_set": "Read", "group": "Devs", "account_tags": {"env": "prod", "a": "b"}},
    ]


def test_assignments_as_other_tools_list_them(tables):
    header = "principal_type,principal_name,permission_set_name,target_id\n"
    read = tables(assignments=f"{header}GROUP,Devs,Read,111122223333\nUSER,ana,Read,111122223333\n")
    first, second = read.data["account_assignments"]
    assert (first["group"], second["user"]) == ("Devs", "ana")
    assert first["accounts"] == ["111122223333"]


ACCENT = "Zoë"
DECOMPOSED = unicodedata.normalize("NFD", ACCENT)
ANA = "ana,Ana,Silva"
BAD = [
    ({"users": ""}, ["users.csv:1: has no line of headers"]),
    ({"users": PEOPLE + "\n"}, ["users.csv:1: has no rows"]),
    ({"users": b"PK\x03\x04rest"}, ["users.csv:1: is an Excel workbook, not CSV in UTF-8. Save it as"]),
    ({"users": "a".encode("utf-16")}, ["users.csv:1: is UTF-16, not CSV in UTF-8"]),
    ({"users": f"{PEOPLE}\nana,J\xfcrgen,Silva".encode("latin-1")}, ["users.csv:2: holds the byte 0xfc"]),
    ({"users": f'{PEOPLE}\n{ANA}\nbo,"Bo"x,Li\n'}, ["users.csv:3: is not CSV"]),
    ({"users": f'{PEOPLE}\n{ANA}\nbo,"Bo,Li\n'}, ["users.csv:3: is not CSV: unexpected end of data"]),
    ({"users": f"{PEOPLE}\n{ANA}\n".encode("utf-16-le")}, ["users.csv:1: is UTF-16, not CSV in UTF-8"]),
    ({"users": b"\xd0\xcf\x11\xe0\xa1"}, ["users.csv:1: is an Excel workbook, not CSV in UTF-8"]),
    (
        {"groups": "display_name\n<<<<<<< HEAD\nDevs\n=======\nOps\n>>>>>>> theirs\n"},
        ["groups.csv:2: has the mark '<<<<<<< HEAD' of a merge that nobody has finished. Keep one of the"],
    ),
    (
        {"users": f"{PEOPLE},phone_number\n{ANA},4.91512E+11\n", "groups": 'display_name\n"4,9E+10"\n'},
        [
            "users.csv:2: phone_number: '4.91512E+11' is a number that a spreadsheet has rounded. Format the",
            "groups.csv:2: display_name: '4,9E+10' is a number",
        ],
    ),
    ({"users": f"{PEOPLE}\n{ANA},Lisboa, Portugal\n"}, ["users.csv:2: has 5 cells, and there are 3 headers"]),
    (
        {"users": "Personalnummer,Vorname,Nachname,Kennwort\n7,Ana,Silva,geheim\n"},
        [
            "users.csv:1: no column holds 'user_name'. Name the column: --map \"HEADER=user_name\". Not used",
            "users.csv:1: no column holds 'given_name'",
            "users.csv:1: no column holds 'family_name'",
            "users.csv:2: Kennwort: the column 'Kennwort' may hold secrets. Delete the column",
        ],
    ),
    (
        {"users": f"{PEOPLE},newPassword,API_Token\n{ANA},,x\n"},
        ["users.csv:2: API_Token: the column 'API_Token' may hold secrets"],
    ),
    (
        {"users": f"{PEOPLE},given_name\n{ANA},Bo\n"},
        ["users.csv:1: given_name: the column 'given_name' appears"],
    ),
    (
        {"users": f"{PEOPLE},email\n{ANA},nowhere\nb o,Bo,,\n,Cy,Day,cy@x.com\n"},
        [
            "users.csv:2: email: 'nowhere' is not an e-mail address. Write it as 'name@example.com'",
            "users.csv:3: user_name: 'b o' cannot be a user name: a space is not allowed",
            "users.csv:3: family_name: 'family_name' is missing. Add it: The person's last name.",
            "users.csv:4: user_name: 'user_name' is missing",
        ],
    ),
    (
        {"users": f"# People\n\n{PEOPLE},birthdate,cost_center\n\n{ANA},1.2.1990,{'x' * 1025}\n"},
        ["users.csv:5: birthdate: '1.2.1990' is not a day", "users.csv:5: cost_center: 'xxx"],
    ),
    # One person twice: each with both lines.
    (
        {"users": f"{PEOPLE}\n{ANA}\nANA,Ana,Silva\n"},
        ["users.csv:3: user_name: 'ANA' is the user 'ana' in line 2 again: they differ in upper and"],
    ),
    (
        {"users": f"{PEOPLE}\n{ACCENT},Zoë,Day\n{DECOMPOSED},Zoë,Day\n"},
        ["in line 2 again: they look the same, and differ in how accents are stored. Keep one of"],
    ),
    (
        {"users": f"{PEOPLE}\n{ANA}\nana ,Ana,Silva\n"},
        ["users.csv:3: user_name: 'ana ' is the user 'ana' in line 2 again: they differ in spaces"],
    ),
    (
        {"users": f"{PEOPLE},email\n{ANA},a@x.com\nana.silva,Ana,Silva,A@X.com\n"},
        ["users.csv:3: email: 'A@X.com' is the e-mail address of 'ana' too, in line 2"],
    ),
    (
        {"groups": "display_name\nDevs\n\nDevs\nADMINS\nAdmins\n"},
        ["groups.csv:4: display_name: 'Devs' is the group 'Devs' in line 2 again.", "groups.csv:6: "],
    ),
    (
        {
            "groups": "display_name\nDevs\n",
            "memberships": "group,user_name\ndevs,ana\n,bo\nDevs,bo\nDevs,bo\n",
        },
        [
            "memberships.csv:2: group: 'devs' is written 'Devs' in groups.csv:2: they differ in upper",
            "memberships.csv:3: group: is empty",
            "memberships.csv:5: user_name: 'bo' is a member of 'Devs' already, in line 4",
        ],
    ),
    (
        {"users": f"{PEOPLE}\n{ANA}\n", "memberships": "group,user_name\nDevs,Ana\n"},
        ["memberships.csv:2: user_name: 'Ana' is written 'ana' in users.csv:2"],
    ),
    (
        {
            "assignments": "permission_set,group,user,account,account_tags\nRead,Devs,,1.23E+11,\n"
            "Read,Devs,ana,Dev,\nRead,Devs,,,\nRead,Ops,,,env\nRead,Ops,,Dev,\nRead,Ops,,Dev,\n"
            "Re ad,Ops,,Dev,\nRead,Devs,,1234,\nRead,Devs,,98964512975,\nRead,Devs,,,env=a; env=b\n"
            'Read,Devs,,,"{""env"": ""a"", ""env"": ""b""}"\nRead,Devs,,,{env\n'
        },
        [
            "assignments.csv:2: account: '1.23E+11' is an account id that a spreadsheet has rounded. Format",
            "assignments.csv:3: an account assignment has one principal; found both of group and user",
            "assignments.csv:5: account_tags: 'env' is not a list of tags. Write each as key=value",
            "assignments.csv:7: permission_set: the same assignment is in line 6",
            "assignments.csv:8: permission_set: 'Re ad' cannot be a permission set's name",
            "assignments.csv:9: account: '1234'",
            "assignments.csv:10: account: '98964512975' is an account id that a spreadsheet has taken",
            "assignments.csv:11: account_tags: 'env=a; env=b' names a key twice, and an account has",
            'assignments.csv:12: account_tags: \'{"env": "a", "env": "b"}\' names a key twice',
            "assignments.csv:13: account_tags: '{env' is not a list of tags. Write each as key=value",
        ],
    ),
    (
        {"assignments": "permission_set,group,account\nRead,Devs,\n"},
        ["assignments.csv:2: account: 'accounts' is missing. Add it: accounts, organizational_units"],
    ),
    (
        {"mapping": ["Mial=email", "Mail=emial"], "users": f"{PEOPLE},Mail\n{ANA},a@x.com\n"},
        [
            "--map: no table has a column 'Mial'. Did you mean 'Mail'?",
            "--map: Mail: 'emial' is not a field. Did you mean 'email'?",
        ],
    ),
    (
        {"users": f"{PEOPLE},website\n{ANA},AKIA{'ABCDEFGHIJKLMNOP'}\n"},
        ["users.csv:2: website: holds what looks like a secret"],
    ),
]


@pytest.mark.parametrize(("texts", "found"), BAD)
def test_everything_that_is_wrong_is_named_with_its_line_and_remedy(problems, texts, found):
    told = problems(**texts)
    assert len(told) == len(found), told
    for one, words in zip(told, found, strict=True):
        assert words in one, told


def test_of_many_problems_the_first_fifty_are_shown_and_all_are_counted(tables):
    rows = "".join(f"user {number},Ana,Silva\n" for number in range(2000))
    with pytest.raises(ParametersError) as caught:
        tables(users=f"{PEOPLE}\n{rows}")
    lines = str(caught.value).splitlines()
    assert (len(caught.value.problems), len(lines)) == (2000, 51)
    assert "users.csv:51: user_name: 'user 49'" in lines[49]
    assert lines[50] == "… and 1950 more: 2000 problems in all."


def test_a_secret_is_not_repeated_in_what_is_said_about_it(problems):
    told = "\n".join(problems(users=f"{PEOPLE},Initial password\n{ANA},Tr0ub4dor3\n"))
    assert "may hold secrets" in told
    assert "Tr0ub4dor3" not in told


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
        ("+49 1", "'+49 1"),
        ("-1", "'-1"),
        ("@ana", "'@ana"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("'t Hooft", "''t Hooft"),
        (" ", "' "),
        ("Ana", "Ana"),
        ("", ""),
    ],
)
def test_no_cell_begins_a_formula_and_each_is_read_back(value, cell):
    assert safe_cell(value) == cell
    assert plain_value(cell) == value


def test_what_people_type_is_read_without_blanks_around_it():
    assert [plain_value(cell) for cell in (" Ana ", "'t Hooft", "'", "x\n")] == ["Ana", "'t Hooft", "'", "x"]
    with pytest.raises(InvalidValueError, match="'x ' ends with a space, which a table cannot keep"):
        safe_cell("x ")


TEXT = st.text(
    st.characters(categories=("L", "M", "N", "P", "S"), include_characters=" \t\n\r\xa0"),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.rstrip())
NAME = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=6).filter(
    lambda name: name not in ("Administrator", "AWSAdministrators")
)
LETTERS = st.text("abc=+-@;'| ", min_size=1, max_size=4).filter(lambda text: text == text.strip())
TAGS = st.dictionaries(st.text("ab=:@ ", min_size=1, max_size=3), st.text("xy= ", max_size=3), max_size=2)


def spelt(name):
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def by_one(strategy, key):
    """Return lists of entries no two of which are one in another spelling."""
    return st.lists(strategy, max_size=3, unique_by=lambda entry: spelt(entry[key]))


USERS = by_one(
    st.fixed_dictionaries(
        {
            "user_name": NAME,
            "given_name": TEXT,
            "family_name": TEXT,
            "groups": by_one(TEXT.map(lambda t: {"g": t}), "g"),
        },
        optional={
            "display_name": TEXT,
            "phone_number": TEXT,
            "password_delivery": st.sampled_from(["email", "one-time-password"]),
            "address": st.fixed_dictionaries({"formatted": TEXT}),
            "enterprise": st.fixed_dictionaries({"cost_center": TEXT, "manager": TEXT}),
        },
    ),
    "user_name",
)
GROUPS = by_one(st.fixed_dictionaries({"display_name": TEXT}, optional={"description": TEXT}), "display_name")
WHERE = st.fixed_dictionaries(
    {
        "accounts": st.lists(st.sampled_from(["Dev", "=Prod", "012345678901"]), max_size=2, unique=True),
        "organizational_units": st.lists(LETTERS, max_size=2, unique=True),
        "account_tags": TAGS,
    }
).filter(lambda where: any(where.values()))
ASSIGNMENTS = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["group", "user"]), WHERE),
    max_size=3,
    unique_by=lambda one: one[:2],
)


@given(users=USERS, groups=GROUPS, assignments=ASSIGNMENTS, delimiter=st.sampled_from(",;\t"))
@example(users=[], groups=[{"display_name": "0,"}], assignments=[], delimiter=";")  # one column
@example(users=[], groups=[{"display_name": "a;"}, {"display_name": "b"}], assignments=[], delimiter=",")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_scenario_comes_back_from_its_tables(tmp_path_factory, users, groups, assignments, delimiter):
    spellings = {}
    for group in groups:
        spellings.setdefault(spelt(group["display_name"]), group["display_name"])
    for user in users:
        names = (spellings.setdefault(spelt(g["g"]), g["g"]) for g in user["groups"])
        user["groups"] = list(dict.fromkeys(names))
    data = {
        "users": users,
        "groups": groups,
        "account_assignments": [
            {"permission_set": "Read", kind: f"{name}{kind}", **where} for name, kind, where in assignments
        ],
    }
    try:
        scenario = validate_scenario(data)
    except ParametersError:
        return
    folder = tmp_path_factory.mktemp("tables")
    filled = {kind: rows for kind, rows in tables_of(scenario).items() if len(rows) > 1}
    if not filled:
        return
    files = write_tables(filled, folder, delimiter)
    for path in files:
        for row in csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline=""), delimiter=delimiter):
            assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in row)
    read = read_tables(dict(zip(filled, files, strict=True)))
    assert validate_scenario(read.data) == scenario
    (folder / "people.yaml").write_text(dumped(read.data), "utf-8")
    assert load_scenario(folder / "people.yaml") == scenario


def test_the_shipped_scenario_comes_back_from_its_tables(tmp_path):
    scenario = load_scenario("parameters/sandbox.yaml")
    tables = tables_of(scenario)
    files = write_tables(tables, tmp_path)
    read = Scenario.model_validate(read_tables(dict(zip(tables, files, strict=True))).data)
    assert (read.users, read.groups) == (scenario.users, scenario.groups)
    assert read.account_assignments == scenario.account_assignments


def test_a_value_that_a_table_cannot_keep_is_named():
    users = [{"user_name": name, "given_name": "Ana ", "family_name": "Silva"} for name in ("ana", "bo")]
    with pytest.raises(ParametersError) as caught:
        tables_of(validate_scenario({"users": users}))
    # Their display names are made of the first and the last name, and have no blank at the end.
    assert [problem.path for problem in caught.value.problems] == ["users: given_name"] * 2


def test_a_template_explains_its_columns_and_is_filled_in_below(tables):
    for kind, rows in templates().items():
        assert len(rows) == len(rows[-1]) + 1, kind
        assert all(row[0].startswith(f"# {name}") for row, name in zip(rows, rows[-1], strict=False))
    text = "\n".join(csv_line(row) for row in templates()["groups"])
    assert tables(groups=f"{text}\nDevs,\n").data == {"groups": [{"display_name": "Devs"}]}


def csv_line(cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def test_the_commands_know_each_kind_of_table():
    assert list(commands.KINDS) == list(templates())
