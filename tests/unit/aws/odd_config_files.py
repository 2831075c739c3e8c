"""Config files that people have, and what happens when profile ``practice`` is written: one row each."""

from __future__ import annotations

from dataclasses import dataclass

PORTAL = "https://practice-portal.awsapps.com/start"
OTHER_PORTAL = "https://corp.awsapps.com/start"


@dataclass(frozen=True)
class Accepted:
    """What the new profile differs in from the kit's wishes: because somebody else's key stays."""

    session: str = "practice"
    region: str = "eu-west-1"
    kept: tuple[str, ...] = ()  # lines that are still there, letter by letter


@dataclass(frozen=True)
class Refused:
    """Nothing is written; the error names this line and says these words."""

    line: int | None
    words: str


OWN = (
    "[profile practice]\n"
    "# made by identity-center-runbook-kit for practice, Auditor in 999999999999\n"
    "sso_session = practice\nsso_account_id = 999999999999\nsso_role_name = Auditor\n"
    "region = us-west-2\noutput = json\n\n"
    "[sso-session practice]\n"
    f"# made by identity-center-runbook-kit for practice, {OTHER_PORTAL} in us-east-1\n"
    f"sso_start_url = {OTHER_PORTAL}\nsso_region = us-east-1\n"
    "sso_registration_scopes = sso:account:access\n"
)
SAME_ROLE = "sso_account_id = 111122223333\nsso_role_name = ReadOnly\n"
SESSION = f"[sso-session practice]\nsso_start_url = {PORTAL}\nsso_region = us-east-1\n"
OTHERS_SESSION = f"[sso-session practice]\nsso_start_url = {OTHER_PORTAL}\nsso_region = us-east-1\n"

ROWS: dict[str, tuple[str | bytes, Accepted | Refused]] = {
    # --- as it is written
    "empty": ("", Accepted()),
    "only blank lines": ("\n\n  \n", Accepted()),
    "only comments": ("# mine\n; too\n", Accepted(kept=("# mine", "; too"))),
    "colon": ("[profile practice]\nregion: eu-central-1\n", Accepted(region="eu-central-1")),
    "capitals": ("[profile practice]\nREGION = eu-central-1\n", Accepted(region="eu-central-1")),
    "colon and capitals elsewhere": ("[default]\nREGION : x\n", Accepted(kept=("REGION : x",))),
    "no blanks around =": ("[profile practice]\nregion=us-west-2\n", Accepted(region="us-west-2")),
    "double quotes": ('[profile "practice"]\nregion = a-b-1\n', Accepted(region="a-b-1")),
    "single quotes": ("[profile 'practice']\nregion = a-b-1\n", Accepted(region="a-b-1")),
    "quotes within the name": ('[profile prac"tice"]\nregion = a-b-1\n', Accepted(region="a-b-1")),
    "a backslash in the name": ("[profile prac\\tice]\nregion = a-b-1\n", Accepted(region="a-b-1")),
    "two blanks": ("[profile   practice ]\nregion = a-b-1\n", Accepted(region="a-b-1")),
    "a tab in the heading": ("[profile\tpractice]\nregion = a-b-1\n", Accepted(region="a-b-1")),
    "words behind the heading": ("[profile practice] mine\nregion = a-b-1\n", Accepted(region="a-b-1")),
    "a blank before profile: no AWS tool sees it": (
        "[ profile practice ]\nregion = a\n",
        Accepted(kept=("[ profile practice ]", "region = a")),
    ),
    "a capital P: no AWS tool sees it": ("[Profile practice]\nregion = a\n", Accepted(kept=("region = a",))),
    "without profile: no AWS tool sees it": ("[practice]\nrole_arn = a\n", Accepted(kept=("[practice]",))),
    "three words: no AWS tool sees it": (
        "[profile practice x]\nrole_arn = a\n",
        Accepted(kept=("role_arn = a",)),
    ),
    "another's name with blanks": ('[profile "my name"]\nregion = a\n', Accepted(kept=("region = a",))),
    "an open quote elsewhere": ('[profile "x]\nregion = a\n', Accepted(kept=('[profile "x]',))),
    "default and profile default": (
        "[default]\na = 1\n[profile default]\na = 2\n",
        Accepted(kept=("a = 2",)),
    ),
    "one profile of others in two spellings": (
        '[profile x]\na = 1\n[profile "x"]\na = 2\n',
        Accepted(kept=("a = 1", "a = 2")),
    ),
    "nested s3": (
        "[profile practice]\ns3 =\n  region = no\n  addressing_style = path\n",
        Accepted(kept=("  region = no", "  addressing_style = path")),
    ),
    "nested s3 below tabs, at the end": (
        "[profile practice]\nregion = a-b-1\ns3 =\n\taddressing_style = path",
        Accepted(region="a-b-1", kept=("\taddressing_style = path",)),
    ),
    "services": (
        "[profile practice]\nservices = dev\n\n[services dev]\ns3 =\n  endpoint_url = http://x\n",
        Accepted(kept=("services = dev", "  endpoint_url = http://x")),
    ),
    "a comment within": (
        "[profile practice]\n# a\nregion = a-b-1\n; b\n\n# of the next\n[profile next]\nregion = c\n",
        Accepted(region="a-b-1", kept=("# a", "; b", "# of the next", "region = c")),
    ),
    "what looks like a comment is a value": (
        "[profile practice]\nregion = a-b-1 # mine\n",
        Accepted(region="a-b-1 # mine", kept=("region = a-b-1 # mine",)),
    ),
    "a heading in a comment": ("# [profile practice]\n[default]\na = 1\n", Accepted(kept=("a = 1",))),
    "a heading in a value": (
        "[default]\na =\n  [profile practice] = 1\n",
        Accepted(kept=("  [profile practice] = 1",)),
    ),
    "keys with an indent": ("[profile practice]\n    region = a-b-1\n", Accepted(region="a-b-1")),
    "headings with an indent": (
        "  [profile practice]\n  region = a-b-1\n  [profile x]\n  region = c\n",
        Accepted(region="a-b-1", kept=("  region = c",)),
    ),
    "no line end at the end": ("[profile practice]\nregion = a-b-1", Accepted(region="a-b-1")),
    "no line end, another profile": ("[profile x]\nregion = a", Accepted(kept=("region = a",))),
    "CRLF": ("[profile practice]\r\nregion = a-b-1\r\n[profile x]\r\na = 1\r\n", Accepted(region="a-b-1")),
    "CR alone": (b"[profile x]\rregion = a\r", Accepted()),
    "UTF-8": ("[profile x]\n# café ☕\nrégion = ü\n", Accepted(kept=("# café ☕", "région = ü"))),
    "a line separator of Unicode in a value": ("[profile x]\na = 1\u20282\x0c3\x854\n", Accepted()),
    "a value over two lines": ("[profile x]\na = 1\n  2\n\n  3\n", Accepted(kept=("  2", "  3"))),
    "other sections": ("[plugins]\ncli_legacy = x\n[preview]\ncloudfront = true\n", Accepted()),
    "DEFAULT, which every section inherits": ("[DEFAULT]\ncli_pager =\n", Accepted(kept=("cli_pager =",))),
    "a percent sign": ("[profile x]\na = %(b)s 100%\n", Accepted(kept=("a = %(b)s 100%",))),
    "very long": ("".join(f"[profile p{n}]\nregion = r{n}\n\n" for n in range(1000)), Accepted()),
    # --- whose profile
    "keys of others are kept": (
        "[profile practice]\ncli_pager =\nmax_attempts = 3\nduration_seconds = 900\n",
        Accepted(kept=("max_attempts = 3",)),
    ),
    "as wanted, by somebody else": (
        f"[profile practice]\nsso_session = practice\n{SAME_ROLE}region = x\noutput = text\n{SESSION}",
        Accepted(region="x", kept=("output = text",)),
    ),
    "as wanted, through a session of another name": (
        f"[profile practice]\nsso_session = corp\n{SAME_ROLE}region = x\noutput = text\n"
        f"[sso-session corp]\nsso_start_url = {PORTAL}/#/\nsso_region = us-east-1\n",
        Accepted(session="corp", region="x"),
    ),
    "as wanted, in the old form": (
        f"[profile practice]\nsso_start_url = {PORTAL}\nsso_region = us-east-1\n{SAME_ROLE}",
        Accepted(),
    ),
    "the old form, of another portal": (
        f"[profile practice]\nsso_start_url = {OTHER_PORTAL}\nsso_region = us-east-1\n{SAME_ROLE}",
        Refused(2, "sso_start_url = 'https://corp"),
    ),
    "another account": ("[profile practice]\nsso_account_id = 999999999999\n", Refused(2, "999999999999")),
    "another role": (f"[profile practice]\nsso_role_name = Admin\n{SESSION}", Refused(2, "'Admin'")),
    "a session that is not there": ("[profile practice]\nsso_session = gone\n", Refused(2, "'gone'")),
    "another's session of another portal": (
        f"[profile practice]\nsso_session = practice\n{SAME_ROLE}{OTHERS_SESSION}",
        Refused(2, "sso_session = 'practice'"),
    ),
    "keys": ("[default]\n[profile practice]\naws_access_key_id = AKIA\n", Refused(3, "aws_access_key_id")),
    "a role": ("[profile practice]\n\nrole_arn: arn:aws:iam::1:role/x\n", Refused(3, "role_arn")),
    "a program": ("[profile practice]\nCREDENTIAL_PROCESS = /bin/x\n", Refused(2, "credential_process")),
    "aws login": ("[profile practice]\nlogin_session = arn:aws:iam::1:user/x\n", Refused(2, "login_session")),
    "keys from DEFAULT": ("[DEFAULT]\naws_access_key_id = AKIA\n", Refused(1, "[DEFAULT] gives")),
    "a Region from DEFAULT, which session and profile get": (
        "# x\n[DEFAULT]\nregion = us-west-2\n",
        Refused(2, "[DEFAULT] gives"),
    ),
    "a heading with an indent below a heading without keys": (
        "[profile practice]\n   [profile next]\nregion = a\n",
        Refused(None, "no AWS tool could read the file"),
    ),
    "the name in two spellings": (
        '[profile practice]\na = 1\n[profile "practice"]\na = 2\n',
        Refused(3, "a second section for profile 'practice' (first on line 1)"),
    ),
    "the kit's own, for another role": (OWN, Accepted(session="practice")),
    "the kit's own, with old keys that contradict": (
        OWN.replace("output = json\n", f"output = json\nsso_start_url = {OTHER_PORTAL}\nsso_region: x\n"),
        Accepted(),
    ),
    "the kit's own, changed by hand": (
        OWN.replace("= Auditor", "= Admin"),
        Refused(3, "sso_role_name = 'Admin'"),
    ),
    "the kit's own, copied to this name": (
        OWN.replace("for practice, Auditor", "for first, Auditor"),
        Refused(3, "'https://corp.awsapps.com/start' in 'us-east-1', sso_account_id"),
    ),
    "the kit's own session, of a profile that somebody else made": (
        f"[profile practice]\nsso_session = practice\n{SAME_ROLE}" + OWN[OWN.index("[sso-session") :],
        Refused(2, "sso_session = 'practice'"),
    ),
    "the kit's own, with keys added": (
        OWN.replace("output = json\n", "output = json\nrole_arn = x\n"),
        Refused(8, "role_arn"),
    ),
    # --- whose session
    "another's session": (
        OTHERS_SESSION,
        Accepted(session="practice-2", kept=(f"sso_start_url = {OTHER_PORTAL}",)),
    ),
    "two of others": (
        OTHERS_SESSION + OTHERS_SESSION.replace("practice]", "practice-2]"),
        Accepted(session="practice-3"),
    ),
    "another's session of this portal": (SESSION, Accepted()),
    "another's session of this portal, quoted": (SESSION.replace("practice]", '"practice"]'), Accepted()),
    "one of this portal, for another purpose": (
        SESSION + "sso_registration_scopes = codewhisperer:completions\n",
        Accepted(session="practice-2"),
    ),
    "one of this portal, in another Region": (
        SESSION.replace("us-east-1", "eu-west-1"),
        Accepted(session="practice-2"),
    ),
    "the kit's own, which another profile uses too": (
        OWN + "[profile second]\nsso_session = practice\n",
        Accepted(session="practice-2", kept=(f"sso_start_url = {OTHER_PORTAL}",)),
    ),
    "the kit's own session, changed by hand": (
        OWN.replace(f"sso_start_url = {OTHER_PORTAL}", "sso_start_url = https://x.awsapps.com/start"),
        Accepted(session="practice-2", kept=("sso_start_url = https://x.awsapps.com/start",)),
    ),
    # --- what no AWS tool can read
    "a key twice": ("[profile x]\nregion = a\nRegion: b\n", Refused(3, "duplicate key 'region'")),
    "a section twice": ("[profile x]\na = 1\n\n[profile x]\n", Refused(4, "a second section [profile x]")),
    "a key before the first heading": (
        "# a\nregion = a\n[default]\n",
        Refused(2, "before the first [heading]"),
    ),
    "an open heading": ("[profile x\nregion = a\n", Refused(1, "before the first [heading]")),
    "a line without =": ("[profile x]\na = 1\nregion\n", Refused(3, "neither a [heading] nor key = value")),
    "a line without a key": ("[profile x]\n= 1\n", Refused(2, "neither a [heading] nor key = value")),
    "Latin-1": (b"[profile x]\n# ok\n# caf\xe9\n", Refused(3, "byte 0xe9 is not UTF-8 text")),
    "UTF-16": ("[default]\n".encode("utf-16"), Refused(1, "is not UTF-8 text")),
    "a byte-order mark": (b"\xef\xbb\xbf[default]\na = 1\n", Refused(1, "byte-order mark")),
    "a nested line without =": ("[profile x]\na = 1\ns3 =\n  b = 1\n  c\n", Refused(5, "nested block")),
    "words for a person": ("Hello\n", Refused(1, "before the first [heading]")),
}
