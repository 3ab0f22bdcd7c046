"""Bank rows: files of statements as the database has them. Other batches ask nothing."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.books.banking import BankFile
from hub.ledger.book import Book
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.needs import Needs


async def load(connection: AsyncConnection, book: Book, needs: Needs) -> None:
    """The files of statements that were taken before with the digests asked for."""
    file = tables.bank_file
    found = await connection.execute(
        select(file).where(file.c.journal_id == JOURNAL_ID, file.c.digest.in_(needs.bank_files))
    )
    for row in found:
        made = BankFile(id=row.id, credential=row.credential_id, digest=row.digest, balances=row.balances)
        book.bank_files[made.digest] = made
