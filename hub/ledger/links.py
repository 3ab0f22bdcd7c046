"""Links: customers of two institutions who are one person, by the consent that each institution vouches for. Pure.

A link joins its two customers and nobody else: a link of A with B and one of B with C say nothing of A and C, because
nobody vouched for those two. A customer has at most one active link to each other institution. Either side ends it at
once and alone; nothing that was done under it is undone.
"""

import msgspec

from hub.access import Right
from hub.errors import Duplicate, Forbidden, InvalidInput, NotFound
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.ledger.records import Customer, Link, LinkStatus, Step

_OPEN = (LinkStatus.PROPOSED, LinkStatus.ACTIVE)


def propose(book: Book, command: commands.ProposeLink) -> Draft:
    """The institution of ``a`` says that its customer has consented; that of ``b`` has yet to say so of its own.

    Raises:
        InvalidInput: both are customers of one institution.
        Duplicate: the two have an open link, or one of them an active one to the other's institution.
    """
    home = resolve.institution(book, command.a.institution)
    acting = resolve.allow(book, command.actor, Right.VOUCH, home.id)
    away = resolve.institution(book, command.b.institution)
    resolve.active(book, home.id, away.id)
    if home is away:
        raise InvalidInput(b="of the same institution")
    a, b = resolve.known_customer(book, command.a, home), resolve.known_customer(book, command.b, away)
    if any(link.other(a.id).id == b.id for link in _of(book, a, _OPEN)):
        raise Duplicate(institution=away.code)
    _single(book, a, b)
    draft = Draft(book)
    step = Step(draft.new_id(), book.at, command.actor, acting)
    if command.evidence:
        draft.memos.append((step.id, command.evidence))
    return _take(draft, Link(id=step.id, a=a, b=b, changes=((LinkStatus.PROPOSED, step),)))


def accept(book: Book, command: commands.AcceptLink) -> Draft:
    """The institution of ``b`` says that its customer has consented too: the link is active. The operator cannot say so
    for a member, whose customers it does not know.

    Raises:
        NotFound: there is no such link for the caller.
        InvalidInput: it is not proposed any more.
        Duplicate: one of the two has an active link to the other's institution by now.
    """
    link = _visible(book, command.actor, command.id)
    asking = resolve.credential(book, command.actor)
    operator = book.configuration.operator.id
    if asking.institution == operator != link.b.institution:
        raise Forbidden(right=Right.VOUCH.value)
    acting = resolve.allow(book, command.actor, Right.VOUCH, link.b.institution)
    resolve.active(book, link.a.institution, link.b.institution)
    if link.status is not LinkStatus.PROPOSED:
        raise InvalidInput(status=link.status.value)
    _single(book, link.a, link.b)
    draft = Draft(book)
    return _change(draft, link, LinkStatus.ACTIVE, Step(draft.new_id(), book.at, command.actor, acting))


def end(book: Book, command: commands.EndLink) -> Draft:
    """Either side takes its word back, whatever the institutions' status: an active link is ended, a proposed one
    rejected. Of an open quote that needed it nothing is left.

    Raises:
        NotFound: there is no such link for the caller.
        InvalidInput: the reason is blank, or the link is over.
    """
    link = _visible(book, command.actor, command.id)
    acting = _side(book, command.actor, link)
    if not command.reason.strip():
        raise InvalidInput(reason="empty")
    if link.status not in _OPEN:
        raise InvalidInput(status=link.status.value)
    status = LinkStatus.ENDED if link.status is LinkStatus.ACTIVE else LinkStatus.REJECTED
    draft = Draft(book)
    step = Step(draft.new_id(), book.at, command.actor, acting)
    draft.memos.append((step.id, command.reason))
    return _change(draft, link, status, step)


def are_one(book: Book, one: Customer, other: Customer) -> bool:
    """Whether two customers are one person: the same, or actively linked with each other."""
    if one.id == other.id:
        return True
    return any(link.other(one.id).id == other.id for link in _of(book, one, (LinkStatus.ACTIVE,)))


def _of(book: Book, customer: Customer, statuses: tuple[LinkStatus, ...]) -> list[Link]:
    return [link for link in book.links_of.get(customer.id, {}).values() if link.status in statuses]


def _single(book: Book, a: Customer, b: Customer) -> None:
    """Pass if neither customer has an active link to the other's institution.

    Raises:
        Duplicate: with that institution.
    """
    for mine, away in ((a, b.institution), (b, a.institution)):
        if any(link.other(mine.id).institution == away for link in _of(book, mine, (LinkStatus.ACTIVE,))):
            raise Duplicate(institution=book.configuration.institutions[away].code)


def _visible(book: Book, actor: int, id: int | None) -> Link:
    link = book.links.get(id or 0)
    if link is None or not resolve.sees(book, resolve.credential(book, actor), link.a.institution, link.b.institution):
        raise NotFound
    return link


def _side(book: Book, actor: int, link: Link) -> int:
    """The institution that speaks for one of the customers."""
    try:
        return resolve.allow(book, actor, Right.VOUCH, link.a.institution)
    except Forbidden:
        return resolve.allow(book, actor, Right.VOUCH, link.b.institution)


def _change(draft: Draft, link: Link, status: LinkStatus, step: Step) -> Draft:
    return _take(draft, msgspec.structs.replace(link, changes=(*link.changes, (status, step))))


def _take(draft: Draft, link: Link) -> Draft:
    draft.links.append(link)
    draft.result = link
    return draft
