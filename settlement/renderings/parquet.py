"""Lines as Parquet, for analysis: every member of a line in a column of its type, amounts as exact decimals.

Money has six digits behind the point, points twelve. The file's own key-value data names the report by its digest.
Memory is bounded, however many lines there are: they are spilled beside the file.
"""

import re
from pathlib import Path
from typing import Final

import duckdb

from settlement.renderings.paper import Unrenderable

MEMORY_MB: Final = 512
THREADS: Final = 2
_COLUMNS: Final = (
    "{\"window\": 'BIGINT', movement: 'VARCHAR', leg: 'INTEGER', kind: 'VARCHAR', \"at\": 'VARCHAR', "
    "currency: 'VARCHAR', amount: 'DECIMAL(38,6)', \"from\": 'VARCHAR', \"to\": 'VARCHAR', "
    "purpose: 'VARCHAR', reverses: 'VARCHAR', terms: 'VARCHAR', price: 'DECIMAL(38,12)', "
    "share: 'STRUCT(plan VARCHAR, fee DECIMAL(38,6), kept DECIMAL(38,6))', invoice: 'VARCHAR', "
    "corrects: 'STRUCT(dispute VARCHAR, movement VARCHAR, leg INTEGER)', "
    "points: 'STRUCT(currency VARCHAR, amount DECIMAL(38,12))[]'}"
)
_COPY: Final = """
COPY (
    SELECT "window", movement, leg, kind, "at"::TIMESTAMPTZ AS "at", currency, amount,
        "from", "to", purpose, reverses, points, terms, price, share, invoice, corrects
    FROM read_ndjson($lines, columns = {columns}, maximum_object_size = 65536)
) TO '{target}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880, KV_METADATA {{report: '{digest}'}})
"""
_PLAIN: Final = re.compile(r"[0-9a-f]{64}")


def parquet(lines: Path, digest: str, target: Path) -> None:
    """Write the lines in the file ``lines``, which were verified before, to ``target``.

    Raises:
        Unrenderable: an amount has more digits than such a file holds.
    """
    if _PLAIN.fullmatch(digest) is None:
        raise ValueError("no digest")
    spill = target.with_name(f"{target.name}.spill")
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{MEMORY_MB}MB",
        "threads": str(THREADS),
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        try:
            connection.execute(
                _COPY.format(columns=_COLUMNS, target=str(target).replace("'", "''"), digest=digest),
                {"lines": str(lines)},
            )
        except duckdb.InvalidInputException as error:
            raise Unrenderable(str(error).splitlines()[0]) from None
