"""The administrator's access key id carries its account, as those of AWS do."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idc_sandbox.aws_double.administrator import MANAGEMENT_ACCOUNT_ID, new_administrator, with_account


def account_in(access_key_id):
    """Read it the other way round: the first six of ten bytes, without the first and the last seven bits."""
    return f"{(int.from_bytes(base64.b32decode(access_key_id[4:])[:6], 'big') & 0x7FFFFFFFFF80) >> 7:012d}"


@pytest.mark.parametrize("seed", [0, 7, 2**60])
def test_it_is_the_management_account(seed):
    key_id = new_administrator(seed).access_key_id
    assert account_in(key_id) == MANAGEMENT_ACCOUNT_ID
    assert (key_id[:4], len(key_id)) == ("AKIA", 20)


@given(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16),
    st.integers(min_value=0, max_value=10**12 - 1).map("{:012d}".format),
)
def test_any_account_fits_into_any_key_id_and_the_rest_stays(letters, account_id):
    made = with_account(f"AKIA{letters}", account_id)
    assert account_in(made) == account_id
    assert made[-7:] == letters[-7:]
