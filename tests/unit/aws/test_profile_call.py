"""The stand-in for the AWS CLI looks for tokens where its terminal keeps them, and nowhere else."""

import inspect
import sys
from pathlib import Path

from botocore.tokens import SSOTokenProvider

from idc_aws.signin.profile_call import look_for_tokens_below_home

# What else botocore reads of HOME at its import: models and a cache that no session of boto3 uses by itself.
_NOT_TOKENS = {"CUSTOMER_DATA_PATH", "CACHE_DIR"}


def places_below(home):
    """Yield where botocore's modules and classes keep a path below a home."""
    for module in [one for name, one in sys.modules.items() if name.startswith("botocore.")]:
        for holder in (module, *(one for _, one in inspect.getmembers(module, inspect.isclass))):
            for name, value in vars(holder).items():
                if isinstance(value, str) and value.startswith(str(home)):
                    yield holder, name


def test_no_token_is_looked_for_below_the_home_of_the_import(tmp_path, monkeypatch):
    imported_below = Path(SSOTokenProvider._SSO_TOKEN_CACHE_DIR).parents[2]
    for holder, name in set(places_below(imported_below)):
        if name not in _NOT_TOKENS:
            monkeypatch.setattr(holder, name, vars(holder)[name])  # the other tests have it back
    monkeypatch.setenv("HOME", str(tmp_path))
    look_for_tokens_below_home()
    assert {name for _, name in places_below(imported_below)} <= _NOT_TOKENS
    assert {name for _, name in places_below(tmp_path)} == {"_SSO_TOKEN_CACHE_DIR"}
