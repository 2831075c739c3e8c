# ruff: noqa: E501 -- one line a writing
"""How secrets are written in what cells print, and what only looks like it: one line each.

A writing is what a cell does, as pairs of a way and a text: ``out`` and ``err`` print without a line end, ``flush``
and ``flush_err`` print and flush, ``result``, ``html``, ``data`` and ``error`` are outputs of a cell's other kinds.
``{K}`` is a secret access key, ``{P}`` a password, ``{T}`` a random token, ``{H}`` 32 hexadecimal digits; ``{K1}`` and
``{K2}`` are halves of a key, and ``{I}`` is an access key id. Each writing has values of its own.
"""

import base64
import random
import re
import string
from dataclasses import dataclass

_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Writing:
    """One row: what a cell does, and the parts of which none may be left (planted) or all must be (innocent)."""

    label: str
    steps: tuple[tuple[str, str], ...]
    parts: tuple[str, ...]


def _values(seed):
    chance = random.Random(seed)
    key = "".join(chance.choices(_LETTERS + "/+", k=37)) + "aZ7"
    password = f"{chance.choice(('hunter', 'Dr4gon', 'winter'))}{chance.randrange(10**4, 10**5)}{chance.choice('!xZ#')}"
    token = "".join(chance.choices(_LETTERS + "-_", k=40)) + "q9Z"
    hexadecimal = "".join(chance.choices("0123456789abcdef", k=32))
    basic = base64.b64encode(f"ana:{password}".encode()).decode()
    pem = ["".join(chance.choices(_LETTERS + "/+", k=64)) for _ in range(3)]
    return {
        "K": key, "K1": key[:20], "K2": key[20:], "P": password, "T": token, "H": hexadecimal, "B": basic,
        "I": "AKIA" + "".join(chance.choices(string.ascii_uppercase + "234567", k=16)),
        "P1": password[:7], "P2": password[7:],
        "PEM1": pem[0], "PEM2": pem[1], "PEM3": pem[2],
        "PEM64": base64.b64encode(f"-----BEGIN PRIVATE KEY-----\n{pem[0]}\n{pem[1]}\n".encode()).decode(),
    }  # fmt: skip


_PLANTED = r"""
shell assignment¦out¦SECRET={K}
shell export¦out¦export AWS_SECRET_ACCESS_KEY={K}
shell export in quotes¦out¦export DB_PASSWORD="{P}"
short name¦out¦aws_secret={K}
key id and key¦out¦{I}={K}
key id, colon, key¦out¦{I}:{K}
key id and key as CSV¦out¦{I},{K}
key id and key in JSON list¦out¦["{I}", "{K}"]
token=¦out¦token={T}
token= short¦out¦token={P}
pwd=¦out¦pwd={P}
PWD in a connection string¦out¦Server=db;Uid=sa;Pwd={P};Encrypt=yes
_PASS¦out¦DB_PASS={P}
_PASS with colon¦out¦SMTP_PASS: {P}
_PW¦out¦ORACLE_PW={P}
flag¦out¦mysqldump --password {P} shop
flag with =¦out¦mysqldump --password={P} shop
flag of a token¦out¦gh auth login --token {P}
flag of a client secret¦out¦az login --service-principal --client-secret {P}
flag in a list¦out¦['tool', '--password', '{P}']
docker login¦out¦docker login -u ana -p {P} registry.example.com
sshpass¦out¦sshpass -p {P} ssh ana@host
mysql glued¦out¦mysql -u root -p{P} shop
curl user¦out¦curl -u ana:{P} https://example.com/
curl header¦out¦curl -H "Authorization: Bearer {T}" https://example.com
curl api key¦out¦curl -H 'X-Api-Key: {P}' https://example.com
aws configure¦out¦aws configure set aws_secret_access_key {K}
PowerShell¦out¦$env:DB_PASSWORD = "{P}"
Windows set¦out¦set DB_PASSWORD={P}
Dockerfile ENV¦out¦ENV API_KEY={P}
docker -e¦out¦docker run -e POSTGRES_PASSWORD={P} postgres
JSON¦out¦{"password": "{P}"}
JSON without blanks¦out¦{"secretAccessKey":"{K}","x":1}
JSON, camel case¦out¦{"dbPassword": "{P}", "port": 5432}
JSON, number¦out¦{"password": 83726451}¦83726451
JSON in JSON¦out¦{"body": "{\\"client_secret\\": \\"{P}\\"}"}
JSON name and value¦out¦{"Name": "DB_PASSWORD", "Value": "{P}"}
JSON key and value over lines¦out¦{\n  "name": "API_TOKEN",\n  "value": "{P}"\n}
CloudFormation parameter¦out¦{"ParameterKey": "MasterPassword", "ParameterValue": "{P}"}
Secrets Manager¦out¦{'Name': 'db', 'SecretString': '{P}'}
YAML¦out¦db:\n  user: ana\n  password: {P}\n
YAML in quotes¦out¦password: '{P}'
YAML block¦out¦client_secret: |\n  {P}\n
Kubernetes env¦out¦- name: DB_PASSWORD\n  value: {P}\n
Kubernetes secret¦out¦kind: Secret\ndata:\n  password: {B}\n
kubeconfig token¦out¦users:\n- user:\n    token: {T}\n
kubeconfig key¦out¦    client-key-data: {PEM64}
Python repr¦out¦{'user': 'ana', 'password': '{P}'}
Python repr of bytes¦out¦{'secret': b'{P}'}
Python dataclass¦out¦Login(user='ana', password='{P}')
Python tuple¦out¦('password', '{P}')
Python assignment¦out¦PASSWORD = "{P}"
Python annotation¦out¦password: str = "{P}"
Python item¦out¦os.environ['API_KEY'] = '{P}'
environ¦out¦environ({'HOME': '/root', 'GITHUB_TOKEN': '{P}'})
env dump¦out¦HOME=/root\nMY_SECRET={P}\nLANG=C\n
declare -x¦out¦declare -x NPM_TOKEN="{P}"
log line¦out¦2026-11-23 09:00:00 INFO login user=ana password={P} ok
log line with comma¦out¦connected user=ana, secret={P}, host=db
log line with arrow¦out¦token -> {P}
prose¦out¦The new password is {P}
prompt¦out¦Enter password: {P}
one-time password¦out¦One-time password: {P}
traceback¦error¦login failed: password='{P}'
traceback with URL¦error¦cannot reach https://ana:{P}@example.com/api
boto3 credentials¦out¦{'AccessKeyId': '{I}', 'SecretAccessKey': '{K}', 'SessionToken': 'IQoJb3JpZ2luX2VjEJr{K}{K}'}¦{K}
assume role as text¦out¦AccessKeyId      {I}\nSecretAccessKey  {K}\n
AWS CLI table¦out¦|  SecretAccessKey |  {K}  |
AWS credentials file¦out¦[default]\naws_access_key_id = {I}\naws_secret_access_key = {K}\n
key alone¦out¦{K}
key in a sentence¦out¦somebody left {K}, alas.
token alone¦out¦{T}
SSO token¦out¦aoaAAAAAG{T}
JSON web token¦out¦eyJhbGciOiJIUzI1NiJ9.{T}.{T}¦{T}
Terraform¦out¦password = "{P}"
Terraform plan¦out¦~ master_password = "old{P}" -> "{P}"
Terraform variable¦out¦variable "db_password" {\n  default = "{P}"\n}
tfvars¦out¦db_secret="{P}"
.netrc¦out¦machine api.example.com login ana password {P}
.netrc over lines¦out¦machine api.example.com\n  login ana\n  password {P}\n
.npmrc¦out¦//registry.npmjs.org/:_authToken={P}
.npmrc _auth¦out¦//npm.example.com/:_auth={B}
.pypirc¦out¦[pypi]\nusername = ana\npassword = {P}\n
.pgpass¦out¦db.example.com:5432:shop:ana:{P}
docker config¦out¦{"auths": {"registry.example.com": {"auth": "{B}"}}}
postgres URL¦out¦postgresql://ana:{P}@db.example.com:5432/shop
redis URL¦out¦redis://:{P}@cache:6379/0
JDBC¦out¦jdbc:mysql://db/shop?user=ana&password={P}&ssl=true
git remote¦out¦https://oauth2:{P}@git.example.com/a.git
Azure storage¦out¦AccountName=shop;AccountKey={K}{K}==;EndpointSuffix=core.windows.net
ODBC in braces¦out¦DRIVER={SQL};UID=ana;PASSWORD={P}
query string¦out¦GET /cb?access_token={P}&state=1
presigned URL¦out¦https://b.s3.amazonaws.com/k?X-Amz-Signature={H}{H}
callback¦out¦http://127.0.0.1:8000/?code={T}&state=2
Basic header¦out¦Authorization: Basic {B}
Bearer header¦out¦authorization: bearer {T}
Bearer in a dict¦out¦{'Authorization': 'Bearer {T}'}
bare Authorization¦out¦Authorization: {T}
Private-Token¦out¦PRIVATE-TOKEN: {P}
cookies¦out¦Cookie: theme=dark; session={P}
Set-Cookie¦out¦Set-Cookie: sid={P}; Path=/; HttpOnly
CSV column¦out¦name,password,role\nana,{P},admin\n
CSV in quotes¦out¦"user";"secret"\n"ana";"{P}"\n
TSV column¦out¦user\tapi_key\nana\t{P}\n
Markdown table¦out¦user | password\n--- | ---\nana | {P}\n
aligned table¦out¦  user     password\n0  ana  {P}\n
row of a table¦out¦password          {P}
HTML table row¦html¦<table><tr><th>password</th><td>{P}</td></tr></table>
HTML, bold¦html¦<p><b>Password:</b> {P}</p>
HTML, escaped¦html¦<pre>{&quot;password&quot;: &quot;{P}&quot;}</pre>
HTML, coloured¦html¦<span class="n">token</span><span class="o">=</span><span class="s">&#39;{P}&#39;</span>
XML¦out¦<server><password>{P}</password></server>
XML attribute¦out¦<add key="password" value="{P}"/>
ANSI colours¦out¦\x1b[32mpassword\x1b[0m\x1b[34m=\x1b[0m\x1b[33m{P}\x1b[0m
ANSI around a key¦out¦key \x1b[1m{K}\x1b[0m!
PEM¦out¦-----BEGIN RSA PRIVATE KEY-----\n{PEM1}\n{PEM2}\n-----END RSA PRIVATE KEY-----\n¦{PEM1} {PEM2}
PEM in JSON¦out¦{"key": "-----BEGIN PRIVATE KEY-----\\n{PEM1}\\n{PEM2}\\n-----END PRIVATE KEY-----\\n"}¦{PEM1} {PEM2}
PEM without its end¦out¦-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM1}\n{PEM2}\n¦{PEM1} {PEM2}
PEM line by line¦flush¦-----BEGIN PRIVATE KEY-----\n¦flush¦{PEM1}\n¦flush¦{PEM2}\n¦flush¦-----END PRIVATE KEY-----\n¦{PEM1} {PEM2}
PEM with another stream between¦flush¦-----BEGIN PRIVATE KEY-----\n{PEM1}\n¦flush_err¦a warning\n¦flush¦{PEM2}\n-----END PRIVATE KEY-----\n¦{PEM1} {PEM2}
key over two flushes¦flush¦{K1}¦flush¦{K2}\n¦{K1} {K2}
key over two flushes, another stream between¦flush¦{K1}¦flush_err¦a warning\n¦flush¦{K2}\n¦{K1} {K2}
key over two lines¦out¦{K1}\n{K2}\n¦{K1} {K2}
name and value over two flushes¦flush¦password=¦flush¦{P}\n
name on one stream, value on the other¦flush¦AWS_SECRET=¦flush_err¦{P}\n
name and value in two outputs¦result¦client_secret:¦out¦{P}\n
password over two flushes¦flush¦db_password: {P1}¦flush¦{P2}\n¦{P1} {P2}
on the error stream¦err¦password: {P}
as a result¦result¦{'api_key': '{P}'}
as JSON data¦data¦{"api_key": "{P}"}
announced once, then alone¦out¦password={P}\n¦result¦now as {P} again
announced, then in an error¦out¦token: {P}\n¦error¦refused: {P}
GitHub¦out¦ghp_{H}abcd¦{H}
Slack¦out¦xoxb-1234567890-{H}¦{H}
Stripe¦out¦sk_live_{H}¦{H}
bcrypt¦out¦ana:$2b$12${H}{H}¦{H}
otpauth¦out¦otpauth://totp/Kit:ana?secret={I}&issuer=Kit¦{I}
name with blanks¦out¦secret key is {K}
in brackets¦out¦[{K}]
in backquotes¦out¦password `{P}` works
in parentheses¦out¦the password ({P}) was sent
PGPASSWORD¦out¦PGPASSWORD={P} psql -h db
passphrase of four words¦out¦"password": "correct horse battery staple"¦correct
SQL¦out¦CREATE USER ana IDENTIFIED BY '{P}'
requests¦out¦requests.get(url, auth=('ana', '{P}'))
Go¦out¦secret := "{P}"
JavaScript¦out¦const API_KEY = '{P}'
Ruby¦out¦'client_secret' => '{P}',
Spring¦out¦spring.datasource.password={P}
XML property¦out¦<property name="password">{P}</property>
HTML input¦html¦<input name="password" value="{P}">
key id and key with a tab¦out¦{I}\t{K}
credentials¦out¦creds: ana:{P}
"""

_INNOCENT = r"""
reserved role¦AWSReservedSSO_ReadOnly_0123456789abcdef
reserved role, hex of many kinds¦AWSReservedSSO_ReadOnly_a1b2c3d4e5f60718
reserved role, 64 characters¦AWSReservedSSO_SecurityAuditorsOfTheCompanyEU12_a1b2c3d4e5f60718
reserved role, a name with digits¦AWSReservedSSO_S3ReadOnlyV2Team_a1b2c3d4e5f60718
role ARN¦arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_AdministratorAccess_0a1b2c3d4e5f6071
session ARN¦arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_ReadOnly_a1b2c3d4e5f60718/ana@example.com
permission set ARN¦arn:aws:sso:::permissionSet/ssoins-7223abcdef012345/ps-0123456789abcdef
application ARN¦arn:aws:sso::111122223333:application/ssoins-7223abcdef012345/apl-0123456789abcdef
secret ARN¦arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbC123
secret ARN with a name¦"SecretArn": "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbC123"
instance and store¦ssoins-7223abcdef012345 d-9067642ac7
user id¦9067642ac7-d6a5c9f0-1a2b-4c3d-8e9f-0123456789ab
provisioning id¦"RequestId": "d6a5c9f0-1a2b-4c3d-8e9f-0123456789ab"
account id¦111122223333
unique ids¦AIDACKCEVSQ6C2EXAMPLE AROADBQP57FF2AEXAMPLE
organization ids¦o-exampleorgid r-examplerootid111 ou-examplerootid111-exampleouid111
request id¦x-amzn-RequestId: 4a5bc6d7-e890-1234-5678-9abcdef01234
S3 host id¦x-amz-id-2: eftixk72aD6Ap51TnqcoF8eFidJG9ZX2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran
pagination token¦"NextToken": "AAMA-EFRSURBSGhEcGJXQlpuVnhrYzNWM2RHaGxjbTg9"
next token¦next_token: None
client token¦clientToken=d6a5c9f0-1a2b-4c3d-8e9f-0123456789ab
UUID¦0f8fad5b-d9cb-469f-a165-70867728950e
git SHA¦commit 2298b83f0a7c1d2e3f4a5b6c7d8e9f0a1b2c3d4e
SHA-256¦sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
SSH fingerprint¦256 SHA256:q4XlX9ZtRY2bVvN8sKc0PmWd7YhUe3AfGj5TiLx6OyB ana@host (ED25519)
MD5¦d41d8cd98f00b204e9800998ecf8427e
SRI¦sha384-oqVuAfXRKap7fdgcCY5uykM6R9GqQ8KzuxyX9rlHNQlGYl1kPzQho1wx4JwY8wCx
ETag¦ETag: "9b2cf535f27731c974343645a3985328"
certificate¦-----BEGIN CERTIFICATE-----\n{PEM1}\n{PEM2}\n{PEM3}\n{K}\n-----END CERTIFICATE-----
public key¦ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ana@host
base64 picture in text¦data:image/png;base64,{PEM1}{PEM2}{PEM3}{PEM1}==
base64 block¦{PEM1}\n{PEM2}\n{PEM3}\n{K}
Basic operations¦Basic operations
Basic authentication¦Basic authentication is not supported
Bearer authentication¦Bearer authentication
Digest verification¦Digest verification of documents
bearer token type¦"token_type": "Bearer"
token: none¦token: none
password reset¦password reset
password: required¦password: required
password rule¦The password must have 8 to 64 characters
password sentence¦Password: the new one must differ from the last 24
password policy¦Password policy: strong
password help¦--password TEXT  The password of the user
password flag with a file¦--password-file /run/secrets/db
password last used¦"PasswordLastUsed": "2026-11-23T09:00:00Z"
password delivery¦{"password_delivery": "one-time-password"}
authentication method¦authentication_method: password
counts of tokens¦max_tokens=4096 tokens: 1024
secrets counted¦Secrets: 12, tokens: 34, keys: 56
variable from the environment¦password = os.environ["DB_PASSWORD"]
variable of a shell¦--password "$DB_PASSWORD"
variable in braces¦password: ${{ secrets.DB_PASSWORD }}
call¦token = secrets.token_hex(16)
keyword argument¦connect(user=user, password=password, token=args.token)
attribute¦self._secret = secret
condition¦if token is None:
lambda¦key=lambda user: user.name
getpass¦password = getpass.getpass("Password: ")
type annotation¦def sign_in(user: str, password: str) -> Token:
placeholder¦client_secret: <your client secret>
stars¦password: ********
action in a policy¦"Action": ["secretsmanager:GetSecretValue", "sts:GetSessionToken", "iam:CreateAccessKey"]
condition in a policy¦{"StringEquals": {"aws:PrincipalTag/team": "${path:enterprise.department}"}}
date condition¦{"DateLessThan": {"aws:TokenIssueTime": "2026-11-23T09:00:00Z"}}
managed policy¦arn:aws:iam::aws:policy/SecretsManagerReadWrite
docs link¦https://docs.aws.amazon.com/singlesignon/latest/userguide/howtosessionduration.html
docs link of keys¦https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html#Using_CreateAccessKey
portal¦https://d-1234567890.awsapps.com/start
session duration¦PT8H session_duration=PT12H
time¦2026-11-23T09:00:00.000+00:00
URL with port¦http://127.0.0.1:49152/?state=1
e-mail¦mailto:ana@example.com
git remote¦ssh://git@github.com/example/kit.git
cookies in prose¦Cookie: what the browser keeps
error code¦http://host/?code=AccessDeniedException&x=1
key of a table¦key: AdministratorAccess
sort key¦primary key: user_name
tests¦pass: 12, fail: 0
mention of PEM¦The file begins with -----BEGIN PRIVATE KEY----- and a line end.\nNothing of it is here.
sandbox names¦secrets.json holds the sandbox's keys
list of names¦["user", "password", "token"]
row of a table whose value looks like a heading¦what                        answer\n--------------------------  ------\nbefore the end              AWSReservedSSO_Reader_e8a60388976abb20/ana.ruiz\none minute after the end    ExpiredToken\nnew keys after a new login  AWSReservedSSO_Reader_e8a60388976abb20/ana.ruiz
table of settings¦setting     value\npassword    required\nmfa         enabled
CSV of states¦user,password,mfa\nana,set,yes\nbob,expired,no
headings¦Token 2 of 3: pass 1
regions and algorithms¦token RS256, password SHA-256, secret us-east-1
progress¦50 % |█████     | 5/10
Kubernetes reference¦secretKeyRef:\n  name: db\n  key: password
Terraform reference¦password = var.db_password
SAML¦NameID format: urn:oasis:names:tc:SAML:2.0:nameid-format:persistent
log of a rotation¦rotated secret prod/db, version 2
HTML form¦<label>Password</label><input type="password" name="password">
HTML cells¦<tr><th>password</th><td>required</td></tr>
secret name¦secret_name = prod/db2
secret id¦"SecretId": "prod/db2"
life of a token¦The token expires in 3600 seconds, token_ttl=3600
rules of passwords¦password_min_length: 14, passwords must contain 1 digit
age of a password¦password age: 90 days, expires: 2026-12-01
endpoint of tokens¦tokenEndpoint=https://oidc.us-east-1.amazonaws.com/token
actions¦secretsmanager:DescribeSecret sso:PutPermissionsPolicy
Sid¦"Sid": "DenyTokensOlderThan1Hour"
digest header¦Digest: sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=
flows¦authorization code flow with PKCE S256
words with pass and key¦passed: 12, compass: north2, monkey: see3, hotkey: ctrl+s1, secretary: ana2
constant¦api_key=API_KEY
numbered variable¦sign_in(secret=secret1, token=tokens[0])
nothing¦token= and password:
sign-in profile¦sso_session = practice1\nsource_profile=base2\ncredential_source = Ec2InstanceMetadata
MFA device¦mfa_serial = arn:aws:iam::111122223333:mfa/ana
token issuer¦tti-0123456789abcdef-ab12
stack¦arn:aws:cloudformation:us-east-1:111122223333:stack/SetUpKit1/4d5e6f70-1111-2222-3333-444455556666
"""


_WAYS = ("out", "err", "flush", "flush_err", "result", "html", "data", "error")
_PLACE = re.compile(r"\{(\w+)\}")


def _text(written, values):
    """Return a text with its values, and with the line ends, tabs and controls that it names."""
    filled = _PLACE.sub(lambda match: values.get(match[1], match[0]), written.replace("\\\\", "\0"))
    for name, character in (("\\n", "\n"), ("\\t", "\t"), ("\\x1b", "\x1b"), ("\0", "\\")):
        filled = filled.replace(name, character)
    return filled


def planted():
    """Return the writings that hold a secret."""
    rows = []
    for number, line in enumerate(_PLANTED.strip().split("\n")):
        label, *fields = line.split("¦")
        values, steps = _values(number), []
        while fields and fields[0] in _WAYS:
            steps.append((fields[0], _text(fields[1], values)))
            fields = fields[2:]
        named = _PLACE.findall(fields[0] if fields else "".join(line.split("¦")[1:]))
        parts = [values[name] for name in named if name in values] or fields
        rows.append(Writing(label, tuple(steps), tuple(parts)))
    return rows


def innocent():
    """Return the writings that hold none."""
    rows = []
    for number, line in enumerate(_INNOCENT.strip().split("\n")):
        label, written = line.split("¦")
        text = _text(written, _values(10_000 + number))
        rows.append(Writing(label, (("out", text + "\n"),), (text,)))
    return rows


def missed(writings, left):
    """Return the labels of planted writings of which a part is in the text that was left, in their order."""
    return [
        row.label for row, text in zip(writings, left, strict=True) if any(part in text for part in row.parts)
    ]


def touched(writings, left):
    """Return the labels of innocent writings of which a part is not in the text that was left."""
    return [
        row.label
        for row, text in zip(writings, left, strict=True)
        if any(part not in text for part in row.parts)
    ]
