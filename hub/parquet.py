"""Parquet: rows as a file that tools for analysis read, by DuckDB."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import msgspec

_ENCODER = msgspec.json.Encoder()


def parquet(columns: Mapping[str, str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """The file of ``rows``, whose ``columns`` are given with their types in SQL. Values are those of JSON; a decimal is
    its text. It takes a disk's time and not the loop's: call it in a thread."""
    with TemporaryDirectory(prefix="points-hub-parquet-") as folder:
        read, written = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        with read.open("wb") as lines:
            lines.writelines(_ENCODER.encode(row) + b"\n" for row in rows)
        taken = ", ".join(f"'{name}': '{'VARCHAR' if _is_decimal(of) else of}'" for name, of in columns.items())
        wanted = ", ".join(f'"{name}"::{of} AS "{name}"' for name, of in columns.items())
        with duckdb.connect(":memory:") as database:
            database.execute("SET autoinstall_known_extensions = false")
            database.execute(
                f"COPY (SELECT {wanted} FROM read_json($1, format = 'newline_delimited', columns = {{{taken}}}))"
                f" TO '{written}' (FORMAT parquet)",
                [str(read)],
            )
        return written.read_bytes()


def _is_decimal(of: str) -> bool:
    return of.startswith("DECIMAL")
