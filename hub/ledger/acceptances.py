"""Acceptances: an institution accepts its report of a closed window with its own signature. Pure.

That the signature is its key's, and over the digest of that very report, was found out before; that the key is current,
and the institution's, is decided here.
"""

from datetime import datetime

from hub.acceptance.reports import Acceptance, deadline, standing_acceptance
from hub.errors import Duplicate, InvalidInput, NotFound
from hub.institutions import Institution
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Window, WindowStatus


def accept(book: Book, command: commands.AcceptReport) -> Draft:
    """Keep what an institution has signed over its report; by its own administrator, at any time after the closing.

    Raises:
        Forbidden: somebody else asks.
        NotFound: there is no such window, or the institution has no report of it.
        InvalidInput: the window is open, the key is not the institution's current one, or a dispute goes on.
        Duplicate: the report is accepted.
    """
    node = resolve.institution(book, command.institution)
    resolve.own_word(book, command.actor, node.id)
    window, _ = closed_window(book, command.window, node)
    key = book.configuration.acceptance_keys.get(command.kid)
    if key is None or key.institution != node.id or not key.is_current:
        raise InvalidInput(key=command.kid)
    if accepted(book, window.id, node.id) is not None:
        raise Duplicate(institution=node.code, window=window.number)
    if any(one.is_open for one in book.disputes.values() if (one.line.window, one.institution) == (window.id, node.id)):
        raise InvalidInput(disputed=window.number)
    draft = Draft(book)
    made = Acceptance(
        id=draft.new_id(),
        at=book.at,
        window=window.id,
        institution=node.id,
        digest=command.digest,
        kid=command.kid,
        jws=command.jws,
        credential=command.actor,
    )
    draft.acceptances.append(made)
    draft.result = made
    return draft


def accepted(book: Book, window: int, institution: int) -> Acceptance | None:
    """The acceptance of a report that counts."""
    mine = (one for one in book.acceptances if (one.window, one.institution) == (window, institution))
    return standing_acceptance(mine, book.configuration.acceptance_keys)


def closed_window(book: Book, id: int | None, node: Institution) -> tuple[Window, datetime]:
    """A closed window of which an institution has a report, and until when its lines may be disputed.

    Raises:
        NotFound: there is no such window, or the institution has no net in it.
        InvalidInput: the window is open, or the institution is the operator, whose report is the summary of all.
    """
    window = book.windows.get(id or 0) or book.settled_windows.get(id or 0)
    if window is None:
        raise NotFound
    if window.status is WindowStatus.OPEN or window.closed_in is None or window.closed_at is None:
        raise InvalidInput(window="still open")
    if node.id == book.configuration.operator.id:
        raise InvalidInput(institution=node.code)
    if all(net.institution != node.id for net in book.nets.get(window.id, ())):
        raise NotFound(institution=node.code, window=window.number)
    terms = book.configuration.dispute_terms.values()
    return window, deadline(terms, window.closed_in, window.closed_at)
