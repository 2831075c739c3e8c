"""The lesson leaves a trail: every write of its receipts by request id, and every sign-in by person."""

from __future__ import annotations

import json

import pytest

from idc_aws.connection import connect
from idc_aws.project import DEFAULT_SCENARIO, project_folder
from idc_aws.scenario.reading import load_scenario
from idc_aws.signin.activation import signed_in_person
from idc_helpers.runbook.lesson import target_steps
from idc_helpers.runbook.run import RunContext
from idc_helpers.runbook.steps import Step

# What the console alone can do: its calls have request ids too.
OF_THE_CONSOLE = {"StartSSO", "UpdateSsoConfiguration", "PutMfaDeviceManagementForDirectory", "CreateAlias"}


@pytest.fixture(scope="module")
def lesson(start_in, tmp_path_factory):
    """Return the lesson after it was applied and its person has signed in and taken a role's keys."""
    folder = start_in("trail")
    scenario = load_scenario(project_folder() / DEFAULT_SCENARIO)
    run = tmp_path_factory.mktemp("trail") / "run"
    context = RunContext(connect(state_folder=folder), scenario, "apply", "lesson", run)
    for name in target_steps():
        Step(context, name).apply()
    return context


def looked_up(context, **attribute) -> list[dict]:
    """Return the records that CloudTrail finds, of all pages."""
    asked = [{"AttributeKey": key, "AttributeValue": value} for key, value in attribute.items()]
    pages = context.connection.client("cloudtrail").get_paginator("lookup_events")
    found = pages.paginate(LookupAttributes=asked)
    return [json.loads(event["CloudTrailEvent"]) for page in found for event in page["Events"]]


def test_every_write_of_the_receipts_is_found_by_its_request_id(lesson):
    receipts = [one for one in lesson.receipts.read() if one.status == "done"]
    wanted = {request_id for receipt in receipts for request_id in receipt.request_ids}
    by_id = {one["requestID"]: one for one in looked_up(lesson)}
    assert len(wanted) > 15
    assert wanted - by_id.keys() == set()
    assert [by_id[one]["eventName"] for one in wanted if by_id[one].get("errorCode")] == []
    assert not any(by_id[one]["readOnly"] for one in wanted)
    assert [receipt.key for receipt in receipts if not receipt.request_ids] == []
    assert {by_id[one]["eventName"] for one in wanted} >= OF_THE_CONSOLE


def test_every_sign_in_is_found_by_person(lesson):
    users = lesson.connection.call("identitystore", "list_users")["Users"]
    names = [one["UserName"] for one in users][:2]
    for name in names:
        with signed_in_person(lesson.connection, name):
            pass
    ids = {one["UserName"]: one["UserId"] for one in users}
    for name in names:
        events = looked_up(lesson, Username=ids[name])
        (signed_in,) = [one for one in events if one["eventName"] == "UserAuthentication"]
        workflow = signed_in["additionalEventData"]["AuthWorkflowID"]
        of_workflow = [
            one
            for one in looked_up(lesson, EventSource="signin.amazonaws.com")
            if one["additionalEventData"]["AuthWorkflowID"] == workflow
        ]
        assert "CredentialChallenge" in {one["eventName"] for one in of_workflow}
        named = {one["additionalEventData"].get("UserName") for one in of_workflow}
        assert named == {name, None}
