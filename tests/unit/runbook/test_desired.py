"""From a scenario's words to states: what would make every plan differ is left out or spelt in one way."""

from idc_aws.scenario.scenario import Scenario
from idc_helpers.runbook.desired import permission_set_states, user_states


def test_the_type_of_an_email_needs_an_email():
    named = {"given_name": "Ana", "family_name": "Lima"}
    users = [{"user_name": "ana", **named}, {"user_name": "bo", **named, "email": "bo@example.com"}]
    states = user_states(Scenario.model_validate({"users": users}))
    assert states["ana"] == {**named, "display_name": "Ana Lima"}
    assert (states["bo"]["email"], states["bo"]["email_type"]) == ("bo@example.com", "work")


def test_a_session_duration_is_spelt_as_it_is_read():
    permission_sets = [{"predefined": "ReadOnlyAccess", "session_duration": "PT60M"}]
    scenario = Scenario.model_validate({"permission_sets": permission_sets})
    assert permission_set_states(scenario)["ReadOnlyAccess"]["session_duration"] == "PT1H"
