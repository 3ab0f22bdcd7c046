"""Pools: customers whose points their members share, a family's or a company's. Pure.

A pool has accounts like any customer. What members put in is in lots that name their giver, so that whoever leaves
takes back what is left of its own; what came otherwise is the pool's. Whatever spends of a pool names the member that
does, who has the right to. Points of a currency that cannot pass to another customer may be put into a pool: they stay
their giver's until they are burned, because nothing lets them pass from there to anybody else.
"""

from hub.access import Right
from hub.errors import Duplicate, InvalidInput, NotFound
from hub.institutions import Institution, is_below
from hub.ledger import commands, limiting, parts, resolve
from hub.ledger.book import Book
from hub.ledger.commands import Party
from hub.ledger.draft import Draft
from hub.ledger.lots import in_order, origin_of, total
from hub.ledger.records import (
    Account,
    AccountKind,
    Customer,
    Membership,
    Movement,
    MovementKind,
    Pool,
    PoolAct,
    PoolRight,
)
from hub.limits import Act
from hub.points import parse_positive


def create(book: Book, command: commands.CreatePool) -> Draft:
    """A new pool as a customer of an institution, by a trader of it; its owner is its first member.

    Raises:
        Duplicate: the reference is a customer's.
        InvalidInput: the owner is a pool, or a customer of an institution that is not below the pool's.
    """
    home = resolve.institution(book, command.pool.institution)
    resolve.allow(book, command.actor, Right.TRADE, home.id)
    resolve.active(book, home.id)
    resolve.fresh_reference(book, command.pool, home)
    owner = _person(book, command.owner, home)
    draft = Draft(book)
    customer = draft.enroll(home.id, command.pool.reference)
    made = Pool(customer.id, command.kind, customer, owner, command.actor)
    draft.pools.append(made)
    _record(draft, made, owner, tuple(PoolRight), command.actor)
    return draft


def join(book: Book, command: commands.JoinPool) -> Draft:
    """A new member, let in by one that manages.

    Raises:
        Duplicate: it is a member.
        InvalidInput: it is a pool, or a customer of an institution that is not below the pool's.
    """
    home, pool = _managed(book, command.actor, command.pool, command.by)
    member = _person(book, command.member, home)
    if _rights(book, pool, member) is not None:
        raise Duplicate(member=command.member.reference)
    draft = Draft(book)
    _record(draft, pool, member, _ordered(command.rights), command.actor)
    return draft


def set_rights(book: Book, command: commands.SetPoolRights) -> Draft:
    """Other rights of a member, by one that manages. The owner's are all, always.

    Raises:
        InvalidInput: it is the owner.
        NotAMember: it is none.
    """
    _, pool = _managed(book, command.actor, command.pool, command.by)
    member = resolve.member(book, pool.customer, command.member)
    if member.id == pool.owner.id:
        raise InvalidInput(member=command.member.reference)
    draft = Draft(book)
    _record(draft, pool, member, _ordered(command.rights), command.actor)
    return draft


def leave(book: Book, command: commands.LeavePool) -> Draft:
    """End a membership, by the member itself or by one that manages; pool → member of each currency, for what is left
    of what it put in and no hold pins. The points keep their ends. What is held, or comes back later, stays the pool's
    while its giver is no member. The owner does not leave.

    Raises:
        InvalidInput: it is the owner.
        NotAMember: it is none.
        Frozen: an account of the pool's is frozen that holds points of the member.
    """
    home, pool = _pool(book, command.actor, command.pool)
    member = resolve.member(book, pool.customer, command.member)
    if command.by is not None and command.by != command.member:
        resolve.member(book, pool.customer, command.by, PoolRight.MANAGE)
    if member.id == pool.owner.id:
        raise InvalidInput(member=command.member.reference)
    draft = Draft(book)
    ended = _record(draft, pool, member, None, command.actor)
    for account in [one for one in book.accounts.values() if one.owner == pool.id]:
        if account.kind == AccountKind.CUSTOMER and account.aged:
            _withdraw(draft, ended, account, pool, member, home.id)
    return draft


def _withdraw(
    draft: Draft, ended: Membership, account: Account, pool: Pool, member: Customer, for_institution: int
) -> None:
    """pool → member: what is free of the member's lots."""
    book = draft.book
    mine = [lot for lot in draft.lots_of(account).values() if origin_of(lot.origin).giver == member.id and lot.free > 0]
    if not mine:
        return
    resolve.unfrozen(account)
    of = resolve.currency(book, account.currency)
    resolve.active(book, of.issuer, member.institution, closing=True)
    taken = tuple(lot.piece(lot.free) for lot in in_order(mine))
    amount = total(taken)
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.WITHDRAW,
        at=book.at,
        credential=ended.credential,
        for_institution=for_institution,
        currency=of.code,
        amount=amount,
        source=pool.customer,
        target=member,
        subject=ended.id,
    )
    given = parts.placed(taken, amount, parts.credited_part(book, of, member, None), book.at)
    draft.points(movement.id, account, draft.account(AccountKind.CUSTOMER, member.id, of.code), amount, taken, given)
    draft.movements.append(movement)


def contribute(book: Book, command: commands.ContributeToPool) -> Draft:
    """member → pool; the points keep their ends, and their giver. Asked for by the member's institution. Under
    limits it counts as a transfer of the member's.

    Raises:
        NotFound: there is no such pool, or no such customer.
        NotAMember, PoolRightMissing: the member may not put points in.
        InsufficientPoints: the member has fewer.
    """
    of = resolve.currency(book, command.currency)
    home = resolve.institution(book, command.member.institution)
    acting = resolve.allow(book, command.actor, Right.TRADE, home.id)
    resolve.hosted(of, "POOL")
    away = resolve.institution(book, command.pool.institution)
    resolve.active(book, of.issuer, home.id, away.id)
    parts.check_channel(command.channel)
    amount = parse_positive(command.amount, of.scale)
    resolve.known_customer(book, command.member, home)
    pool = _known_pool(book, command.pool, away)
    member = resolve.member(book, pool.customer, command.member, PoolRight.CONTRIBUTE)
    draft = Draft(book)
    part = parts.spent_part(of, command.channel)
    source = resolve.spendable(draft, member, of, amount, part)
    movement = Movement(
        id=draft.new_id(),
        kind=MovementKind.CONTRIBUTE,
        at=book.at,
        credential=command.actor,
        for_institution=acting,
        currency=of.code,
        amount=amount,
        source=member,
        target=pool.customer,
    )
    taken = draft.spend(source, amount, part)
    into = parts.credited_part(book, of, pool.customer, command.channel)
    given = parts.placed(taken, amount, into, book.at, giver=member.id)
    draft.points(movement.id, source, draft.account(AccountKind.CUSTOMER, pool.id, of.code), amount, taken, given)
    draft.movements.append(movement)
    limiting.count(draft, movement, Act.TRANSFER, of, member, amount)
    if command.memo:
        draft.memos.append((movement.id, command.memo))
    draft.result = movement
    return draft


def _pool(book: Book, actor: int, party: Party) -> tuple[Institution, Pool]:
    """A pool on which the actor may act, and its institution."""
    home = resolve.institution(book, party.institution)
    resolve.allow(book, actor, Right.TRADE, home.id)
    resolve.active(book, home.id)
    return home, _known_pool(book, party, home)


def _known_pool(book: Book, party: Party, home: Institution) -> Pool:
    customer = resolve.known_customer(book, party, home)
    found = book.pools.get(customer.id)
    if found is None:
        raise NotFound(institution=home.code, reference=party.reference)
    return found


def _managed(book: Book, actor: int, party: Party, by: Party) -> tuple[Institution, Pool]:
    home, pool = _pool(book, actor, party)
    resolve.member(book, pool.customer, by, PoolRight.MANAGE)
    return home, pool


def _person(book: Book, party: Party, home: Institution) -> Customer:
    """A customer that can be a member: of the pool's institution or of one below it, whose traders act for both."""
    own = resolve.institution(book, party.institution)
    if not is_below(book.configuration.institutions, own.id, home.id):
        raise InvalidInput(institution=own.code)
    found = resolve.known_customer(book, party, own)
    if found.id in book.pools:
        raise InvalidInput(member=party.reference)
    return found


def _rights(book: Book, pool: Pool, member: Customer) -> tuple[PoolRight, ...] | None:
    found = book.members.get((pool.id, member.id))
    return None if found is None else found.rights


def _ordered(rights: tuple[PoolRight, ...]) -> tuple[PoolRight, ...]:
    return tuple(right for right in PoolRight if right in rights)


def _record(
    draft: Draft, pool: Pool, member: Customer, rights: tuple[PoolRight, ...] | None, credential: int
) -> Membership:
    made = Membership(draft.new_id(), pool.id, member.id, rights, credential)
    draft.memberships.append(made)
    draft.result = PoolAct(made.id, pool)
    return made
