"""Lines as Parquet, for analysis: every member of a line in a column of its type, amounts as exact decimals.

Money has six digits behind the point, points twelve. The file's own key-value data names the report by its digest;
an interim statement is called so there, and in a column of each row.
"""

import re
from pathlib import Path
from typing import Final

from hub.parquet import NotHeld, convert
from settlement.renderings.paper import Unrenderable

_COLUMNS: Final = {
    "window": "BIGINT",
    "movement": "VARCHAR",
    "leg": "INTEGER",
    "kind": "VARCHAR",
    "at": "TIMESTAMPTZ",
    "currency": "VARCHAR",
    "amount": "DECIMAL(38,6)",
    "from": "VARCHAR",
    "to": "VARCHAR",
    "purpose": "VARCHAR",
    "reverses": "VARCHAR",
    "points": "STRUCT(currency VARCHAR, amount DECIMAL(38,12))[]",
    "terms": "VARCHAR",
    "price": "DECIMAL(38,12)",
    "share": "STRUCT(plan VARCHAR, fee DECIMAL(38,6), kept DECIMAL(38,6))",
    "invoice": "VARCHAR",
    "corrects": "STRUCT(dispute VARCHAR, movement VARCHAR, leg INTEGER)",
}
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def parquet(lines: Path, digest: str, target: Path, *, interim: bool = False) -> None:
    """Write the lines in the file ``lines``, which were verified before, to ``target``; those of an ``interim``
    statement marked.

    Raises:
        Unrenderable: an amount has more digits than such a file holds.
    """
    if _DIGEST.fullmatch(digest) is None:
        raise ValueError("no digest")
    try:
        about = {"interim_statement" if interim else "report": digest}
        convert(lines, _COLUMNS, target, about, {"status": "INTERIM"} if interim else None)
    except NotHeld as error:
        raise Unrenderable(str(error)) from None
