"""A stand-in for AWS below botocore: answers by operation, remembers requests, and opens no socket."""

from __future__ import annotations

import itertools
import json
from urllib.parse import parse_qs, urlsplit

from botocore.awsrequest import AWSResponse, HeadersDict

INSTANCE_ARN = "arn:aws:sso:::instance/ssoins-1111222233334444"
ACCOUNT_ID = "111122223333"
MEMBER_ID = "444455556666"
INSTANCE = {
    "InstanceArn": INSTANCE_ARN,
    "IdentityStoreId": "d-1234567890",
    "OwnerAccountId": ACCOUNT_ID,
    "Status": "ACTIVE",
    "PrimaryRegion": "us-east-1",
}
CALLER_XML = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:sts::{account}:assumed-role/Admin/ana</Arn><UserId>AROA1:ana</UserId>"
    "<Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)


ROLE_XML = (
    '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role><Path>/</Path>'
    f"<RoleName>Admin</RoleName><RoleId>AROA1</RoleId><Arn>arn:aws:iam::{ACCOUNT_ID}:role/Admin</Arn>"
    "<CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult></GetRoleResponse>"
)


def simulated(*denied):
    """Return what IAM answers about the actions that it is asked of."""

    def answer(request):
        actions = [value for name, (value,) in sorted(request.items()) if name.startswith("ActionNames.")]
        results = "".join(
            f"<member><EvalActionName>{action}</EvalActionName>"
            f"<EvalDecision>{'implicitDeny' if action in denied else 'allowed'}</EvalDecision></member>"
            for action in actions
        )
        return (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>"
            "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>"
            "</SimulatePrincipalPolicyResponse>"
        )

    return answer


class Refusal(Exception):
    """An error that AWS answers."""

    def __init__(self, code, message="refused by the stub", status=400, **members):
        super().__init__(code)
        self.body = {"__type": code, "message": message, **members}
        self.status = status


class StubTransport:
    """Answers by operation name.

    ``transport.on("ListGroups", {...}, Refusal(...))`` gives answers in turn and then repeats the last; an
    answer is a dict, a text of XML, an exception to raise, or a function of the request's parameters that
    returns one of these.
    """

    def __init__(self):
        self.calls = []
        self.hosts = []
        self._answers = {}
        self._request_ids = itertools.count(1)
        self.on("GetCallerIdentity", CALLER_XML.format(account=ACCOUNT_ID))
        self.on("DescribeAccount", {"Account": {"Id": ACCOUNT_ID, "Name": "Management"}})
        self.on("DescribeOrganization", {"Organization": {"Id": "o-1", "MasterAccountId": ACCOUNT_ID}})
        self.on("ListInstances", {"Instances": [INSTANCE]})

    def on(self, operation, *answers):
        self._answers[operation] = list(answers)

    def from_account(self, account_id):
        self.on("GetCallerIdentity", CALLER_XML.format(account=account_id))

    def made(self, operation):
        return [parameters for name, parameters in self.calls if name == operation]

    def names(self):
        return [name for name, _ in self.calls]

    def writes(self):
        return [name for name in self.names() if not name.startswith(("List", "Describe", "Get", "IsMember"))]

    def send(self, request):
        operation, parameters = _parsed(request)
        self.calls.append((operation, parameters))
        self.hosts.append(urlsplit(request.url).hostname)
        answers = self._answers.get(operation)
        assert answers, f"the stub has no answer for {operation} {parameters}"
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            if callable(answer):
                answer = answer(parameters)
            if isinstance(answer, Exception):
                raise answer
        except Refusal as refusal:
            return self._response(request, refusal.body, refusal.status)
        return self._response(request, answer, 200)

    def _response(self, request, body, status):
        text = body if isinstance(body, str) else json.dumps(body)
        headers = HeadersDict({"x-amzn-RequestId": f"request-{next(self._request_ids)}"})
        return AWSResponse(request.url, status, headers, _Raw(text.encode()))


class _Raw:
    def __init__(self, content):
        self._content = content

    def stream(self, **_options):
        yield self._content


def _parsed(request):
    target = request.headers.get("X-Amz-Target")
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    if target is None:
        form = parse_qs(body.decode())
        return form["Action"][0], form
    target = target.decode() if isinstance(target, bytes) else target
    return target.rpartition(".")[2], json.loads(body or b"{}")


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
