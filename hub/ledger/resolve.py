"""What the words of a command mean in the book: codes to nouns, references to customers, and the rights to use them."""

from hub.access import Credential, Right, person_key, require
from hub.currencies import HOSTED, PartnerState, PointCurrency
from hub.errors import (
    CustomerClosed,
    Duplicate,
    Forbidden,
    Frozen,
    InsufficientLiquidity,
    InsufficientPoints,
    InvalidInput,
    LimitExceeded,
    NotAMember,
    NotFound,
    NotHosted,
    PartnerUnavailable,
    PoolRightMissing,
    SameApprover,
    Suspended,
    Unauthenticated,
    UnknownCurrency,
)
from hub.institutions import Institution, Status, is_below
from hub.ledger.book import Book
from hub.ledger.commands import KEY_MAX, Party
from hub.ledger.covered import check_cover
from hub.ledger.draft import Draft
from hub.ledger.gross import pay
from hub.ledger.records import Account, AccountKind, Customer, Mark, PoolRight
from hub.money import UnknownMoney, minor_unit
from hub.points import render


def credential(book: Book, actor: int) -> Credential:
    """The credential that asks.

    Raises:
        Unauthenticated: it is not live now.
    """
    found = book.configuration.credentials.get(actor)
    if found is None or not found.is_live(book.at):
        raise Unauthenticated
    return found


def institution(book: Book, code: str) -> Institution:
    """The institution with this code.

    Raises:
        NotFound: there is none.
    """
    found = book.configuration.institution(code)
    if found is None:
        raise NotFound(institution=code)
    return found


def currency(book: Book, code: str) -> PointCurrency:
    """The point currency with this code.

    Raises:
        UnknownCurrency: there is none.
    """
    found = book.configuration.currency(code)
    if found is None:
        raise UnknownCurrency(currency=code)
    return found


def hosted(of: PointCurrency, act: str) -> None:
    """Pass if the hub keeps the currency's balances itself: ``act`` is done to these, and no partner is asked for it.

    Raises:
        NotHosted: a partner keeps them.
    """
    if of.adapter != HOSTED:
        raise NotHosted(currency=of.code, act=act)


def taking_part(*currencies: PointCurrency) -> None:
    """Pass if something new may be begun with each currency's partner, if it has one.

    Raises:
        PartnerUnavailable: it is leaving, or halted.
    """
    for of in currencies:
        if of.partner is not PartnerState.ACTIVE:
            raise PartnerUnavailable(currency=of.code, state=of.partner.value)


def allow(book: Book, actor: int, right: Right, subject: int, *, exact: bool = False) -> int:
    """Pass if the actor has ``right`` for institution ``subject``; answers the institution that thereby acts: the
    actor's own, or for the operator the one on whose behalf it acts.

    Raises:
        Unauthenticated, Forbidden: see ``hub.access.require``.
    """
    asking = credential(book, actor)
    require(asking, right, book.configuration.institutions, subject, book.at, exact=exact)
    return subject if asking.operates else asking.institution


def operating(book: Book, actor: int) -> Credential:
    """Pass if the actor may operate the hub, and answers its key.

    Raises:
        Unauthenticated, Forbidden: see ``hub.access.require``.
    """
    allow(book, actor, Right.OPERATE, book.configuration.operator.id)
    return credential(book, actor)


def own_word(book: Book, actor: int, subject: int) -> Credential:
    """Pass if the actor is an administrator of institution ``subject`` itself, and answers its key. What is an
    institution's own word is said by nobody above it, and not by the operator on its behalf.

    Raises:
        Unauthenticated: it is not live now.
        Forbidden: it is somebody else.
    """
    asking = credential(book, actor)
    require(asking, Right.CONFIGURE, book.configuration.institutions, subject, book.at, exact=True)
    if asking.institution != subject:
        raise Forbidden(right=Right.CONFIGURE.value)
    return asking


def another_person(asking: Credential, before: str) -> None:
    """Pass if who asks is another person than ``before``, where two are wanted (``hub.access.person_key``).

    Raises:
        SameApprover: it is the same one, or a namesake.
    """
    if person_key(asking.person) == person_key(before):
        raise SameApprover(person=asking.person)


def second_person(book: Book, actor: int, first: int) -> None:
    """Pass if the actor is another person than the holder of the credential ``first``.

    Raises:
        SameApprover: see ``another_person``.
    """
    another_person(credential(book, actor), book.configuration.credentials[first].person)


def active(book: Book, *institutions: int, closing: bool = False) -> None:
    """Pass if all are active; with ``closing`` also if they are closed, for what was promised before.

    Raises:
        Suspended: one is not, itself or through one above it.
    """
    for node in institutions:
        status = book.status(node)
        if status is Status.SUSPENDED or (status is Status.CLOSED and not closing):
            raise Suspended(institution=book.configuration.institutions[node].code, status=status.value)


def known_customer(book: Book, party: Party, home: Institution) -> Customer:
    """A customer that exists, by its reference or by an identifier that is bound to it.

    Raises:
        NotFound: the reference is not enrolled.
    """
    found = book.customers.get((home.id, party.reference))
    if found is None:
        raise _unknown(book, party, home)
    return found


def _unknown(book: Book, party: Party, home: Institution) -> NotFound:
    """Who is not found, by name; an identifier by its mask, because refusals are kept for ever."""
    of = book.identifiers.get((home.id, party.reference))
    return NotFound(institution=home.code, reference=party.reference if of is None else of.masked)


def credited_customer(draft: Draft, party: Party, home: Institution) -> Customer:
    """A customer that a credit goes to; an unknown reference is enrolled where its institution has that so, but never
    an identifier that was bound before: it waits for its next owner.

    Raises:
        NotFound: the reference is not enrolled and its institution enrolls by itself, or it is an identifier.
        InvalidInput: the reference is empty.
    """
    found = draft.book.customers.get((home.id, party.reference)) or draft.enrolled(home.id, party.reference)
    if found is not None:
        return found
    if not party.reference.strip():
        raise InvalidInput(reference="empty")
    if not home.auto_enroll or (home.id, party.reference) in draft.book.identifiers:
        raise _unknown(draft.book, party, home)
    return draft.enroll(home.id, party.reference)


def remote_spender(
    draft: Draft, actor: int, party: Party, home: Institution, of: PointCurrency, by: Party | None
) -> Customer:
    """Who spends points that a partner keeps. Whom the partner knows, the hub need not have met. The partner is told
    the reference alone, which is one of the issuer's members whosever customer it is said to be: so who may act for
    ``home`` has to be one who may act for the issuer.

    Raises:
        Forbidden: the actor may not.
        NotFound, InvalidInput: see ``credited_customer``; or somebody spends of a pool.
        NotHosted: it is a pool, whose points the hub itself keeps.
    """
    if by is not None:
        raise InvalidInput(by=by.reference)
    if home.id != of.issuer:
        allow(draft.book, actor, Right.TRADE, of.issuer)
    found = credited_customer(draft, party, home)
    if found.id in draft.book.pools:
        raise NotHosted(currency=of.code, act="POOL")
    return found


def spendable(
    draft: Draft,
    customer: Customer,
    of: PointCurrency,
    amount: int,
    part: str | None = None,
    by: Party | None = None,
) -> Account:
    """The customer's account, with at least ``amount`` available, in ``part`` if it is named. ``by``: the member who
    spends of a pool, which is put on record.

    Raises:
        Frozen: nothing may leave the account, or anything of its customer's.
        InsufficientPoints: with what is available.
        InvalidInput: somebody spends of what is no pool.
        NotAMember, PoolRightMissing: who spends may not.
    """
    if customer.id in draft.book.pools:
        draft.spender = member(draft.book, customer, by, PoolRight.SPEND)
    elif by is not None:
        raise InvalidInput(by=by.reference)
    found = draft.book.accounts.get((AccountKind.CUSTOMER, customer.id, of.code))
    if found is not None and found.marks:
        unfrozen(found)
    available = draft.available(found, part) if found is not None else 0
    if found is None or available < amount:
        raise InsufficientPoints(available=render(available, of.scale), requested=render(amount, of.scale))
    return found


def member(book: Book, pool: Customer, by: Party | None, right: PoolRight | None = None) -> Customer:
    """The member of a pool that ``by`` names, with ``right`` if one is asked.

    Raises:
        NotAMember: it names none.
        PoolRightMissing: the member has not the right.
    """
    home = None if by is None else book.configuration.institution_codes.get(by.institution)
    found = None if by is None or home is None else book.customers.get((home, by.reference))
    membership = None if found is None else book.members.get((pool.id, found.id))
    if by is None or found is None or membership is None or membership.rights is None:
        raise NotAMember(**({} if by is None else {"member": by.reference}))
    if right is not None and right not in membership.rights:
        raise PoolRightMissing(member=by.reference, right=right.value)
    return found


def unfrozen(account: Account) -> None:
    """Pass if points may leave the account.

    Raises:
        Frozen: it, or its customer, is frozen.
        CustomerClosed: its customer has left.
    """
    allowed(account.currency, account.marks)


def marks_of(book: Book, customer: Customer, code: str) -> int:
    """The marks of what a customer has of a currency; a customer without an account in it has those of its own."""
    account = book.accounts.get((AccountKind.CUSTOMER, customer.id, code))
    return book.customer_marks.get(customer.id, 0) if account is None else account.marks


def allowed(code: str, marks: int) -> None:
    """Pass if points of a currency may leave an account with these marks.

    Raises:
        Frozen, CustomerClosed: as ``unfrozen``.
    """
    if marks & Mark.CLOSED:
        raise CustomerClosed
    if marks & (Mark.FROZEN | Mark.CUSTOMER_FROZEN):
        raise Frozen(currency=code)


def guard(book: Book, actor: int, of: PointCurrency, home: int | None = None) -> int:
    """Pass if the actor may protect points of ``of``: for their issuer, whose liability they are, or for ``home``.
    Answers for whom it acts.

    Raises:
        Suspended: the actor's own institution is not active.
        Unauthenticated, Forbidden: see ``hub.access.require``.
    """
    active(book, credential(book, actor).institution, closing=True)
    try:
        return allow(book, actor, Right.TRADE, of.issuer, exact=True)
    except Forbidden:
        if home is None:
            raise
        return allow(book, actor, Right.TRADE, home)


def reason(text: str) -> str:
    """A reason, for the record.

    Raises:
        InvalidInput: it is blank.
    """
    if not text.strip():
        raise InvalidInput(reason="blank")
    return text


def record(text: str) -> str:
    """What issues are made for, in their issuer's words.

    Raises:
        InvalidInput: it is blank, or too long to be found again.
    """
    if not text.strip() or len(text) > KEY_MAX:
        raise InvalidInput(record=text[:60])
    return text


def fresh_reference(book: Book, party: Party, home: Institution) -> None:
    """Pass if the reference can be enrolled.

    Raises:
        InvalidInput: it is empty.
        Duplicate: it is enrolled already.
    """
    if not party.reference.strip():
        raise InvalidInput(reference="empty")
    if (home.id, party.reference) in book.customers:
        raise Duplicate(institution=home.code, reference=party.reference)


def sees(book: Book, asking: Credential, *homes: int) -> bool:
    """Whether something that belongs to customers of ``homes`` exists for the credential."""
    nodes = book.configuration.institutions
    return asking.sees_all or any(is_below(nodes, home, asking.institution) for home in homes)


def within_caps(draft: Draft, actor: int) -> None:
    """Pass if the draft keeps within all caps, and what has to be covered is. What an institution may owe, owes and has
    put up is told to who sees it.

    Raises:
        LimitExceeded, InsufficientLiquidity: with the institution and its figures, or with the currency alone.
    """
    book = draft.book
    try:
        draft.check_caps()
        if book.configuration.covers:
            check_cover(draft)
    except (LimitExceeded, InsufficientLiquidity) as refusal:
        raise _told(book, actor, refusal) from None


def paid_at_once(draft: Draft, actor: int) -> None:
    """Pay what the draft makes somebody owe in windows in which each act is paid at once. What an institution has put
    up is told to who sees it.

    Raises:
        InsufficientLiquidity: with the institution and its figures, or with the currency alone.
    """
    try:
        pay(draft, actor)
    except InsufficientLiquidity as refusal:
        raise _told(draft.book, actor, refusal) from None


def _told(
    book: Book, actor: int, refusal: LimitExceeded | InsufficientLiquidity
) -> LimitExceeded | InsufficientLiquidity:
    if sees(book, credential(book, actor), institution(book, refusal.details["institution"]).id):
        return refusal
    return type(refusal)(currency=refusal.details["currency"])


def money(code: str) -> str:
    """An ISO 4217 currency in which can be paid.

    Raises:
        UnknownCurrency: it is none.
    """
    try:
        minor_unit(code)
    except UnknownMoney:
        raise UnknownCurrency(currency=code) from None
    return code
