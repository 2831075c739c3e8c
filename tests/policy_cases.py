"""Policies that IAM takes and policies that it refuses: one table for the kit and for the sandbox.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from typing import Any

LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}


def policy(**elements: Any) -> dict[str, Any]:
    """Return a policy of one statement, with these elements changed, added, or (None) left out."""
    statement = {name: value for name, value in {**LIST, **elements}.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [statement]}


def condition(operator: str, value: Any, key: str = "aws:PrincipalTag/team") -> dict[str, Any]:
    """Return a policy whose one statement has this condition."""
    return policy(Condition={operator: {key: value}})


# what it is, the document, the kit's place in it, a part of the kit's words
REFUSED: tuple[tuple[str, Any, str, str], ...] = (
    ("two colons", policy(Action="ec2::Describe*"), "Statement[0].Action", "Write 'ec2:Describe*'"),
    ("no service", policy(Action="ListBuckets"), "Statement[0].Action", "Did you mean 's3:ListBucket' or"),
    ("its service", policy(Action="runinstances"), "Statement[0].Action", "'ec2:RunInstances'?"),
    ("one of several", policy(Action=["s3:Get*", "Get"]), "Statement[0].Action[1]", "names no service"),
    ("NotAction", policy(Action=None, NotAction="Get"), "Statement[0].NotAction", "names no service"),
    ("wildcard service", policy(Action="*:Untag*"), "Statement[0].Action", "wildcard in its service"),
    ("three colons", policy(Action="s3:a:b:c"), "Statement[0].Action", "more than one colon"),
    ("no name", policy(Action="s3:"), "Statement[0].Action", "is not an action"),
    ("blank in an action", policy(Action="s3:Get Object"), "Statement[0].Action", "is not an action"),
    ("soft hyphen", policy(Action="s3:Get\u00adObject"), "Statement[0].Action", "is not an action"),
    ("no-break space", policy(Action="s3:Get\u00a0Object"), "Statement[0].Action", "is not an action"),
    ("slash", policy(Action="s3/GetObject"), "Statement[0].Action", "names no service"),
    ("ARN as action", policy(Action="arn:aws:s3:::b"), "Statement[0].Action", "more than one colon"),
    ("number as action", policy(Action=5), "Statement[0].Action", "5 is not a text"),
    ("truth as action", policy(Action=[True]), "Statement[0].Action[0]", "True is not a text"),
    ("nothing as action", policy(Action=[None]), "Statement[0].Action[0]", "None is not a text"),
    ("mapping as action", policy(Action={"s3": "Get"}), "Statement[0].Action", "is not a text"),
    ("empty action", policy(Action=""), "Statement[0].Action", "names no service"),
    ("empty actions", policy(Action=[]), "Statement[0].Action", "is an empty list"),
    ("no action", policy(Action=None), "Statement[0]", "one of Action and NotAction; found neither"),
    ("both actions", policy(NotAction="s3:*"), "Statement[0]", "one of Action and NotAction; found both"),
    ("name as resource", policy(Resource="mybucket"), "Statement[0].Resource", "'arn:aws:s3:::mybucket'"),
    ("address", policy(Resource="s3://bucket"), "Statement[0].Resource", "neither an ARN"),
    ("arn alone", policy(Resource="arn"), "Statement[0].Resource", "neither an ARN"),
    ("upper-case ARN", policy(Resource="ARN:aws:s3:::b"), "Statement[0].Resource", "neither an ARN"),
    ("blank first", policy(Resource=" arn:aws:s3:::b"), "Statement[0].Resource", "neither an ARN"),
    ("partition", policy(Resource="arn:asw:s3:::b"), "Statement[0].Resource", "where the partition belongs"),
    ("template", policy(Resource="arn:${P}:s3:::b"), "Statement[0].Resource", "where the partition belongs"),
    ("partition missing", policy(Resource="arn::s3:::b"), "Statement[0].Resource", "partition belongs"),
    ("half partition", policy(Resource="arn:aw*:s3:::b"), "Statement[0].Resource", "partition belongs"),
    ("wildcard vendor", policy(Resource="arn:aws:*:::b"), "Statement[0].Resource", "not name its service"),
    ("vendor missing", policy(Resource="arn:aws:"), "Statement[0].Resource", "does not name its service"),
    ("partition only", policy(Resource="arn:aws"), "Statement[0].Resource", "does not name its service"),
    ("too few parts", policy(Resource="arn:aws:s3::b"), "Statement[0].Resource", "too few parts"),
    ("number", policy(Resource=["*", 5]), "Statement[0].Resource[1]", "5 is not a text"),
    ("empty resources", policy(Resource=[]), "Statement[0].Resource", "is an empty list"),
    ("empty resource", policy(Resource=""), "Statement[0].Resource", "neither an ARN"),
    ("no resource", policy(Resource=None), "Statement[0]", "one of Resource and NotResource; found neither"),
    ("both resources", policy(NotResource="*"), "Statement[0]", "one of Resource and NotResource"),
    ("unknown operator", condition("StringFoo", "x"), "Statement[0].Condition.StringFoo", "not a condition"),
    (
        "operator's case",
        condition("stringequals", "x"),
        "Statement[0].Condition.stringequals",
        "StringEquals",
    ),
    ("misspelt", condition("StringEqual", "x"), "Statement[0].Condition.StringEqual", "'StringEquals'"),
    ("set's case", condition("forAnyValue:StringLike", "x"), "Statement[0].Condition.", "not a condition"),
    ("Null IfExists", condition("NullIfExists", True), "Statement[0].Condition.NullIfExists", "IfExists"),
    ("condition list", policy(Condition=[]), "Statement[0].Condition", "is not a Condition"),
    ("condition text", policy(Condition="x"), "Statement[0].Condition", "is not a Condition"),
    ("operator list", policy(Condition={"Bool": []}), "Statement[0].Condition.Bool", "keys with values"),
    ("no value", condition("StringLike", []), "Statement[0].Condition.StringLike.", "has no value"),
    ("null value", condition("StringLike", None), "Statement[0].Condition.", "None is not a condition value"),
    ("deep value", condition("StringLike", [{"a": 1}]), "Statement[0].Condition.", "not a condition value"),
    ("key", condition("StringLike", "x", "SourceIp"), "Statement[0].Condition.", "names no service"),
    ("Actions", {**policy(), "Statement": [{**LIST, "Actions": "*"}]}, "Statement[0].Actions", "'Action'"),
    ("action", policy(Action=None, action="*"), "Statement[0].action", "Did you mean 'Action'"),
    ("Conditions", policy(Conditions={}), "Statement[0].Conditions", "Did you mean 'Condition'"),
    ("Principal", policy(Principal="*"), "Statement[0].Principal", "cannot have a Principal"),
    ("NotPrincipal", policy(NotPrincipal={}), "Statement[0].NotPrincipal", "cannot have a NotPrincipal"),
    ("effect's case", policy(Effect="allow"), "Statement[0].Effect", "Did you mean 'Allow'"),
    ("effect", policy(Effect="Permit"), "Statement[0].Effect", "Write 'Allow' or 'Deny'"),
    ("effect's blank", policy(Effect="Allow "), "Statement[0].Effect", "Did you mean 'Allow'"),
    ("effect truth", policy(Effect=True), "Statement[0].Effect", "has the Effect True"),
    ("effect list", policy(Effect=["Allow"]), "Statement[0].Effect", "has the Effect ['Allow']"),
    ("no effect", policy(Effect=None), "Statement[0]", "needs an Effect"),
    ("Sid", policy(Sid="read reports"), "Statement[0].Sid", "holds ' '"),
    ("Sid's hyphen", policy(Sid="read-reports"), "Statement[0].Sid", "holds '-'"),
    ("Sid's letter", policy(Sid="Größe"), "Statement[0].Sid", "holds 'ö'"),
    ("Sid's digit", policy(Sid="Read\uff14"), "Statement[0].Sid", "holds"),
    ("Sid's type", policy(Sid=1), "Statement[0].Sid", "1 is not a text"),
    (
        "Sid twice",
        {"Statement": [{**LIST, "Sid": "A"}, LIST, {**LIST, "Sid": "A"}]},
        "Statement[2].Sid",
        "is used twice",
    ),
    ("version", {**policy(), "Version": "2012-10-18"}, "Version", "Write '2012-10-17'"),
    ("version's hyphens", {**policy(), "Version": "2012\u201110\u201117"}, "Version", "'2012-10-17'"),
    ("version's number", {**policy(), "Version": 2012}, "Version", "is not a version"),
    ("version", {"version": "2012-10-17", "Statement": LIST}, "version", "Did you mean 'Version'"),
    ("Statements", {"Statements": [LIST]}, "Statements", "Did you mean 'Statement'"),
    ("Id", {**policy(), "Id": 5}, "Id", "5 is not a text"),
    ("nothing", {"Version": "2012-10-17"}, "", "needs a Statement; found None"),
    ("no statements", {"Statement": []}, "Statement", "needs a Statement"),
    ("null statements", {"Statement": None}, "Statement", "needs a Statement"),
    ("text statement", {"Statement": "Allow"}, "Statement", "needs a Statement"),
    ("texts", {"Statement": [LIST, "Allow"]}, "Statement[1]", "'Allow' is not a statement"),
    ("alone", {"Statement": {**LIST, "Effect": "No"}}, "Statement.Effect", "has the Effect 'No'"),
    ("hyphen in an action", policy(Action="ec2:Describe\u2011x"), "Statement[0].Action", "'\\u2011'"),
    ("full width", policy(Action="s3\uff1aGetObject"), "Statement[0].Action", "'\\uff1a'"),
    ("hyphen in an ARN", policy(Resource="arn:aws:s3:::a\u2011b"), "Statement[0].Resource", "'\\u2011'"),
    ("hyphen in a value", condition("StringLike", "a\u2011b"), "Statement[0].Condition.", "'\\u2011'"),
    ("zero width", policy(Resource="arn:aws:s3:::a\u200bb"), "Statement[0].Resource", "'\\u200b'"),
    ("curly quotes", policy(Resource="\u201c*\u201d"), "Statement[0].Resource", "'\\u201c'"),
    ("emoji", condition("StringLike", "\U0001f642"), "Statement[0].Condition.", "'\\U0001f642'"),
)

TAKEN: tuple[tuple[str, Any], ...] = (
    ("plain", policy()),
    ("all actions", policy(Action="*")),
    ("list of all", policy(Action=["*"], Resource=["*"])),
    ("new service", policy(Action="brand-new.service:DoWhatNobodyKnows")),
    ("wildcards", policy(Action=["s3:Get*", "ec2:Describe?nstances", "iam:*"])),
    ("any case", policy(Action="S3:getobject")),
    ("hyphen in a name", policy(Action="vpc-lattice:AssociateViaAWSService-EventsAndStates")),
    ("NotAction", policy(Action=None, NotAction=["iam:*"])),
    ("NotResource", policy(Resource=None, NotResource="arn:aws:s3:::secret/*")),
    ("deny", policy(Effect="Deny")),
    ("one statement", {"Version": "2012-10-17", "Statement": LIST}),
    ("two without Sid", {"Version": "2012-10-17", "Statement": [LIST, LIST]}),
    ("empty Sids", {"Version": "2012-10-17", "Statement": [{**LIST, "Sid": ""}, {**LIST, "Sid": ""}]}),
    ("Sid", policy(Sid="Read1")),
    ("Id", {**policy(), "Id": "my-policy"}),
    ("without a version", {"Statement": LIST}),
    ("the old version", {"Version": "2008-10-17", "Statement": LIST}),
    *(
        (f"resource {resource}", policy(Resource=resource))
        for resource in (
            "arn:aws:s3:::bucket/*",
            "arn:*:s3:::bucket",
            "arn:aws-cn:s3:::bucket",
            "arn:aws-us-gov:ec2:*:*:instance/*",
            "arn:aws-iso-b:s3:::b",
            "arn:aws-eusc:s3:::b",
            "arn:aws:iam::*:role/*",
            "arn:aws:iam::111122223333:*",
            "arn:aws:sqs",
            "arn:aws:codebuild:*",
            "arn:aws:s3:::${aws:username}/*",
            "arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'none'}",
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/x:*",
            "arn:aws:s3:us-east-1:111122223333:accesspoint/a",
            "arn:aws:s3:::b/Größe",
        )
    ),
    *(
        (f"condition {operator} {value!r}", condition(operator, value))
        for operator, value in (
            ("StringEquals", "x"),
            ("StringEqualsIfExists", ["x", "y"]),
            ("StringNotEqualsIgnoreCaseIfExists", "x"),
            ("ForAnyValue:StringLike", ["a*"]),
            ("ForAllValues:StringEqualsIfExists", ["a"]),
            ("ForAllValues:Null", False),
            ("Null", True),
            ("Null", "true"),
            ("Bool", True),
            ("Bool", "false"),
            ("BoolIfExists", "true"),
            ("NumericLessThan", 5),
            ("NumericGreaterThanEquals", "5.5"),
            ("DateGreaterThan", "2026-01-01T00:00:00Z"),
            ("DateLessThanEquals", 1767225600),
            ("IpAddress", ["192.0.2.0/24", "2001:db8::/32"]),
            ("NotIpAddress", "192.0.2.1"),
            ("ArnLike", "arn:aws:iam::*:role/x"),
            ("ArnNotEqualsIfExists", "arn:aws:iam::111122223333:role/x"),
            ("BinaryEquals", "QmluYXJ5"),
        )
    ),
    ("empty condition", policy(Condition={})),
    ("operator without keys", policy(Condition={"Bool": {}})),
    ("federated key", condition("StringEquals", "x", "token.actions.githubusercontent.com:sub")),
)
