"""Time ten typical queries of the sandbox's Athena over CloudTrail's events, at growing sizes.

    python benchmarks/athena.py [--events 200000 1000000] [--json]

For each size a fresh sandbox gets that many events, in gzip objects of at most 60 MB of JSON.
The first query finds no object read; right behind it the ten run, each in a process of its own, while the
sandbox reads all columns beside them. Once that is done, the ten run again. Seconds are the client's, from
StartQueryExecution to SUCCEEDED; memory is the most that a query's process held.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import math
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any

import boto3
import orjson

from idc_aws.sandbox import start_sandbox
from idc_runner.summary import text_table
from idc_sandbox import find_sandbox, stop
from idc_sandbox.state_folder import StateFolder

EVENTS_IN_AN_OBJECT = 40_000  # about 58 MB of JSON
ACCOUNT = "111122223333"
FOLDER = f"AWSLogs/o-exampleorgid/{ACCOUNT}/CloudTrail/us-east-1"
TABLE = f"""
CREATE EXTERNAL TABLE cloudtrail_logs (
    eventversion STRING,
    useridentity STRUCT<type:STRING, principalid:STRING, arn:STRING, accountid:STRING, accesskeyid:STRING,
        username:STRING, onbehalfof:STRUCT<userid:STRING, identitystorearn:STRING>,
        sessioncontext:STRUCT<attributes:STRUCT<mfaauthenticated:STRING, creationdate:STRING>,
            sessionissuer:STRUCT<type:STRING, principalid:STRING, arn:STRING, accountid:STRING,
                username:STRING>>>,
    eventtime STRING, eventsource STRING, eventname STRING, awsregion STRING,
    sourceipaddress STRING, useragent STRING, errorcode STRING, errormessage STRING,
    requestparameters STRING, responseelements STRING,
    additionaleventdata STRING, requestid STRING, eventid STRING, readonly STRING,
    resources ARRAY<STRUCT<arn:STRING, accountid:STRING, type:STRING>>,
    eventtype STRING, recipientaccountid STRING, eventcategory STRING,
    tlsdetails STRUCT<tlsversion:STRING, ciphersuite:STRING, clientprovidedhostheader:STRING>)
PARTITIONED BY (`timestamp` STRING)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://trail/{FOLDER}'
TBLPROPERTIES ('projection.enabled'='true', 'projection.timestamp.type'='date',
    'projection.timestamp.format'='yyyy/MM/dd', 'projection.timestamp.range'='2020/01/01,NOW+10YEARS',
    'storage.location.template'='s3://trail/{FOLDER}/${{timestamp}}')
"""
FIRST = "SELECT count(*) FROM cloudtrail_logs"
QUERIES = {
    "count": "SELECT count(*) FROM cloudtrail_logs",
    "top events": """SELECT eventsource, eventname, count(*) AS n FROM cloudtrail_logs
        GROUP BY 1, 2 ORDER BY n DESC LIMIT 20""",
    "who, by role": """SELECT useridentity.sessioncontext.sessionissuer.username AS role,
        count(DISTINCT useridentity.arn) AS people FROM cloudtrail_logs GROUP BY 1""",
    "refused": """SELECT eventname, errorcode, count(*) FROM cloudtrail_logs
        WHERE errorcode IS NOT NULL GROUP BY 1, 2""",
    "one person": """SELECT eventtime, eventname, sourceipaddress FROM cloudtrail_logs
        WHERE useridentity.arn LIKE '%/user77' ORDER BY eventtime""",
    "one day": """SELECT eventname, count(*) FROM cloudtrail_logs
        WHERE "timestamp" = '2026/01/02' GROUP BY 1""",
    "by hour": """SELECT date_trunc('hour', from_iso8601_timestamp(eventtime)) AS hour, count(*)
        FROM cloudtrail_logs GROUP BY 1 ORDER BY 1""",
    "a parameter": """SELECT json_extract_scalar(requestparameters, '$.bucketName') AS bucket, count(*) AS n
        FROM cloudtrail_logs WHERE eventsource = 's3.amazonaws.com' GROUP BY 1 ORDER BY n DESC LIMIT 10""",
    "time between": """SELECT who, max(gap) FROM (SELECT useridentity.arn AS who, date_diff('second',
        lag(from_iso8601_timestamp(eventtime)) OVER (PARTITION BY useridentity.arn ORDER BY eventtime),
        from_iso8601_timestamp(eventtime)) AS gap FROM cloudtrail_logs)
        GROUP BY 1 ORDER BY 2 DESC LIMIT 10""",
    "vended and used": """SELECT count(*) FROM cloudtrail_logs v JOIN cloudtrail_logs u
        ON u.useridentity.sessioncontext.attributes.creationdate = v.eventtime
        AND u.useridentity.arn = v.useridentity.arn
        WHERE v.eventname = 'GetRoleCredentials' AND u.eventname = 'CreateUser'""",
}
NAMES = (
    ("sso.amazonaws.com", "GetRoleCredentials"),
    ("s3.amazonaws.com", "ListBuckets"),
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("iam.amazonaws.com", "CreateUser"),
    ("signin.amazonaws.com", "UserAuthentication"),
)
BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ROLE = "AWSReservedSSO_Readers_0123456789abcdef"


def events(first: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield events, one every two seconds and a bit, of three thousand people."""
    chance = random.Random(first)  # the same events in every run
    for number in range(first, first + count):
        source, name = NAMES[int(chance.random() ** 2 * len(NAMES))]
        person = f"user{chance.randrange(3_000)}"
        moment = BEGIN + datetime.timedelta(seconds=number * 2.5)
        made = (moment - datetime.timedelta(seconds=chance.randrange(3_600))).strftime("%Y-%m-%dT%H:%M:%SZ")
        issuer = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{ROLE}"
        yield {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": f"AROA{number % 99:016d}:{person}",
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{person}",
                "accountId": ACCOUNT,
                "accessKeyId": f"ASIA{chance.randrange(10**15):016d}",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role",
                        "principalId": "AROAEXAMPLE",
                        "arn": issuer,
                        "accountId": ACCOUNT,
                        "userName": ROLE,
                    },
                    "attributes": {"creationDate": made, "mfaAuthenticated": "false"},
                },
                "onBehalfOf": {
                    "userId": str(uuid.UUID(int=chance.getrandbits(128))),
                    "identityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-1234567890",
                },
            },
            "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": source,
            "eventName": name,
            "awsRegion": "us-east-1",
            "sourceIPAddress": f"203.0.113.{chance.randrange(256)}",
            "userAgent": "aws-cli/2.36.7 md/awscrt#0.27 ua/2.1 os/linux",
            "errorCode": "AccessDenied" if chance.random() < 0.03 else None,
            "requestParameters": {"bucketName": f"b-{chance.randrange(100)}", "roleArn": issuer},
            "responseElements": None,
            "requestID": str(uuid.UUID(int=chance.getrandbits(128))),
            "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
            "readOnly": True,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
            "tlsDetails": {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": "sts.us-east-1.amazonaws.com",
            },
        }


def packed(first: int, count: int) -> bytes:
    """Return an object with the events from one on, of so many in all."""
    records = list(events(first, min(EVENTS_IN_AN_OBJECT, count - first)))
    return gzip.compress(orjson.dumps({"Records": records}), 6)


class Watch(threading.Thread):
    """Remembers the most memory that a process of the sandbox's queries held, MB."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.most_mb = 0
        self.is_over = False

    def run(self) -> None:
        """Look at the children's peaks, as the system counts them."""
        while not self.is_over:
            with suppress(OSError):
                children = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text("utf-8").split()
                for task in Path(f"/proc/{self._pid}/task").iterdir():
                    children += (task / "children").read_text("utf-8").split()
                for child in set(children):
                    status = Path(f"/proc/{child}/status").read_text("utf-8")
                    peak = next((line for line in status.splitlines() if line.startswith("VmHWM")), "0 0")
                    self.most_mb = max(self.most_mb, int(peak.split()[1]) // 1024)
            time.sleep(0.05)


class House:
    """A fresh sandbox with so many events.

    Parameters
    ----------
    folder
        Where its state is.
    count
        How many events.
    """

    def __init__(self, folder: Path, count: int) -> None:
        start_sandbox(folder, port=0, seed=1)
        running = find_sandbox(StateFolder(folder))
        assert running is not None
        self.pid = running.pid
        self.folder = folder
        self.objects = math.ceil(count / EVENTS_IN_AN_OBJECT)
        options: dict[str, Any] = {
            "endpoint_url": running.endpoint_url,
            "aws_access_key_id": running.access_key_id,
            "aws_secret_access_key": running.secret_access_key,
            "region_name": "us-east-1",
        }
        self.s3, self.athena = boto3.client("s3", **options), boto3.client("athena", **options)
        for bucket in ("trail", "results"):
            self.s3.create_bucket(Bucket=bucket)
        firsts = range(0, count, EVENTS_IN_AN_OBJECT)
        with ProcessPoolExecutor() as pool:
            for first, body in zip(firsts, pool.map(packed, firsts, repeat(count)), strict=True):
                day = (BEGIN + datetime.timedelta(seconds=first * 2.5)).strftime("%Y/%m/%d")
                self.s3.put_object(Bucket="trail", Key=f"{FOLDER}/{day}/{first:09d}.json.gz", Body=body)

    def wait_for_columns(self) -> None:
        """Wait until the columns of every object are in a file."""
        while len(list(self.folder.glob("athena/cache/*.parquet"))) < self.objects:
            time.sleep(0.1)
        time.sleep(2)  # the process ends

    def run(self, text: str) -> tuple[float, int, int]:
        """Return a query's seconds, the most memory of its process in MB, and the bytes that it read."""
        watch = Watch(self.pid)
        watch.start()
        begun = time.perf_counter()
        query_id = self.athena.start_query_execution(
            QueryString=text, ResultConfiguration={"OutputLocation": "s3://results/"}
        )["QueryExecutionId"]
        while True:
            found = self.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if found["Status"]["State"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(0.02)
        seconds = time.perf_counter() - begun
        watch.is_over = True
        watch.join()
        assert found["Status"]["State"] == "SUCCEEDED", (found["Status"], text)
        return seconds, watch.most_mb, found["Statistics"]["DataScannedInBytes"]


def measure(count: int, rounds: int) -> dict[str, tuple[float, int, int]]:
    """Return median seconds, most MB and bytes of each query at a size."""
    with tempfile.TemporaryDirectory(prefix="idc-benchmark-") as name:
        folder = Path(name) / "state"
        try:
            house = House(folder, count)
            house.run(TABLE)
            found = {"the first of all": house.run(FIRST)}
            for label, text in QUERIES.items():
                found[f"{label}, at once"] = house.run(text)
            house.wait_for_columns()
            for label, text in QUERIES.items():
                times = [house.run(text) for _ in range(rounds)]
                seconds = statistics.median(each[0] for each in times)
                found[label] = (seconds, max(each[1] for each in times), times[0][2])
        finally:
            stop(StateFolder(folder))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {count: measure(count, options.rounds) for count in options.events}
    if options.json:
        print(json.dumps(found))
        return
    labels = list(next(iter(found.values())))
    header = ["query", *(f"{count:,} events: s, MB, MB read" for count in found)]
    rows = [
        [
            label,
            *(f"{one[label][0]:.2f}  {one[label][1]}  {one[label][2] / 1e6:.1f}" for one in found.values()),
        ]
        for label in labels
    ]
    print(text_table([header, *rows]))


if __name__ == "__main__":
    main()
