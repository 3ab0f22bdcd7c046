"""Setting up: the first batch of a hub, with its operator, the operator's first key and the first window."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine

from hub.access import hash_secret, new_secret
from hub.configuration import Configuration
from hub.db import Addresses, driver_of
from hub.errors import Failure
from hub.institutions import OPERATOR_CODE
from hub.ledger import journal
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.store import Batch
from hub.registry import credentials, institutions
from hub.windows import first_window


class AlreadySetUp(Failure):
    """The hub is set up already; its first key was shown then. Make further keys with createCredential."""


async def set_up(where: Addresses, name: str, person: str) -> tuple[str, int, str]:
    """Make the operator and its first key in a migrated, empty database; answers the operator's code, the key's
    identifier and its secret, which is kept nowhere.

    Raises:
        AlreadySetUp: the hub has a history.
    """
    secret = new_secret()
    engine = create_async_engine(where.owner)
    try:
        async with engine.begin() as connection:
            head = await journal.begin(connection)
            book = Book(head.batch + 1, head.at, Configuration())
            draft = Draft(book)
            operator = institutions.root(draft, OPERATOR_CODE, name)
            first = credentials.first(draft, operator, person, hash_secret(secret))
            credentials.host(draft, operator)
            first_window(draft)
            batch = Batch(book)
            batch.take(draft, first.id)
            await batch.save(driver_of(connection), head)
    except IntegrityError as error:
        raise AlreadySetUp from error
    finally:
        await engine.dispose()
    return operator.code, first.id, secret
