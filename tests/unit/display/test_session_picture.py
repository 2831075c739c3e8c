"""Durations of a session's life: from the target, else from the scenario, else AWS's defaults."""

from dataclasses import replace

import pytest

from idc_aws.errors import NotFoundError
from idc_aws.scenario.scenario import Scenario
from idc_helpers.notebook import credentials
from idc_helpers.notebook.credentials import life_of_a_session

HOUR = 3600


class Keys:
    permission_set = "Auditor"

    def __init__(self, left_s):
        self.left = left_s

    def left_s(self):
        return self.left


@pytest.fixture
def target(context, monkeypatch):
    """What the target holds: ``"sessions"`` and permission sets by name."""
    held = {}

    def reading(name):
        class Resource:
            def __init__(self, _connection):
                pass

            def read(self, keys):
                return {key: held[key] for key in keys if key in held}

        monkeypatch.setattr(credentials, name, Resource)

    reading("ConsoleSettings")
    reading("PermissionSets")
    monkeypatch.setattr(context.connection, "instance_or_none", lambda: "an instance", raising=False)
    return held


def spans(axis):
    return {row.label: row.spans_s for row in axis.rows}


def test_without_anything_set_the_defaults_of_aws_count(context, target):
    axis = life_of_a_session(context)
    assert spans(axis)["Access portal session"] == ((0, 8 * HOUR),)
    assert len(spans(axis)["Role credentials"]) == 8
    assert spans(axis)["The last of them"] == ((8 * HOUR, 9 * HOUR),)
    assert "8 hours, as the scenario wants it; no API shows it" in repr(axis)
    assert "1 hour each, AWS's default" in repr(axis)


def test_the_target_counts_before_the_scenario(context, target):
    target["sessions"] = {"user_interactive": "PT6H"}
    target["Auditor"] = {"session_duration": "PT4H"}
    axis = life_of_a_session(context, "Auditor")
    assert spans(axis)["Access portal session"] == ((0, 6 * HOUR),)
    assert spans(axis)["Role credentials"] == ((0, 4 * HOUR), (4 * HOUR, 8 * HOUR))
    assert spans(axis)["The last of them"] == ((6 * HOUR, 10 * HOUR),)
    assert "6 hours, as set" in repr(axis)
    assert "4 hours each, by permission set Auditor" in repr(axis)


def test_where_no_api_shows_it_the_scenario_says(context, target):
    wanted = Scenario(
        authentication={"sessions": {"user_interactive": "P7D"}},
        permission_sets=[
            {"name": "Auditor", "managed_policies": ["ReadOnlyAccess"], "session_duration": "PT2H"}
        ],
    )
    axis = life_of_a_session(replace(context, scenario=wanted), "Auditor")
    assert "7 days, as the scenario wants it; no API shows it" in repr(axis)
    assert "2 hours each, as the scenario wants it for Auditor" in repr(axis)
    (row,) = [row for row in axis.rows if row.label == "Role credentials"]
    assert (len(row.spans_s), row.goes_on) == (4, True)


def test_without_an_instance_nothing_is_read(context, target, monkeypatch):
    target["sessions"] = {"user_interactive": "PT6H"}
    monkeypatch.setattr(context.connection, "instance_or_none", lambda: None)
    assert spans(life_of_a_session(context))["Access portal session"] == ((0, 8 * HOUR),)


def test_the_keys_at_hand_are_shown_in_whole_minutes_and_say_whose_they_are(context, target):
    target["Auditor"] = {"session_duration": "PT4H"}
    axis = life_of_a_session(context, credentials=Keys(4 * HOUR - 1.7))
    assert spans(axis)["The keys at hand"] == ((0, 4 * HOUR),)
    assert "end in 4 hours" in repr(axis)
    assert "by permission set Auditor" in repr(axis)
    assert "The keys at hand" not in spans(life_of_a_session(context, credentials=Keys(None)))
    assert "end in less than a minute" in repr(life_of_a_session(context, credentials=Keys(-5)))


def test_a_permission_set_that_is_nowhere_is_refused(context, target):
    with pytest.raises(NotFoundError, match="no permission set 'Nobody'"):
        life_of_a_session(context, "Nobody")
