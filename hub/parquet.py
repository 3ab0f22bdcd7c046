"""Parquet: rows as a file that tools for analysis read, by DuckDB. Memory is bounded, however many rows there are."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import msgspec

MEMORY_MB: Final = 512
THREADS: Final = 2
_INSTANT: Final = "TIMESTAMPTZ"  # read as text, of which the cast takes every spelling of RFC 3339
_PLAIN: Final = re.compile(r"[0-9A-Za-z_]+")
_ENCODER: Final = msgspec.json.Encoder()


class NotHeld(ValueError):
    """A value is none of its column's type, or has more digits than that holds."""


def convert(
    lines: Path,
    columns: Mapping[str, str],
    target: Path,
    about: Mapping[str, str] | None = None,
    everywhere: Mapping[str, str] | None = None,
) -> None:
    """Write the rows in the file ``lines``, an object of JSON in each line, to ``target``. ``columns``: the members
    that are taken, in their order, with their types in SQL; a decimal is its text, and what a row lacks is null.
    ``about``: the file's own key-value data; ``everywhere``: columns before the others that say the same in every row;
    plain words both. It takes a disk's time: call it in a thread.

    Raises:
        NotHeld: a value does not fit.
    """
    words = [*(about or {}).items(), *(everywhere or {}).items()]
    if any(_PLAIN.fullmatch(word) is None for pair in words for word in pair):
        raise ValueError("no plain word")
    taken = ", ".join(f"\"{name}\": '{'VARCHAR' if of == _INSTANT else of}'" for name, of in columns.items())
    wanted = ", ".join(f'"{name}"::{of} AS "{name}"' if of == _INSTANT else f'"{name}"' for name, of in columns.items())
    same = "".join(f"'{value}' AS \"{name}\", " for name, value in (everywhere or {}).items())
    told = ", ".join(f"{key}: '{value}'" for key, value in (about or {}).items())
    path = str(target).replace("'", "''")
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{MEMORY_MB}MB",
        "threads": str(THREADS),
        "temp_directory": str(target.with_name(f"{target.name}.spill")),
        "autoinstall_known_extensions": "false",
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        try:
            connection.execute(
                f"COPY (SELECT {same}{wanted} FROM read_ndjson($1, columns = {{{taken}}}, maximum_object_size = 65536))"
                f" TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880"
                f"{f', KV_METADATA {{{told}}}' if told else ''})",
                [str(lines)],
            )
        except duckdb.InvalidInputException as error:
            raise NotHeld(str(error).splitlines()[0]) from None


def parquet(columns: Mapping[str, str], rows: Iterable[Mapping[str, object]]) -> bytes:
    """The file of ``rows``, whose values are those of JSON; as ``convert``."""
    with TemporaryDirectory(prefix="points-hub-parquet-") as folder:
        read, written = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        with read.open("wb") as lines:
            lines.writelines(_ENCODER.encode(row) + b"\n" for row in rows)
        convert(read, columns, written)
        return written.read_bytes()
