"""The organization's trail: what is in its bucket and when, what CloudTrail says of it, and lookups."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import json
import re

import pytest
from botocore.exceptions import ClientError
from sandbox_clients import GatewayClient

from idc_sandbox.trail import feed

BUCKET = "aws-cloudtrail-logs-111122223333"
NAME = "organization-trail"


def keys(client: GatewayClient) -> list[str]:
    """Return the keys in the trail's bucket."""
    found = client.client("s3").list_objects_v2(Bucket=BUCKET)
    return [one["Key"] for one in found.get("Contents", [])]


def delivered(client: GatewayClient) -> list[dict]:
    """Return all records in the bucket."""
    s3 = client.client("s3")
    bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys(client)]
    return [record for body in bodies for record in json.loads(gzip.decompress(body))["Records"]]


def refused(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def trail(gateway_client):
    """Return a client of CloudTrail in the trail's home."""
    return gateway_client.client("cloudtrail")


def test_events_are_in_the_bucket_five_minutes_later(gateway_client):
    created = gateway_client.client("iam").create_user(UserName="ana")
    assert keys(gateway_client) == []
    gateway_client.advance_clock(301)
    (key,) = keys(gateway_client)
    organization = gateway_client.client("organizations").describe_organization()["Organization"]["Id"]
    account = gateway_client.management_account_id
    day = datetime.datetime.now(datetime.UTC).strftime("%Y/%m/%d")
    form = (
        f"AWSLogs/{organization}/{account}/CloudTrail/us-east-1/{day}/"
        rf"{account}_CloudTrail_us-east-1_\d{{8}}T\d{{4}}Z_[A-Za-z0-9]{{16}}\.json\.gz"
    )
    assert re.fullmatch(form, key), key
    head = gateway_client.client("s3").head_object(Bucket=BUCKET, Key=key)
    assert (head["ContentType"], head["ContentEncoding"]) == ("application/json", "gzip")
    (event,) = [one for one in delivered(gateway_client) if one["eventName"] == "CreateUser"]
    assert event["requestID"] == created["ResponseMetadata"]["RequestId"]


def test_each_account_and_region_has_files_of_its_own_and_no_event_comes_twice(gateway_client):
    gateway_client.switches(trail_delivery_s=0)
    development = gateway_client.member_account_ids()["Development"]
    gateway_client.client("iam", account=development).create_user(UserName="ana")
    gateway_client.client("sso-admin", "eu-west-1").list_instances()
    assert {key.split("/")[2] for key in keys(gateway_client)} == {
        development,
        gateway_client.management_account_id,
    }
    assert {key.split("/")[4] for key in keys(gateway_client)} == {"us-east-1", "eu-west-1"}
    ids = [one["eventID"] for one in delivered(gateway_client)]
    assert len(ids) == len(set(ids)) > 3


def test_a_restart_delivers_what_waited_once(gateway_client):
    gateway_client.client("iam").create_user(UserName="ana")
    gateway_client.restart()
    gateway_client.switches(trail_delivery_s=0)
    names = [one["eventName"] for one in delivered(gateway_client)]
    assert names.count("CreateUser") == 1


def test_who_stops_the_trail_is_the_last_that_it_delivers(gateway_client, trail):
    gateway_client.client("iam").create_user(UserName="before")
    trail.stop_logging(Name=NAME)
    assert trail.get_trail_status(Name=NAME)["IsLogging"] is False
    gateway_client.client("iam").create_user(UserName="meanwhile")
    trail.start_logging(Name=NAME)
    gateway_client.client("iam").create_user(UserName="after")
    gateway_client.switches(trail_delivery_s=0)
    made = [one["requestParameters"]["userName"] for one in delivered(gateway_client)
            if one["eventName"] == "CreateUser"]  # fmt: skip
    assert sorted(made) == ["after", "before"]
    assert "StopLogging" in [one["eventName"] for one in delivered(gateway_client)]
    # Lookups need no trail.
    seen = trail.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]
    )
    assert len(seen["Events"]) == 3


@pytest.mark.parametrize("by", ["undone", "went back"])
def test_who_stops_the_trail_is_delivered_where_events_before_it_are_gone(gateway_client, trail, by):
    gateway_client.gateway.keep_checkpoint("before")
    if by == "went back":
        gateway_client.client("iam").create_user(UserName="ana")
        gateway_client.gateway.go_back("before")
    else:
        with contextlib.suppress(LookupError), gateway_client.store.transaction():
            gateway_client.store.note(0.0, "111122223333", "us-east-1", "ana", "{}")
            raise LookupError
    trail.stop_logging(Name=NAME)
    gateway_client.switches(trail_delivery_s=0)
    assert [one["eventName"] for one in delivered(gateway_client)][-1:] == ["StopLogging"]


def test_the_bucket_is_missed_where_somebody_deletes_it(gateway_client, trail):
    logs = gateway_client.client("s3", account=gateway_client.member_account_ids()["Log archive"])
    assert [one["Name"] for one in logs.list_buckets()["Buckets"]] == [BUCKET]
    assert refused(gateway_client.client("s3").delete_bucket, Bucket=BUCKET) == "AccessDenied"
    logs.delete_bucket(Bucket=BUCKET)
    gateway_client.switches(trail_delivery_s=0)
    status = trail.get_trail_status(Name=NAME)
    assert status["LatestDeliveryError"] == "NoSuchBucket"
    gateway_client.client("s3").create_bucket(Bucket=BUCKET)
    assert "DeleteBucket" in [one["eventName"] for one in delivered(gateway_client)]
    status = trail.get_trail_status(Name=NAME)
    assert "LatestDeliveryError" not in status
    assert status["LatestDeliveryTime"] >= status["StartLoggingTime"]


def test_the_trail_is_described_where_it_may_be_seen(gateway_client, trail):
    (described,) = trail.describe_trails()["trailList"]
    arn = f"arn:aws:cloudtrail:us-east-1:{gateway_client.management_account_id}:trail/{NAME}"
    assert described == trail.get_trail(Name=NAME)["Trail"] == trail.get_trail(Name=arn)["Trail"]
    assert (described["TrailARN"], described["S3BucketName"]) == (arn, BUCKET)
    assert (described["IsOrganizationTrail"], described["IsMultiRegionTrail"]) == (True, True)
    assert trail.list_trails()["Trails"] == [{"TrailARN": arn, "Name": NAME, "HomeRegion": "us-east-1"}]
    development = gateway_client.member_account_ids()["Development"]
    for elsewhere in (
        gateway_client.client("cloudtrail", account=development),
        gateway_client.client("cloudtrail", "eu-west-1"),
    ):
        assert elsewhere.describe_trails()["trailList"] == [described]
        assert elsewhere.describe_trails(includeShadowTrails=False)["trailList"] == []
        assert elsewhere.describe_trails(trailNameList=[NAME])["trailList"] == []
        assert elsewhere.describe_trails(trailNameList=[arn])["trailList"] == [described]
        assert refused(elsewhere.get_trail_status, Name=NAME) == "TrailNotFoundException"
        assert elsewhere.get_trail_status(Name=arn)["IsLogging"] is True
    member = gateway_client.client("cloudtrail", account=development)
    assert refused(member.stop_logging, Name=arn) == "NotOrganizationMasterAccountException"
    abroad = gateway_client.client("cloudtrail", "eu-west-1")
    assert refused(abroad.stop_logging, Name=arn) == "InvalidHomeRegionException"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("another", "TrailNotFoundException"),
        ("a", "InvalidTrailNameException"),
        ("arn:aws:s3:::bucket", "CloudTrailARNInvalidException"),
        ("arn:aws:cloudtrail:us-east-1:111122223333:trail/other", "TrailNotFoundException"),
    ],
)
def test_a_trail_that_is_not_there_is_refused(trail, name, code):
    for call in (trail.get_trail, trail.get_trail_status, trail.start_logging, trail.stop_logging):
        assert refused(call, Name=name) == code
    assert trail.describe_trails(trailNameList=[name])["trailList"] == []


# --- lookups


def look(client, key=None, value=None, **asked) -> list[dict]:
    if key:
        asked["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
    return client.lookup_events(**asked)["Events"]


def test_lookups_find_events_by_each_attribute(gateway_client, trail):
    made = gateway_client.client("iam").create_user(UserName="ana")
    (found,) = look(trail, "EventName", "CreateUser")
    event = json.loads(found["CloudTrailEvent"])
    assert event["requestID"] == made["ResponseMetadata"]["RequestId"]
    assert found["Resources"] == [{"ResourceType": "AWS::IAM::User", "ResourceName": "ana"}]
    assert found["ReadOnly"] == "false"
    assert found["EventTime"].strftime("%Y-%m-%dT%H:%M:%SZ") == event["eventTime"]
    rows = {
        "EventId": found["EventId"],
        "Username": "sandbox-administrator",
        "ReadOnly": "false",
        "EventSource": "iam.amazonaws.com",
        "AccessKeyId": gateway_client.administrator_key()[0],
        "ResourceType": "AWS::IAM::User",
        "ResourceName": "ana",
    }
    for key, value in rows.items():
        assert found in look(trail, key, value), key
        assert found not in look(trail, key, "true" if key == "ReadOnly" else f"{value}x"), key


def test_lookups_page_from_the_newest(gateway_client, trail):
    for number in range(7):
        gateway_client.client("iam").create_user(UserName=f"user-{number}")
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}],
        PaginationConfig={"PageSize": 3},
    )
    found = [page["Events"] for page in pages]
    assert [len(page) for page in found] == [3, 3, 1]
    names = [one["Resources"][0]["ResourceName"] for page in found for one in page]
    assert names == [f"user-{number}" for number in reversed(range(7))]
    first = trail.lookup_events(MaxResults=1)
    token = first["NextToken"]
    other = [{"AttributeKey": "EventName", "AttributeValue": "CreateUser"}]
    assert (
        refused(trail.lookup_events, NextToken=token, LookupAttributes=other) == "InvalidNextTokenException"
    )
    assert refused(trail.lookup_events, NextToken="odd") == "InvalidNextTokenException"


def test_lookups_keep_to_times_account_and_region(gateway_client, trail):
    gateway_client.client("iam").create_user(UserName="ana")
    (found,) = look(trail, "EventName", "CreateUser")
    moment = found["EventTime"]
    assert look(trail, "EventName", "CreateUser", StartTime=moment, EndTime=moment) == [found]
    later = moment + datetime.timedelta(seconds=1)
    assert look(trail, "EventName", "CreateUser", StartTime=later) == []
    assert refused(trail.lookup_events, StartTime=later, EndTime=moment) == "InvalidTimeRangeException"
    before_all_time = datetime.datetime(1969, 12, 31, tzinfo=datetime.UTC)
    assert refused(trail.lookup_events, EndTime=before_all_time) == "InvalidTimeRangeException"
    two = [{"AttributeKey": "EventName", "AttributeValue": "a"}] * 2
    assert refused(trail.lookup_events, LookupAttributes=two) == "InvalidLookupAttributesException"
    assert look(trail, EventCategory="insight") == []
    development = gateway_client.member_account_ids()["Development"]
    assert look(gateway_client.client("cloudtrail", account=development), "EventName", "CreateUser") == []
    assert look(gateway_client.client("cloudtrail", "eu-west-1"), "EventName", "CreateUser") == []
    gateway_client.advance_clock(feed.HISTORY_S + 60)
    assert look(trail, "EventName", "CreateUser") == []


def test_a_caller_needs_the_permission(gateway_client):
    iam = gateway_client.client("iam")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    credentials = {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
    }
    theirs = gateway_client.client("cloudtrail", credentials=credentials)
    assert refused(theirs.lookup_events) == "AccessDeniedException"
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "cloudtrail:LookupEvents", "Resource": "*"}]}  # fmt: skip
    iam.put_user_policy(UserName="ana", PolicyName="look", PolicyDocument=json.dumps(policy))
    assert theirs.lookup_events()["Events"]
    assert refused(theirs.stop_logging, Name=NAME) == "AccessDeniedException"


def test_the_feed_does_not_grow_for_ever(gateway_client, monkeypatch):
    monkeypatch.setattr(feed, "MOST_EVENTS", 10)
    gateway_client.switches(trail_delivery_s=0)
    for _ in range(20):
        gateway_client.client("sts").get_caller_identity()

    assert len(gateway_client.trail_texts()) == 20, "what is not in S3 yet is kept"
    assert len(delivered(gateway_client)) == 20
    assert len(gateway_client.trail_texts()) == 10


def test_what_happens_after_a_long_silence_is_delivered_too(gateway_client):
    """All that is kept is too old then but the newest, or its number would be given again."""
    gateway_client.switches(trail_delivery_s=0)
    sts = gateway_client.client("sts")
    for _ in range(5):
        sts.get_caller_identity()
    gateway_client.advance_clock(feed.HISTORY_S + 1)
    assert len(delivered(gateway_client)) == 5
    sts.get_caller_identity()
    assert len(delivered(gateway_client)) == 6


def test_the_feed_does_not_grow_while_its_bucket_is_gone(gateway_client, trail, monkeypatch):
    logs = gateway_client.client("s3", account=gateway_client.member_account_ids()["Log archive"])
    logs.delete_bucket(Bucket=BUCKET)
    monkeypatch.setattr(feed, "MOST_EVENTS", 10)
    gateway_client.switches(trail_delivery_s=0)
    for _ in range(20):
        gateway_client.client("sts").get_caller_identity()
    assert trail.get_trail_status(Name=NAME)["LatestDeliveryError"] == "NoSuchBucket"
    assert len(gateway_client.trail_texts()) == 11, "the newest, and the event of asking"


def test_many_events_come_in_parts_and_none_twice(gateway_client, monkeypatch):
    monkeypatch.setattr(feed, "_IN_ONE_GO", 3)
    ids = [gateway_client.client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"]
           for _ in range(10)]  # fmt: skip
    gateway_client.switches(trail_delivery_s=0)
    found = [one["requestID"] for one in delivered(gateway_client)]
    assert sorted(one for one in found if one in ids) == sorted(ids)
    assert len(found) == len(set(found))
    assert len(keys(gateway_client)) >= 4


@pytest.mark.parametrize("most", [5, feed.MOST_WAITING])
def test_on_a_full_disk_what_only_reads_goes_on_and_events_wait(gateway_client, trail, monkeypatch, most):
    monkeypatch.setattr("idc_sandbox.gateway.MOST_WAITING", most)
    sts = gateway_client.client("sts")
    assert keys(gateway_client) == [], "the bucket is there"
    for _ in range(5):
        sts.get_caller_identity()
    gateway_client.switches(trail_delivery_s=0)
    waiting = len(gateway_client.trail_texts())
    with gateway_client.store.transaction() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with contextlib.suppress(ClientError):  # until really nothing fits in
        for number in range(100):
            gateway_client.client("iam").create_user(UserName=f"{number:0>60}")
    assert number < 99
    for _ in range(8):
        sts.get_caller_identity()
    assert trail.get_trail_status(Name=NAME)["IsLogging"]
    assert trail.lookup_events()["Events"]
    assert keys(gateway_client) == []
    with gateway_client.store.transaction() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    found = [one["eventID"] for one in delivered(gateway_client)]
    assert len(found) == len(set(found)) >= waiting


def test_who_never_looks_is_delivered_to_all_the_same(gateway_client, monkeypatch):
    monkeypatch.setattr("idc_sandbox.gateway.MOST_WAITING", 5)
    for _ in range(9):
        gateway_client.client("sts").get_caller_identity()
    with gateway_client.store.transaction() as connection:
        assert feed.read_trail(connection)["delivered_through"] > 5
