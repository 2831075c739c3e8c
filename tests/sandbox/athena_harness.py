"""Athena for tests: over the wire with boto3, and its engine in this process for tables of rows."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from patience import until

from idc_sandbox.athena.catalog import Catalog
from idc_sandbox.athena.engine.running import Job, Outcome, run_job
from idc_sandbox.athena.kinds import QueryFailedError, kind_of_statement
from idc_sandbox.athena.operations import _split, _split_text
from idc_sandbox.store import Store

ACCOUNT = "111122223333"
NOW = 1_795_996_800.0  # 2026-11-30 00:00 UTC
TRAIL = f"AWSLogs/o-exampleorgid/{ACCOUNT}/CloudTrail/us-east-1"
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")

# AWS's own statement for a table with projected partitions, with the fields that Identity Center needs.
CLOUDTRAIL_TABLE = f"""
CREATE EXTERNAL TABLE cloudtrail_logs(
    eventversion STRING,
    useridentity STRUCT<
        type:STRING,
        principalid:STRING,
        arn:STRING,
        accountid:STRING,
        invokedby:STRING,
        accesskeyid:STRING,
        username:STRING,
        onbehalfof:STRUCT<userid:STRING, identitystorearn:STRING>,
        credentialid:STRING,
        sessioncontext:STRUCT<
            attributes:STRUCT<mfaauthenticated:STRING, creationdate:STRING>,
            sessionissuer:STRUCT<
                type:STRING, principalid:STRING, arn:STRING, accountid:STRING, username:STRING>,
            ec2roledelivery:STRING,
            webidfederationdata:STRUCT<federatedprovider:STRING, attributes:map<string,string>>
        >
    >,
    eventtime STRING,
    eventsource STRING,
    eventname STRING,
    awsregion STRING,
    sourceipaddress STRING,
    useragent STRING,
    errorcode STRING,
    errormessage STRING,
    requestparameters STRING,
    responseelements STRING,
    additionaleventdata STRING,
    requestid STRING,
    eventid STRING,
    readonly STRING,
    resources ARRAY<STRUCT<arn:STRING, accountid:STRING, type:STRING>>,
    eventtype STRING,
    apiversion STRING,
    recipientaccountid STRING,
    serviceeventdetails STRING,
    sharedeventid STRING,
    vpcendpointid STRING,
    eventcategory STRING,
    tlsdetails STRUCT<tlsversion:STRING, ciphersuite:STRING, clientprovidedhostheader:STRING>
)
PARTITIONED BY (`timestamp` string)
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://trail/{TRAIL}'
TBLPROPERTIES (
    'projection.enabled'='true',
    'projection.timestamp.format'='yyyy/MM/dd',
    'projection.timestamp.interval'='1',
    'projection.timestamp.interval.unit'='DAYS',
    'projection.timestamp.range'='2026/11/01,NOW',
    'projection.timestamp.type'='date',
    'storage.location.template'='s3://trail/{TRAIL}/${{timestamp}}')
"""


def event(name: str, at: str, **more: Any) -> dict[str, Any]:
    """Return a record as CloudTrail writes it; `more` adds to it and replaces parts of it."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Readers_0123456789abcdef/ana",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE",
            "onBehalfOf": {"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::1:identitystore/d-1"},
            "sessionContext": {
                "attributes": {"creationDate": "2026-11-29T09:00:00Z", "mfaAuthenticated": "false"},
                "sessionIssuer": {"type": "Role", "userName": "AWSReservedSSO_Readers_0123456789abcdef"},
            },
        },
        "eventTime": at,
        "eventSource": "s3.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "requestParameters": {"bucketName": "papers", "tags": ["a", "b"], "inner": {"a.b": 1}},
        "responseElements": None,
        "requestID": f"r-{name}",
        "readOnly": True,
        "resources": [
            {"ARN": "arn:aws:s3:::papers", "accountId": ACCOUNT, "type": "AWS::S3::Bucket"},
            {"ARN": "arn:aws:s3:::papers/x", "type": "AWS::S3::Object"},
        ],
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        **more,
    }


def trail_object(*records: dict[str, Any]) -> bytes:
    """Return an object as CloudTrail delivers it."""
    return gzip.compress(json.dumps({"Records": list(records)}).encode(), mtime=0)


OBJECTS = {
    f"{TRAIL}/2026/11/28/one.json.gz": trail_object(
        event("ListBuckets", "2026-11-28T10:00:00Z", resources=None),
        event("GetObject", "2026-11-28T10:30:30Z", errorCode="AccessDenied"),
    ),
    f"{TRAIL}/2026/11/29/one.json.gz": trail_object(
        event("PutObject", "2026-11-29T09:00:05Z", readOnly=False)
    ),
    f"{TRAIL}/2026/11/29/two.json.gz": trail_object(
        event("CreateToken", "2026-11-29T23:59:59Z", eventSource="sso.amazonaws.com", userIdentity=None)
    ),
}


class AthenaClient:
    """Athena of a sandbox by boto3, with a bucket for results and one with a trail."""

    def __init__(self, clients: Any) -> None:
        self.clients = clients
        self.s3 = clients.client("s3")
        self.athena = clients.client("athena")
        for bucket in ("trail", "results"):
            self.s3.create_bucket(Bucket=bucket)
        for key, body in OBJECTS.items():
            self.s3.put_object(Bucket="trail", Key=key, Body=body)

    def start(self, text: str, **more: Any) -> str:
        """Start a statement, and return its id."""
        client = more.pop("client", self.athena)
        request = {"ResultConfiguration": {"OutputLocation": "s3://results/out/"}, **more}
        return str(client.start_query_execution(QueryString=text, **request)["QueryExecutionId"])

    def execution(self, query_id: str) -> dict[str, Any]:
        """Return what GetQueryExecution says."""
        found: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return found

    def ended(self, query_id: str) -> dict[str, Any]:
        """Wait until a query has ended, and return what GetQueryExecution says."""

        def look() -> dict[str, Any] | None:
            found = self.execution(query_id)
            return found if found["Status"]["State"] in ENDED else None

        return until(look, f"the end of {query_id}")

    def run(self, text: str, **more: Any) -> dict[str, Any]:
        """Run a statement to its end, and return what GetQueryExecution says."""
        return self.ended(self.start(text, **more))

    def rows(self, text: str, **more: Any) -> list[list[str | None]]:
        """Run a statement that must succeed, and return all rows, the header too."""
        found = self.run(text, **more)
        assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
        pages = self.athena.get_paginator("get_query_results").paginate(
            QueryExecutionId=found["QueryExecutionId"]
        )
        rows = [row for page in pages for row in page["ResultSet"]["Rows"]]
        return [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows]


class EngineHarness:
    """The engine in this process, over objects and a catalog of the test's own; it is the engine's shelf."""

    def __init__(self, folder: Path, database: str = "default") -> None:
        self.cache, self.folder = folder / "cache", folder / "work"
        for place in (self.cache, self.folder):
            place.mkdir()
        self.store = Store(folder / "sandbox.db")
        self.store._connection.execute("PRAGMA synchronous=OFF")
        self.database = database
        self.stored: dict[tuple[str, str], bytes] = {("trail", key): body for key, body in OBJECTS.items()}
        self.fetched: list[str] = []
        self.outcome = Outcome()

    def _catalog(self) -> Catalog:
        return Catalog(self.store._connection, ACCOUNT, "us-east-1", NOW)

    def find_table(self, database: str, name: str) -> dict[str, Any] | None:
        return self._catalog().find_table(database, name)

    def partitions(self, database: str, name: str) -> list[tuple[tuple[str, ...], str]]:
        return [(tuple(values), place) for values, place in self._catalog().partitions(database, name)]

    def databases(self) -> list[str]:
        return [one["name"] for one in self._catalog().databases()]

    def tables(self, database: str) -> list[dict[str, Any]]:
        return self._catalog().tables(database)

    def change(self, kind: str, **values: Any) -> None:
        self._catalog().change(kind, values)

    def objects(self, bucket: str, prefix: str) -> list[tuple[str, int, str]]:
        return [
            (key, len(body), hashlib.md5(body).hexdigest())
            for (where, key), body in sorted(self.stored.items())
            if where == bucket and key.startswith(prefix)
        ]

    def allow_objects(self, bucket: str, keys: list[str]) -> None:
        assert all((bucket, key) in self.stored for key in keys)

    def fetch(self, bucket: str, key: str) -> str:
        self.fetched.append(key)
        path = self.folder / f"raw-{len(self.fetched)}"
        path.write_bytes(self.stored[bucket, key])
        return str(path)

    def run(self, text: str, *parameters: str, now: float = NOW) -> list[list[str | None]]:
        """Run a statement and return the rows of its result, the header too; `outcome` says the rest."""
        job = Job(text, self.database, list(parameters), now, self.folder, self.cache)
        self.outcome = run_job(job, self, time.monotonic)
        is_csv = kind_of_statement(text).ending == "csv"
        rows, used = (_split if is_csv else _split_text)(job.result.read_bytes(), 10**9)
        assert used == job.result.stat().st_size
        return [[None if cell is None else cell.decode() for cell in row] for row in rows]

    def failure(self, text: str, *parameters: str) -> QueryFailedError:
        """Run a statement that must fail, and return its failure."""
        try:
            rows = self.run(text, *parameters)
        except QueryFailedError as error:
            return error
        raise AssertionError(f"it did not fail: {text!r} answered {rows[:3]}")
