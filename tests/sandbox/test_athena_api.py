"""Athena's operations, with boto3: started, looked at, read page by page, stopped; saved; refused."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from athena_harness import CLOUDTRAIL_TABLE, OBJECTS, TRAIL, AthenaClient
from botocore.exceptions import ClientError
from patience import until
from sandbox_clients import GatewayClient
from test_authorization import allow, clients, refusal, user_with

from idc_sandbox.wire import registry
from idc_sandbox.wire.models import service_model

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ENDLESS = (
    "SELECT count(*) FROM unnest(sequence(1, 100000)) AS a(x), unnest(sequence(1, 100000)) AS b(y), "
    "unnest(sequence(1, 100000)) AS c(z) WHERE x + y + z > 0"
)
COUNTED = "SELECT x, NULL AS nothing, '' AS empty FROM unnest(sequence(1, 2500)) AS t(x)"
OPERATIONS = """
    StartQueryExecution GetQueryExecution BatchGetQueryExecution ListQueryExecutions GetQueryResults
    StopQueryExecution GetQueryRuntimeStatistics CreateNamedQuery UpdateNamedQuery GetNamedQuery
    BatchGetNamedQuery ListNamedQueries DeleteNamedQuery GetWorkGroup ListWorkGroups ListEngineVersions
    ListDataCatalogs GetDataCatalog ListDatabases GetDatabase ListTableMetadata GetTableMetadata
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Athena of a sandbox in this process, which the tests share; the table is there."""
    gateway = GatewayClient(tmp_path_factory.mktemp("athena"))
    gateway.store._connection.execute("PRAGMA synchronous=OFF")
    athena = AthenaClient(gateway)
    athena.rows(CLOUDTRAIL_TABLE)
    yield athena
    gateway.store.close()


def code_of(error: ClientError) -> tuple[str, str | None]:
    return error.response["Error"]["Code"], error.response.get("AthenaErrorCode")


def test_these_operations_are_answered():
    answered = {name for service, name in registry.handlers() if service == "athena"}
    assert answered == set(OPERATIONS.split())


def test_a_query_ends_with_its_result_in_the_bucket(house):
    found = house.run("SELECT eventname FROM cloudtrail_logs WHERE errorcode IS NOT NULL")
    assert found["Status"]["State"] == "SUCCEEDED"
    assert found["ResultConfiguration"]["OutputLocation"] == (
        f"s3://results/out/{found['QueryExecutionId']}.csv"
    )
    assert (found["StatementType"], found["SubstatementType"]) == ("DML", "SELECT")
    assert found["WorkGroup"] == "primary"
    assert found["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    assert found["Statistics"]["DataScannedInBytes"] == sum(len(body) for body in OBJECTS.values())
    assert found["Status"]["CompletionDateTime"] >= found["Status"]["SubmissionDateTime"]
    key = f"out/{found['QueryExecutionId']}.csv"
    stored = house.s3.get_object(Bucket="results", Key=key)
    assert stored["Body"].read() == b'"eventname"\n"GetObject"\n'
    assert house.s3.head_object(Bucket="results", Key=f"{key}.metadata")["ContentLength"] > 0
    statistics = house.athena.get_query_runtime_statistics(QueryExecutionId=found["QueryExecutionId"])
    rows = statistics["QueryRuntimeStatistics"]["Rows"]
    assert (rows["OutputRows"], rows["OutputBytes"]) == (1, len(b'"eventname"\n"GetObject"\n'))


def test_pages_of_a_result_have_one_header_and_every_row_once(house):
    found = house.run(COUNTED)
    first = house.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"], MaxResults=1000)
    assert [cell["VarCharValue"] for cell in first["ResultSet"]["Rows"][0]["Data"]] == [
        "x",
        "nothing",
        "empty",
    ]
    assert first["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "1"}, {}, {"VarCharValue": ""}]
    assert len(first["ResultSet"]["Rows"]) == 1000
    pages = house.athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=found["QueryExecutionId"], PaginationConfig={"PageSize": 7}
    )
    rows = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert rows == ["x", *map(str, range(1, 2501))]


def test_a_row_longer_than_a_piece_of_the_file_is_one_row(house):
    rows = house.rows(
        "SELECT array_join(transform(sequence(1, 100000), x -> 'a,\"b'), ';') AS long, 1 AS one"
    )
    assert rows[0] == ["long", "one"]
    assert (len(rows), rows[1][1]) == (2, "1")
    assert rows[1][0] == ";".join(['a,"b'] * 100_000)


def test_the_columns_say_all_that_clients_ask_of_them(house):
    query_id = house.run("SELECT 1 AS i, 1.50 AS d, 'x' AS s, current_timestamp AS t")["QueryExecutionId"]
    columns = house.athena.get_query_results(QueryExecutionId=query_id, MaxResults=1)["ResultSet"]
    described = {one["Name"]: one for one in columns["ResultSetMetadata"]["ColumnInfo"]}
    assert {name: one["Type"] for name, one in described.items()} == {
        "i": "integer",
        "d": "decimal",
        "s": "varchar",
        "t": "timestamp with time zone",
    }
    assert (described["d"]["Precision"], described["d"]["Scale"]) == (3, 2)
    assert (described["s"]["CaseSensitive"], described["s"]["Nullable"]) == (True, "UNKNOWN")
    assert described["i"]["CatalogName"] == "hive"


def test_a_request_is_read_back(house):
    request = {
        "QueryExecutionContext": {"Database": "default", "Catalog": "awsdatacatalog"},
        "ResultConfiguration": {
            "OutputLocation": "s3://results/deep/er",
            "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
            "ExpectedBucketOwner": "111122223333",
            "AclConfiguration": {"S3AclOption": "BUCKET_OWNER_FULL_CONTROL"},
        },
        "WorkGroup": "primary",
        "ExecutionParameters": ["'PutObject'", "2026/11/29"],
        "ResultReuseConfiguration": {
            "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}
        },
    }
    text = 'SELECT count(*) FROM cloudtrail_logs WHERE eventname = ? AND "timestamp" = ?'
    found = house.run(text, **request)
    assert found["Query"] == text
    for name in ("QueryExecutionContext", "WorkGroup", "ExecutionParameters", "ResultReuseConfiguration"):
        assert found[name] == request[name]
    expected = f"s3://results/deep/er/{found['QueryExecutionId']}.csv"
    assert found["ResultConfiguration"] == {**request["ResultConfiguration"], "OutputLocation": expected}
    rows = house.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])["ResultSet"]["Rows"]
    assert rows[1]["Data"] == [{"VarCharValue": "1"}]


def test_the_same_token_is_the_same_query(house):
    token = "a" * 32
    first = house.start("SELECT 1", ClientRequestToken=token)
    assert house.start("SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match") as caught:
        house.start("SELECT 2", ClientRequestToken=token)
    assert code_of(caught.value) == ("InvalidRequestException", "INVALID_INPUT")
    house.ended(first)


def test_queries_are_listed_newest_first_and_looked_at_together(house):
    ids = [house.run(f"SELECT {number}")["QueryExecutionId"] for number in range(3)]
    pages = house.athena.get_paginator("list_query_executions").paginate(PaginationConfig={"PageSize": 2})
    listed = [one for page in pages for one in page["QueryExecutionIds"]]
    assert listed[:3] == ids[::-1]
    assert len(listed) == len(set(listed))
    answer = house.athena.batch_get_query_execution(QueryExecutionIds=[ids[0], UNKNOWN])
    assert [one["Query"] for one in answer["QueryExecutions"]] == ["SELECT 0"]
    assert [one["QueryExecutionId"] for one in answer["UnprocessedQueryExecutionIds"]] == [UNKNOWN]
    given = house.athena.list_query_executions(MaxResults=1)["NextToken"]
    question, _ = json.loads(base64.urlsafe_b64decode(given))
    for key in ("²", "9" * 30, "-1"):  # no page gave it
        token = base64.urlsafe_b64encode(json.dumps([question, key]).encode()).decode()
        assert house.athena.list_query_executions(NextToken=token)["QueryExecutionIds"][:3] == ids[::-1]
    other_region = house.clients.client("athena", region="eu-west-1")
    assert other_region.list_query_executions()["QueryExecutionIds"] == []


def test_a_query_that_is_stopped_is_cancelled_and_its_process_ends(house):
    query_id = house.start(ENDLESS)
    until(lambda: house.execution(query_id)["Status"]["State"] == "RUNNING", "the start")
    with pytest.raises(ClientError, match=r"Query has not yet finished\. Current state: RUNNING"):
        house.athena.get_query_results(QueryExecutionId=query_id)
    house.athena.stop_query_execution(QueryExecutionId=query_id)
    found = house.execution(query_id)
    assert (found["Status"]["State"], found["Status"]["StateChangeReason"]) == (
        "CANCELLED",
        "Query cancelled by user",
    )
    until(lambda: query_id not in house.clients.gateway.queries._engines, "the end of its process")
    assert house.execution(query_id)["Status"]["State"] == "CANCELLED"
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        house.athena.get_query_results(QueryExecutionId=query_id)
    house.athena.stop_query_execution(QueryExecutionId=query_id)  # again: nothing happens


def test_a_query_that_nothing_runs_any_more_has_failed(house):
    """As after going back to a state that was kept while it ran."""
    query_id = house.run("SELECT 1")["QueryExecutionId"]
    with house.clients.store.transaction() as connection:
        connection.execute("UPDATE athena_query SET state = 'RUNNING' WHERE query_id = ?", (query_id,))
    status = house.execution(query_id)["Status"]
    assert (status["State"], status["AthenaError"]["ErrorCategory"]) == ("FAILED", 1)


def test_a_query_that_takes_too_long_is_ended(house):
    queries = house.clients.gateway.queries
    queries.longest_s = 2.0
    try:
        status = house.run(ENDLESS)["Status"]
    finally:
        queries.longest_s = 300.0
    assert (status["State"], status["AthenaError"]["ErrorType"]) == ("FAILED", 206)
    assert "timed out" in status["StateChangeReason"]
    assert house.rows("SELECT 1") == [["_col0"], ["1"]]


def test_a_wrong_query_fails_with_athenas_kind_of_error(house):
    status = house.run("SELECT nobody FROM cloudtrail_logs")["Status"]
    reason = "COLUMN_NOT_FOUND: line 1:8: Column 'nobody' cannot be resolved"
    assert (status["State"], status["StateChangeReason"]) == ("FAILED", reason)
    assert status["AthenaError"] == {
        "ErrorCategory": 2,
        "ErrorType": 1006,
        "Retryable": False,
        "ErrorMessage": reason,
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"ResultConfiguration": {}}, "No output location provided"),
        ({"ResultConfiguration": {"OutputLocation": "results/x"}}, "not a valid S3 path"),
        ({"ResultConfiguration": {"OutputLocation": "s3://missing-bucket/"}}, "output bucket missing-bucket"),
        ({"WorkGroup": "other"}, "WorkGroup other is not found"),
        ({"QueryExecutionContext": {"Catalog": "other"}}, "data catalog 'other' does not exist"),
        (
            {
                "ResultConfiguration": {
                    "OutputLocation": "s3://results/",
                    "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": "k"},
                }
            },
            "no KMS",
        ),
        (
            {
                "ResultConfiguration": {
                    "OutputLocation": "s3://results/",
                    "ExpectedBucketOwner": "222233334444",
                }
            },
            "ExpectedBucketOwner",
        ),
        ({"EngineConfiguration": {"MaxConcurrentDpus": 2}}, "Apache Spark"),
        ({"ClientRequestToken": "short"}, "length greater than or equal to 32"),
        ({"ExecutionParameters": [""]}, "length greater than or equal to 1"),
    ],
)
def test_a_request_that_cannot_be_is_refused_at_once(house, request_, message):
    client = house.clients.client("athena", config={"parameter_validation": False})
    with pytest.raises(ClientError, match=message) as caught:
        house.start("SELECT 1", client=client, **request_)
    assert code_of(caught.value) == ("InvalidRequestException", "INVALID_INPUT")


def test_what_is_not_there_is_said(house):
    athena = house.athena
    query_id = house.run("SELECT 1")["QueryExecutionId"]
    for call in (
        lambda: athena.get_query_execution(QueryExecutionId=UNKNOWN),
        lambda: athena.get_query_results(QueryExecutionId=UNKNOWN),
        lambda: athena.stop_query_execution(QueryExecutionId=UNKNOWN),
        lambda: athena.get_query_runtime_statistics(QueryExecutionId=UNKNOWN),
        lambda: athena.get_query_results(QueryExecutionId=query_id, NextToken="bm8="),
        lambda: athena.get_query_results(QueryExecutionId=query_id, QueryResultType="DATA_MANIFEST"),
        lambda: athena.get_named_query(NamedQueryId=UNKNOWN),
        lambda: athena.delete_named_query(NamedQueryId=UNKNOWN),
        lambda: athena.get_work_group(WorkGroup="other"),
        lambda: athena.list_databases(CatalogName="other"),
        lambda: athena.get_data_catalog(Name="other"),
        lambda: athena.list_table_metadata(
            CatalogName="AwsDataCatalog", DatabaseName="default", Expression="(a+)+$"
        ),
        lambda: athena.create_work_group(Name="other"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught.value) == ("InvalidRequestException", "INVALID_INPUT")
    for call in (
        lambda: athena.get_database(CatalogName="AwsDataCatalog", DatabaseName="none"),
        lambda: athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="none"),
        lambda: athena.get_table_metadata(
            CatalogName="AwsDataCatalog", DatabaseName="default", TableName="none"
        ),
    ):
        with pytest.raises(athena.exceptions.MetadataException):
            call()


def test_a_result_that_was_deleted_is_gone(house):
    found = house.run("SELECT 1")
    house.s3.delete_object(Bucket="results", Key=f"out/{found['QueryExecutionId']}.csv")
    with pytest.raises(ClientError, match="is gone"):
        house.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])


def test_what_somebody_put_in_place_of_a_result_is_read_to_its_end(house):
    query_id = house.run("SELECT 1")["QueryExecutionId"]
    house.s3.put_object(Bucket="results", Key=f"out/{query_id}.csv", Body=b'"\xff"\n"no end')
    page = house.athena.get_query_results(QueryExecutionId=query_id)
    assert [row["Data"] for row in page["ResultSet"]["Rows"]] == [[{"VarCharValue": "\ufffd"}]]
    assert "NextToken" not in page


def test_a_token_that_no_page_gave_is_refused(house):
    query_id = house.run("SELECT 1")["QueryExecutionId"]
    for place in (10**30, -1, True, 1.5, None):
        token = base64.urlsafe_b64encode(json.dumps([query_id, place]).encode()).decode()
        with pytest.raises(ClientError) as caught:
            house.athena.get_query_results(QueryExecutionId=query_id, NextToken=token)
        assert code_of(caught.value) == ("InvalidRequestException", "INVALID_INPUT"), place


def test_a_query_is_saved_changed_and_deleted(house):
    athena = house.athena
    wanted = {
        "Name": "who",
        "Description": "who did what",
        "Database": "default",
        "QueryString": "SELECT 1",
        "WorkGroup": "primary",
    }
    token = "t" * 32
    query_id = athena.create_named_query(**wanted, ClientRequestToken=token)["NamedQueryId"]
    assert athena.create_named_query(**wanted, ClientRequestToken=token)["NamedQueryId"] == query_id
    assert athena.get_named_query(NamedQueryId=query_id)["NamedQuery"] == {
        **wanted,
        "NamedQueryId": query_id,
    }
    athena.update_named_query(NamedQueryId=query_id, Name="whom", QueryString="SELECT 2", Description="")
    changed = athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]
    assert (changed["Name"], changed["QueryString"]) == ("whom", "SELECT 2")
    assert "Description" not in changed
    others = [
        athena.create_named_query(**{**wanted, "Name": f"n{number}"})["NamedQueryId"] for number in range(3)
    ]
    pages = athena.get_paginator("list_named_queries").paginate(PaginationConfig={"PageSize": 2})
    listed = [one for page in pages for one in page["NamedQueryIds"]]
    assert sorted(listed) == sorted([query_id, *others])
    answer = athena.batch_get_named_query(NamedQueryIds=[others[0], UNKNOWN])
    assert [one["Name"] for one in answer["NamedQueries"]] == ["n0"]
    assert [one["NamedQueryId"] for one in answer["UnprocessedNamedQueryIds"]] == [UNKNOWN]
    for one in listed:
        athena.delete_named_query(NamedQueryId=one)
    assert athena.list_named_queries()["NamedQueryIds"] == []


def test_the_workgroup_and_the_catalog_are_described(house):
    athena = house.athena
    configuration = athena.get_work_group(WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert configuration["EnforceWorkGroupConfiguration"] is False
    assert configuration["ManagedQueryResultsConfiguration"] == {"Enabled": False}
    assert [one["Name"] for one in athena.list_work_groups()["WorkGroups"]] == ["primary"]
    assert athena.list_engine_versions()["EngineVersions"][0]["SelectedEngineVersion"] == "AUTO"
    assert athena.list_data_catalogs()["DataCatalogsSummary"] == [
        {"CatalogName": "AwsDataCatalog", "Type": "GLUE"}
    ]
    assert athena.get_data_catalog(Name="awsdatacatalog")["DataCatalog"]["Type"] == "GLUE"
    house.rows("CREATE DATABASE IF NOT EXISTS papers COMMENT 'on paper' LOCATION 's3://results/papers/'")
    database = athena.get_database(CatalogName="AwsDataCatalog", DatabaseName="papers")["Database"]
    assert database == {
        "Name": "papers",
        "Description": "on paper",
        "Parameters": {"location": "s3://results/papers/"},
    }
    names = [one["Name"] for one in athena.list_databases(CatalogName="awsdatacatalog")["DatabaseList"]]
    assert {"default", "papers"} <= {*names}  # neighbours of this test may have left theirs
    assert names == sorted(names)
    table = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName="default", TableName="cloudtrail_logs"
    )["TableMetadata"]
    columns = {one["Name"]: one["Type"] for one in table["Columns"]}
    assert columns["resources"] == "array<struct<arn:string,accountid:string,type:string>>"
    assert table["PartitionKeys"] == [{"Name": "timestamp", "Type": "string"}]
    assert (table["TableType"], table["Parameters"]["projection.enabled"]) == ("EXTERNAL_TABLE", "true")
    for expression, found in {"cloud*": 1, "cloudtrail.*": 1, "x*|cloudtrail_logs": 1, "logs": 0}.items():
        answer = athena.list_table_metadata(
            CatalogName="AwsDataCatalog", DatabaseName="default", Expression=expression
        )
        assert len(answer["TableMetadataList"]) == found, expression


def test_the_organizations_own_trail_is_read(gateway_client):
    """What the sandbox itself has recorded, from the bucket that its trail delivers to."""
    gateway_client.store._connection.execute("PRAGMA synchronous=OFF")
    athena = AthenaClient(gateway_client)
    gateway_client.client("iam").create_user(UserName="seen-in-the-trail")
    gateway_client.advance_clock(3_600)
    bucket = "aws-cloudtrail-logs-111122223333"
    keys = [one["Key"] for one in athena.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    folder = (
        next(key for key in keys if "/CloudTrail/us-east-1/" in key).split("/us-east-1/")[0] + "/us-east-1"
    )
    table = CLOUDTRAIL_TABLE.replace(f"s3://trail/{TRAIL}", f"s3://{bucket}/{folder}")
    athena.rows(table.replace("2026/11/01,NOW", "2020/01/01,NOW+1DAYS"))
    rows = athena.rows(
        "SELECT json_extract_scalar(requestparameters, '$.userName'), useridentity.type, readonly "
        "FROM cloudtrail_logs WHERE eventname = 'CreateUser'"
    )
    assert rows[1:] == [["seen-in-the-trail", "IAMUser", "false"]]


def test_glue_has_the_same_catalog(house):
    glue = house.clients.client("glue")
    house.rows("CREATE DATABASE IF NOT EXISTS glued")
    house.rows("CREATE EXTERNAL TABLE glued.t (x int COMMENT 'a number') LOCATION 's3://trail/t/'")
    house.rows("CREATE VIEW glued.v AS SELECT 1 AS one")
    assert "glued" in [one["Name"] for one in glue.get_databases()["DatabaseList"]]
    assert glue.get_database(Name="glued")["Database"]["CatalogId"] == "111122223333"
    assert [one["Name"] for one in glue.get_tables(DatabaseName="glued")["TableList"]] == ["t", "v"]
    table = glue.get_table(DatabaseName="glued", Name="t")["Table"]
    assert table["StorageDescriptor"]["Location"] == "s3://trail/t/"
    assert table["StorageDescriptor"]["Columns"] == [{"Name": "x", "Type": "int", "Comment": "a number"}]
    assert glue.get_table(DatabaseName="glued", Name="v")["Table"]["ViewOriginalText"] == "SELECT 1 AS one"
    for name in ("t", "v"):
        glue.delete_table(DatabaseName="glued", Name=name)
        with pytest.raises(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName="glued", Name=name)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_tables(DatabaseName="none")
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.get_tables(DatabaseName="glued", Expression="(a+)+$")
    with pytest.raises(ClientError) as caught:
        glue.create_job(Name="x", Role="r", Command={})
    assert caught.value.response["Error"]["Code"] == "InvalidInputException"
    credentials = user_with(
        house.clients,
        allow("glue:Get*", resource=["arn:aws:glue:us-east-1:111122223333:catalog"]),
        name="glue-1",
    )
    (limited,) = clients(house.clients, credentials, "glue")
    assert limited.get_databases()["DatabaseList"]
    assert "database/glued" in refusal(limited.get_database, Name="glued")["Message"]


# --- permissions: each row is what somebody may not do, and where it shows


NUMBERS = itertools.count()


def somebody(house, *actions):
    """Return Athena as a new user who may do these things sees it."""
    credentials = user_with(house.clients, allow(*actions), name=f"ana-{next(NUMBERS)}")
    return clients(house.clients, credentials, "athena")[0]


def test_who_may_nothing_of_athenas_may_not_start(house):
    athena = somebody(house, "s3:*")
    arn = "arn:aws:athena:us-east-1:111122223333:workgroup/primary"
    error = refusal(
        athena.start_query_execution,
        QueryString="SELECT 1",
        ResultConfiguration={"OutputLocation": "s3://results/"},
    )
    assert error["Code"] == "AccessDeniedException"
    assert f"athena:StartQueryExecution on resource: {arn}" in error["Message"]


COUNT = "SELECT count(*) FROM cloudtrail_logs"
REFUSED = [
    (("athena:*", "s3:*"), COUNT, "glue:GetTable", 1501),
    (("athena:*", "s3:*"), "SHOW DATABASES", "glue:GetDatabases", 1501),
    (("athena:*", "s3:*", "glue:Get*"), "CREATE DATABASE mine", "glue:CreateDatabase", 1501),
    (("athena:*", "glue:*", "s3:PutObject"), COUNT, "s3:ListBucket", 1501),
    (("athena:*", "glue:*", "s3:PutObject", "s3:ListBucket"), COUNT, "s3:GetObject", 1501),
    (("athena:*", "glue:*", "s3:Get*", "s3:List*"), "SELECT 1", "s3:PutObject", 401),
]


def test_the_callers_permissions_count(house):
    house.rows(COUNT)  # what others have read is no way round
    for allowed, text, reason, number in REFUSED:
        status = house.run(text, client=somebody(house, *allowed))["Status"]
        assert status["State"] == "FAILED", reason
        assert reason in status["StateChangeReason"]
        assert status["AthenaError"]["ErrorType"] == number, reason


def test_results_are_read_with_the_callers_permissions(house):
    query_id = house.run("SELECT 1")["QueryExecutionId"]
    athena = somebody(house, "athena:*")
    assert refusal(athena.get_query_results, QueryExecutionId=query_id)["Code"] == "AccessDeniedException"
    assert athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Query"] == "SELECT 1"


def test_every_account_has_a_catalog_and_queries_of_its_own(house):
    other = house.clients.client("athena", account=house.clients.member_account_ids()["Development"])
    query_id = house.run("SELECT 1")["QueryExecutionId"]
    with pytest.raises(ClientError, match="was not found"):
        other.get_query_execution(QueryExecutionId=query_id)
    tables = other.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="default")
    assert tables["TableMetadataList"] == []


@pytest.mark.parametrize("name", OPERATIONS.split())
def test_every_constraint_of_the_models_is_kept(house, name):
    """One member after another breaks its rule, and is refused with its name."""
    shape = service_model("athena").operation_model(name).input_shape
    good = dict.fromkeys(shape.required_members, "x") if shape else {}
    client = house.clients.client("athena", config={"parameter_validation": False})
    call = getattr(client, "".join(f"_{one.lower()}" if one.isupper() else one for one in name).lstrip("_"))
    for member, inner in shape.members.items() if shape else ():
        rule = inner.metadata
        bad = None
        if inner.type_name == "string" and "enum" in rule:
            bad = "not-one-of-them"
        elif inner.type_name == "string" and rule.get("max"):
            bad = "x" * (rule["max"] + 1)
        elif inner.type_name == "integer" and rule.get("max"):
            bad = rule["max"] + 1
        if bad is None:
            continue
        with pytest.raises(ClientError) as caught:
            call(**{**good, member: bad})
        assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
        assert f"'{member[:1].lower()}{member[1:]}'" in caught.value.response["Error"]["Message"]
