"""Setting up: the first batch of a hub, with its operator, the operator's first key and the first window."""

from collections.abc import Callable

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
    """The hub is set up already, and its first key is kept nowhere. Make further keys with createCredential."""


class KeyVoid(Failure):
    """The hub was not set up, so the key that was shown is void, unless 'points-hub init' now says that it is."""


async def set_up(
    where: Addresses, name: str, person: str, show: Callable[[str, int, str], None] | None = None
) -> tuple[str, int, str]:
    """Make the operator and its first key in a migrated, empty database; answers the operator's code, the key's
    identifier and its secret, which is kept nowhere.

    ``show`` is told the same right before that is committed; what it raises is raised, and nothing was made: a key that
    was shown in vain harms nobody, a hub whose only key nobody has seen is lost.

    Raises:
        AlreadySetUp: the hub has a history; nothing was shown.
        KeyVoid: it was shown, and then not committed, as far as is known.
    """
    secret, is_shown = new_secret(), False
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
            if show is not None:
                show(operator.code, first.id, secret)
                is_shown = True
    except IntegrityError as error:
        raise AlreadySetUp from error
    except Exception as error:
        if is_shown:
            raise KeyVoid from error
        raise
    finally:
        await engine.dispose()
    return operator.code, first.id, secret
