"""Files of a bank: read for the operator, known by their SHA-256, and looked at before they are taken."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Table, select

from hub.access import Right, require
from hub.ledger.journal import JOURNAL_ID
from hub.reading import Reader, Reading
from settlement import uploads

_BOM: Final = b"\xef\xbb\xbf"
T = TypeVar("T")


async def read(reading: Reading, actor: int, content: bytes, parse: Callable[[bytes], list[T]]) -> tuple[str, list[T]]:
    """What ``parse`` makes of a file, which takes a while, and the file's digest.

    Raises:
        FileRefused: it cannot be read.
        Fault: the actor is not the operator's.
    """
    async with reading.open(actor) as reader:
        tree = reader.configuration
        require(reader.viewer, Right.OPERATE, tree.institutions, tree.operator.id, reader.at)
    return hashlib.sha256(content).hexdigest(), await asyncio.to_thread(parse, content)


def parse(
    content: bytes,
    of_xml: Callable[[bytes], list[T]],
    columns: uploads.Columns,
    of_rows: Callable[[list[uploads.Row]], list[T]],
) -> list[T]:
    """A file's records: a message of ISO 20022, or a table (CSV, XLSX) of these columns.

    Raises:
        FileRefused: it is neither.
    """
    if len(content) > uploads.BYTES_MAX:
        raise uploads.FileRefused(uploads.Wrong.TOO_LARGE, f"it is larger than {uploads.BYTES_MAX:,} octets")
    if content.removeprefix(_BOM).lstrip().startswith(b"<"):
        return of_xml(content)
    return of_rows(uploads.read(content, columns))


async def is_taken(reader: Reader, files: Table, digest: str) -> bool:
    """Whether a file with this content was taken before."""
    known = select(files.c.id).where(files.c.journal_id == JOURNAL_ID, files.c.digest == digest)
    return await reader.connection.scalar(known) is not None
