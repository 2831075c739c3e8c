"""Tables as pandas DataFrames, for people who go on working with them; the only home of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd


def table_frame(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> pd.DataFrame:
    """Return rows under their columns, in their order, all of them text."""
    return pd.DataFrame(list(rows), columns=list(columns), dtype=object)


def access_frame(reaches: Iterable[tuple[str, str, str]], accounts: Sequence[str]) -> pd.DataFrame:
    """Return who reaches what, as a matrix."""
    cells: dict[str, dict[str, set[str]]] = {}
    for principal, account, permission_set in reaches:
        cells.setdefault(principal, {}).setdefault(account, set()).add(permission_set)
    rows = [
        [", ".join(sorted(cells[who].get(account, ()))) or "–" for account in accounts]
        for who in sorted(cells)
    ]
    return pd.DataFrame(
        rows, index=pd.Index(sorted(cells), name="principal"), columns=list(accounts), dtype=object
    )


def grouped_access_frame(
    reaches: Iterable[tuple[str, str, str]], accounts: Sequence[tuple[str, str]]
) -> pd.DataFrame:
    """Return who reaches what as `access_frame` does, with the accounts below what they are grouped by."""
    frame = access_frame(reaches, [account for _, account in accounts])
    frame.columns = pd.MultiIndex.from_tuples(accounts, names=["organizational unit", "account"])
    return frame
