"""What is started with the sandbox's environment reaches loopback or nothing, whatever the service.

A guard at the socket watches the clients: whoever looks a name up, or connects to another address, is seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from idc_sandbox.environment import environment, variables_to_unset, write_endpoint_rules

ENDPOINT_URL = "http://127.0.0.1:8723"

# Put before a program: every look-up and every connection but those to loopback ends it.
GUARD = """
import os, socket
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_getaddrinfo, _connect = socket.getaddrinfo, socket.socket.connect
def leave(place):
    print("LEFT FOR", place, flush=True)
    os._exit(66)
def getaddrinfo(host, *more, **options):
    return _getaddrinfo(host, *more, **options) if host in LOOPBACK else leave(host)
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
        leave(address)
    return _connect(self, address)
socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
"""

# Calls one operation of every service of botocore, and all of those whose rules look at more than the Region.
EVERY_SERVICE = """
import gc
import botocore.session
from urllib.parse import urlsplit

def value(shape, depth=0):
    kind = shape.type_name
    if depth > 8:
        return {"structure": {}, "list": [], "map": {}}.get(kind, "x")
    if kind == "structure":
        names = shape.required_members
        if getattr(shape, "is_tagged_union", False) and not names:
            names = list(shape.members)[:1]
        return {name: value(shape.members[name], depth + 1) for name in names}
    if kind == "list":
        return [value(shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
    if kind == "string":
        return (shape.enum or ["x" * max(1, shape.metadata.get("min", 1))])[0]
    numbers = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0}
    if kind in numbers:
        return shape.metadata.get("min") or numbers[kind]
    return {"map": {}, "boolean": True, "blob": b"x", "timestamp": 0}[kind]

class Seen(Exception):
    pass

def look(request, **event):
    raise Seen(request.url)

def is_special(operation):
    return bool(operation.static_context_parameters or operation.context_parameters
                or operation.operation_context_parameters or operation.endpoint)

gc.disable()  # half of the time was the search for garbage in models that stay
session, left, seen = botocore.session.get_session(), set(), 0
for service in session.get_available_services():
    client = session.create_client(service)
    client.meta.events.register_first("before-send", look)
    model = client.meta.service_model
    names = model.operation_names
    special = [name for name in names if is_special(model.operation_model(name))][:12]
    for name in {*names[:1], *special}:
        shape = model.operation_model(name).input_shape
        try:
            client._make_api_call(name, value(shape) if shape else {})
        except Seen as caught:
            seen += 1
            if urlsplit(str(caught)).hostname != "127.0.0.1":
                left.add((service, name, str(caught)))
        except Exception:
            pass  # refused before anything is sent: an ARN that is none, a bearer token over http
print(seen, sorted(left))
"""

# What one may write, with boto3 and the sandbox's environment; each either reaches loopback or fails.
ARN = "arn:aws:{}:us-west-2:111122223333:{}"
PROGRAMS = {
    "signin, which has rules before the endpoint": "client('signin').list_sessions()",
    "signin in another Region": "client('signin', region_name='eu-west-1').list_sessions()",
    "an account in the host's name": "client('s3control').list_jobs(AccountId='111122223333')",
    "an operation's own prefix": (
        "client('servicediscovery').discover_instances(NamespaceName='a', ServiceName='b')"
    ),
    "an access point": f"get('{ARN.format('s3', 'accesspoint/mine')}')",
    "a multi-Region access point": "get('arn:aws:s3::111122223333:accesspoint:mine.mrap')",
    "S3 on Outposts": f"get('{ARN.format('s3-outposts', 'outpost/op-1/accesspoint/a')}')",
    "an object lambda": "client('s3').write_get_object_response(RequestRoute='io-route', RequestToken='t')",
    "transfer acceleration": "get('mine', s3={'use_accelerate_endpoint': True})",
    "a bucket's name as host": "get('mine', s3={'addressing_style': 'virtual'})",
    "an S3 Express bucket": "get('mine--use1-az4--x-s3')",
    "FIPS": "client('sts', use_fips_endpoint=True).get_caller_identity()",
    "dual-stack": "client('s3', use_dualstack_endpoint=True).list_buckets()",
    "the name of no Region": "client('iam', region_name='aws-global').list_users()",
    "China": "client('sts', region_name='cn-north-1').get_caller_identity()",
    "an endpoint by account": "client('dynamodb', account_id_endpoint_mode='required').list_tables()",
    "a discovered endpoint": "client('timestream-query').query(QueryString='SELECT 1')",
    "a multi-Region event bus": "client('events').put_events(EndpointId='abc.def', Entries=[{}])",
    "a stream's own endpoint": (
        f"client('kinesis').describe_stream(StreamARN='{ARN.format('kinesis', 'stream/x')}')"
    ),
    "configured endpoints ignored": (
        "client('ec2', ignore_configured_endpoint_urls=True).describe_regions()"
    ),
    "a host of AWS's in so many words": (
        "client('sts', endpoint_url='https://sts.amazonaws.com').get_caller_identity()"
    ),
    "the same without TLS": "client('sts', endpoint_url='http://sts.amazonaws.com').get_caller_identity()",
    "a program of another kind": "urllib.request.urlopen('https://sts.amazonaws.com/')",
    "the metadata of an instance": "urllib.request.urlopen('http://169.254.169.254/latest/')",
}
HELPERS = """
import boto3, urllib.request
from botocore.config import Config
def client(name, region_name=None, endpoint_url=None, **config):
    config = Config(retries={"total_max_attempts": 1}, **config)
    return boto3.client(name, region_name=region_name, endpoint_url=endpoint_url, config=config)
def get(bucket, **config):
    return client("s3", **config).get_object(Bucket=bucket, Key="k")
"""


@pytest.fixture(scope="module")
def variables(sandbox) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**inherited, **environment(sandbox.running)}


def run(variables, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", GUARD + program]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=600)


def test_every_service_of_botocore_goes_to_loopback(variables):
    done = run(variables, EVERY_SERVICE)
    assert done.returncode == 0, done.stdout + done.stderr
    count, _, left = done.stdout.strip().partition(" ")
    assert left == "[]"
    assert int(count) > 650


@pytest.mark.parametrize("name", ["AWS_DATA_PATH", "AWS_DISABLE_HOST_PREFIX_INJECTION"])
def test_the_guard_sees_who_leaves(variables, name):
    """What the environment would miss without one of its variables is seen: this test can fail."""
    without = {key: value for key, value in variables.items() if key != name}
    what = "signin, which has rules before the endpoint" if "DATA" in name else "an operation's own prefix"
    no_proxy = {key: value for key, value in without.items() if not key.lower().endswith("_proxy")}
    assert "LEFT FOR" in run(no_proxy, HELPERS + program(PROGRAMS[what])).stdout


def program(call: str) -> str:
    return f"try:\n    print({call})\nexcept Exception as e:\n    print(type(e).__name__, e)\n"


def test_no_way_of_asking_leaves_this_machine(variables):
    calls = "\n".join(program(call) + f"print('after', {what!r})" for what, call in PROGRAMS.items())
    done = run(variables, HELPERS + calls)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("after ") == len(PROGRAMS)
    assert "LEFT FOR" not in done.stdout


def test_a_profile_that_ignores_endpoints_still_comes_here(variables, sandbox, tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "[profile stray]\nregion = eu-west-1\nignore_configured_endpoint_urls = true\n"
        "use_fips_endpoint = true\nuse_dualstack_endpoint = true\n"
    )
    call = "boto3.Session(profile_name='stray').client('sts').get_caller_identity()['Account']"
    keys = config.with_name("credentials")
    key, secret = sandbox.administrator_key()
    keys.write_text(f"[stray]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(keys)}
    done = run({**variables, **files}, f"import boto3; print({call})")
    assert done.stdout.strip() == sandbox.management_account_id, done.stdout + done.stderr


def test_the_usual_clients_work_with_it(variables, sandbox):
    calls = """
import boto3
for region in ("us-east-1", "eu-west-1"):
    def client(name): return boto3.client(name, region_name=region)
    print(client("sts").get_caller_identity()["Account"])
    client("iam").list_users(), client("organizations").list_accounts(), client("sso-admin").list_instances()
    s3, name = client("s3"), f"from-{region}"
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    s3.put_object(Bucket=name, Key="a folder/ü", Body=b"text")
    print(s3.get_object(Bucket=name, Key="a folder/ü")["Body"].read())
    print(s3.list_objects_v2(Bucket=name)["KeyCount"])
    s3.delete_object(Bucket=name, Key="a folder/ü"), s3.delete_bucket(Bucket=name)
"""
    done = run(variables, calls)
    wanted = [sandbox.management_account_id, "b'text'", "1"] * 2
    assert done.stdout.split() == wanted, done.stdout + done.stderr


def test_the_proxy_says_why_it_reaches_nothing(variables):
    program = """
import http.client, urllib.request
proxy = http.client.HTTPConnection(os.environ["HTTPS_PROXY"].removeprefix("http://"))
proxy.request("CONNECT", "sts.amazonaws.com:443", headers={"Host": "sts.amazonaws.com:443"})
answer = proxy.getresponse()
print(answer.status, answer.read().decode())
try:
    urllib.request.urlopen("http://example.com/page")
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
    done = run(variables, program)
    assert "403 sts.amazonaws.com:443 was not reached: nothing leaves this machine" in done.stdout, (
        done.stderr
    )
    assert "403 http://example.com/page was not reached" in done.stdout, done.stderr


def test_every_variable_of_aws_that_a_terminal_has_is_unset_or_replaced(variables):
    inherited = {
        "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/x",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_REGION": "eu-west-1",
        "AWS_x; rm -rf /": "no name of a variable",
        "PATH": "/bin",
    }
    unset = variables_to_unset(variables, inherited)
    assert {name for name in inherited if name in unset} == {
        "AWS_ENDPOINT_URL_S3",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_USE_FIPS_ENDPOINT",
    }
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"} <= set(unset)
    assert not set(unset) & set(variables)


def test_every_rule_leads_to_the_sandbox_or_to_what_was_given(tmp_path):
    overlay = write_endpoint_rules(tmp_path, ENDPOINT_URL)
    files = list(overlay.rglob("endpoint-rule-set-1.json"))
    assert {path.parts[-3] for path in files} >= {
        "sso",
        "sso-oidc",
        "sts",
        "s3",
        "sso-admin",
        "signin",
        "ec2",
    }
    given = ({"ref": "Endpoint"}, "{url#scheme}://{url#authority}{url#normalizedPath}{Bucket}")
    for path in files:
        for rule in json.loads(path.read_text())["rules"]:
            url = rule["endpoint"]["url"]
            assert url in given or url.startswith(ENDPOINT_URL)


def test_the_rules_follow_the_port(tmp_path):
    for port in (8723, 8724):
        overlay = write_endpoint_rules(tmp_path, f"http://127.0.0.1:{port}")
        text = (overlay / "sts" / "2011-06-15" / "endpoint-rule-set-1.json").read_text()
        assert f"http://127.0.0.1:{port}" in text
    path = overlay / "sts" / "2011-06-15" / "endpoint-rule-set-1.json"
    path.touch()
    written = Path(path).stat().st_mtime_ns
    write_endpoint_rules(tmp_path, "http://127.0.0.1:8724")
    assert path.stat().st_mtime_ns == written
