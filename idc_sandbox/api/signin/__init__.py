"""``signin``: how ``aws login`` gets keys of a person; importing this package registers its operations."""

# What each does: https://docs.aws.amazon.com/signin/latest/APIReference/API_Operations.html
from idc_sandbox.api.signin import login_tokens, logins

__all__ = ["login_tokens", "logins"]
