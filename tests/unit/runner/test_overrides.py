import pytest

from idc_aws.errors import InvalidValueError
from idc_aws.scenario.reading import location_of, with_overrides

DATA = {"region": "us-east-1", "groups": [{"display_name": "a"}], "instance": {"name": "x"}}


@pytest.mark.parametrize(
    ("key", "location"),
    [
        ("region", ("region",)),
        ("authentication.mfa.prompt", ("authentication", "mfa", "prompt")),
        ("permission_sets[2].session_duration", ("permission_sets", 2, "session_duration")),
        ("instance.tags.Cost Center", ("instance", "tags", "Cost Center")),
    ],
)
def test_a_key_names_a_place(key, location):
    assert location_of(key) == location


@pytest.mark.parametrize("key", ["", ".", "a..b", "[0]", "a[x]", "a[-1]", "a[0", "a."])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(InvalidValueError, match="is not a key"):
        location_of(key)


def test_values_are_set_and_the_data_that_was_given_stays():
    overrides = {
        "region": "eu-west-1",
        "groups[0].display_name": "b",
        "groups[1].display_name": "c",
        "access_portal.subdomain": "y",
        "users[0].groups[0]": "b",
    }
    changed = with_overrides(DATA, overrides)
    assert changed == {
        "region": "eu-west-1",
        "groups": [{"display_name": "b"}, {"display_name": "c"}],
        "instance": {"name": "x"},
        "access_portal": {"subdomain": "y"},
        "users": [{"groups": ["b"]}],
    }
    assert DATA["groups"] == [{"display_name": "a"}]
    assert DATA["region"] == "us-east-1"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("groups[5].display_name", "a list that has 1"),
        ("region.name", "'us-east-1'"),
        ("groups.display_name", "a list"),
        ("instance[0]", "a group of keys"),
    ],
)
def test_a_key_that_leads_nowhere_says_what_is_there(key, words):
    with pytest.raises(InvalidValueError, match=r"leads nowhere|names entry") as refused:
        with_overrides(DATA, {key: "x"})
    assert words in str(refused.value)
