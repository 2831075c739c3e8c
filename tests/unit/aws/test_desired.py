"""From a scenario's words to states: what would make every plan differ is left out or spelt in one way."""

import pytest

from idc_aws.desired import (
    AccountsNotFoundError,
    account_assignment_states,
    delegated_administrator_states,
    permission_set_states,
    user_states,
)
from idc_aws.errors import AmbiguousError, NotFoundError
from idc_aws.organization import Account
from idc_aws.scenario.scenario import Scenario
from idc_aws.scenario.yaml_lines import dotted


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


class Accounts:
    """Accounts by name, a unit and tags, as `NamedAccounts` finds them."""

    def __call__(self, named):
        if named == "Twin":
            raise AmbiguousError("2 accounts have the name 'Twin'", remedy="Give the id.")
        if named not in ("Dev", "Shop"):
            raise NotFoundError(f"no account {named!r}", remedy="There are: Dev, Shop.")
        return Account(named, named)

    def in_unit(self, named):
        if named != "Root/Prod":
            raise NotFoundError(f"no unit {named!r}", remedy="There are: Root/Prod.")
        return (Account("Shop", "Shop"), Account("Bank", "Bank"))

    def with_tags(self, tags):
        return (Account(f"tagged {tags['env']}", ""),)


def assignments(*entries):
    named = {"permission_set": "Auditor", "group": "Auditors"}
    return Scenario.model_validate({"account_assignments": [{**named, **entry} for entry in entries]})


def test_accounts_units_and_tags_of_an_assignment_add_up_and_overlap():
    scenario = assignments(
        {"accounts": ["Dev", "Shop"], "organizational_units": ["Root/Prod"]}, {"account_tags": {"env": "x"}}
    )
    states = account_assignment_states(scenario, Accounts())
    assert [state["account_id"] for state in states.values()] == ["Dev", "Shop", "Bank", "tagged x"]
    assert {state["permission_set"] for state in states.values()} == {"Auditor"}


def test_every_place_that_leads_to_no_account_is_reported_at_once():
    scenario = assignments({"accounts": ["Dve", "Dev", "Twin"]}, {"organizational_units": ["Root/Prdo"]})
    with pytest.raises(AccountsNotFoundError, match="3 places") as caught:
        account_assignment_states(scenario, Accounts())
    assert [(dotted(one.location), one.message, one.remedy) for one in caught.value.refusals] == [
        ("account_assignments[0].accounts[0]", "no account 'Dve'", "There are: Dev, Shop."),
        ("account_assignments[0].accounts[2]", "2 accounts have the name 'Twin'", "Give the id."),
        ("account_assignments[1].organizational_units[0]", "no unit 'Root/Prdo'", "There are: Root/Prod."),
    ]


def test_a_delegated_administrator_that_is_not_there_is_reported_at_its_place():
    scenario = Scenario.model_validate({"management": {"delegated_administrator": "Dve"}})
    with pytest.raises(AccountsNotFoundError) as caught:
        delegated_administrator_states(scenario, Accounts())
    assert dotted(caught.value.refusals[0].location) == "management.delegated_administrator"
