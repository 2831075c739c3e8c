"""Three ways to work from a terminal: made-up keys in full, which no output loses."""

from idc_aws.scrubbing import find_secrets, scrub
from idc_helpers.notebook.sessions import three_ways


def test_the_made_up_keys_are_shown_in_full_and_only_temporary_ones_have_a_session_token():
    shown = three_ways()
    for text in (repr(shown), shown._repr_html_()):
        assert (scrub(text), find_secrets(text)) == (text, [])
    variables = {
        way: dict(line.split("=", 1) for line in lines.split("\n")) for way, lines in shown.tables[0].rows
    }
    starts = {
        way: (each["AWS_ACCESS_KEY_ID"][:4], "AWS_SESSION_TOKEN" in each) for way, each in variables.items()
    }
    temporary = ("ASIA", True)
    assert starts == {"aws configure": ("AKIA", False), "aws login": temporary, "aws sso login": temporary}


def test_each_way_has_a_word_to_each_question():
    compared = three_ways().tables[1]
    assert all(len(row) == len(compared.columns) == 4 and all(row) for row in compared.rows)
