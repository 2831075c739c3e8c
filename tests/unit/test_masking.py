"""Stand-ins are the same everywhere, tell people apart, and leave everything else as it is."""

import json
import os
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from idc_aws.project import MASKING_VARIABLE
from idc_aws.scrubbing import Masker, clean, clean_values, current_masker, masking

MARY = {
    "user_name": "mary.major",
    "given_name": "Mary",
    "family_name": "Major",
    "display_name": "Mary Major",
    "email": "mary.major@example.com",
    "phone_number": "+1 206 555 0100",
    "title": "Engineer",
    "groups": ["Readers"],
    "address": {
        "street_address": "123 Any Street",
        "locality": "Any Town",
        "region": "WA",
        "postal_code": "98101",
    },
    "enterprise": {"employee_number": "000042", "department": "Platform"},
}
JOSE = {
    "user_name": "josé@corp.example",
    "given_name": "José",
    "family_name": "Major",
    "display_name": "José Major",
    "email": "josé@corp.example",
}
HARMLESS = (
    "arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-0123456789abcdef",
    "Readers is a group; Marymount is a place, and majority a word",
    "9067642ac7-d6a5c9f0-1a2b-4c3d-8e9f-0123456789ab",
    "2026-11-23T09:00:00+00:00",
    "https://d-1234567890.awsapps.com/start",
    "account 111122223333, request 206 555",
)


def masker():
    return Masker([MARY, JOSE], "key")


def test_each_person_has_a_number_and_each_kind_of_data_its_stand_in():
    text = "mary.major <mary.major@example.com>, Mary Major (Mary, Major), +1 206 555 0100"
    assert masker().mask(text) == "person-1 <p1@masked.example>, Person 1 (Given-1, Family-1), phone-1"
    assert masker().mask("123 Any Street, Any Town 98101") == "street-1, town-1 postcode-1"
    assert masker().mask("José Major, number 000042") == "Person 2, number employee-1"


def test_a_user_name_that_is_an_address_reads_as_one_name():
    assert masker().mask("josé@corp.example") == "person-2"


def test_names_are_found_as_json_and_html_write_them():
    assert json.loads(masker().mask(json.dumps({"name": "José"}))) == {"name": "Given-2"}
    other = Masker([{"display_name": "Ana & Co"}], "key")
    assert other.mask("<b>Ana &amp; Co</b>") == "<b>Person 1</b>"


def test_parts_of_words_and_what_is_not_personal_stay():
    for text in HARMLESS:
        assert masker().mask(text) == text


def test_addresses_and_numbers_that_nobody_named_are_masked_alike_each_time():
    text = masker().mask("bob@else.example, eve@else.example, BOB@else.example, +49 30 1234567")
    first, second, third, phone = text.split(", ")
    assert first == third != second
    assert first.startswith("someone-")
    assert first.endswith("@masked.example")
    assert phone.startswith("phone-")
    assert Masker([], "other key").mask("bob@else.example") != first


def test_data_is_masked_in_keys_and_values_and_its_shape_stays():
    data = {"mary.major": [{"email": "mary.major@example.com", "n": 1}, None], "x": True}
    assert masker().mask_values(data) == {
        "person-1": [{"email": "p1@masked.example", "n": 1}, None],
        "x": True,
    }


words = st.sampled_from(
    [
        "mary.major",
        "Mary",
        "Major",
        "Mary Major",
        "+1 206 555 0100",
        "a@b.example",
        " ",
        "-",
        "x",
        "\n",
        *HARMLESS,
    ]
)


@given(st.lists(words, max_size=8))
def test_masking_twice_is_masking_once_and_leaves_no_name(parts):
    text = " ".join(parts)
    once = masker().mask(text)
    assert masker().mask(once) == once
    assert not {"mary.major", "Mary", "a@b.example"} & set(once.split())


def test_a_masker_goes_to_other_processes_as_a_file_that_ends_with_the_run(monkeypatch):
    monkeypatch.delenv(MASKING_VARIABLE, raising=False)
    assert current_masker() is None
    with masking([MARY]):
        file = Path(os.environ[MASKING_VARIABLE])
        assert file.stat().st_mode & 0o777 == 0o600
        assert clean("password='x y' for Mary") == "password='[removed]' for Given-1"
        assert clean_values({"password": "Mary", "who": "Mary"}) == {
            "password": "[removed]",
            "who": "Given-1",
        }
    assert not file.exists()
    assert current_masker() is None
    assert clean("for Mary") == "for Mary"


NAMES = ["ann", "ann lee", "ann.lee", "lee", "(ann)", "+1 206 555 0100", "o'lee", "ann-lee ann", "@lee"]


@given(
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.lists(st.sampled_from([*NAMES, " ", "x", "(", ")", ".", "'", "@", "-", "+1 ", "lee ann"])),
)
def test_names_are_found_as_one_pattern_of_all_of_them_would_find_them(names, parts):
    """The leftmost, of several at a place the longest, none within a word, and each place once."""
    masker = Masker([{"display_name": name} for name in sorted(names)], "key")
    text = "".join(parts)
    longest_first = sorted(masker._written, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    expected = pattern.sub(lambda match: masker._written[match[0]], text)
    assert "".join(masker._without_people(text)) == expected
