"""Halting: what is not let through while a currency's balances move to another keeper, and afterwards. Pure."""

from collections.abc import Iterable

from hub.currencies import HOSTED
from hub.errors import CurrencyMoving, PartnerRefused
from hub.ledger import commands
from hub.ledger.book import Book, Original
from hub.ledger.records import AccountKind

MOVED = "MOVED"  # in the place of a partner's reason: it did not keep the points then, or does not keep them now
_CONTRA = frozenset({AccountKind.PARTNER, AccountKind.TRANSIT})


def let_through(book: Book, command: commands.Command) -> None:
    """Pass if a command begins nothing new with a currency that is halted. What is under way may end: holds, freezes,
    quotes, exchanges, and what is in a pool or owed.

    Raises:
        CurrencyMoving: it does; or it would change a balance that is fixed.
    """
    match command:
        case (
            commands.Issue()
            | commands.Transfer()
            | commands.Redeem()
            | commands.HoldPoints()
            | commands.FreezePoints()
            | commands.ContributeToPool()
            | commands.ClearPoints()
            | commands.CancelRecord()
        ):
            _check(book, [command.currency])
        case commands.Convert() | commands.RequestQuote():
            _check(book, [command.source_currency, command.target_currency])
        case commands.RedeemBasket():
            _check(book, command.currencies)
        case commands.Reverse():
            original = book.originals.get(command.id or 0)
            _check(book, [] if original is None else _currencies(original))
        case commands.FreezeAccount():
            if command.currency is not None and _is_fixed(book, command.currency):
                raise CurrencyMoving(currency=command.currency)
        case commands.CloseCustomer():
            # Whose points a partner gives back is not known before they have all come.
            _check(book, [code for code in book.halted if _is_fixed(book, code)])
        case _:
            pass


def _check(book: Book, codes: Iterable[str]) -> None:
    for code in codes:
        if code in book.halted:
            raise CurrencyMoving(currency=code)


def _is_fixed(book: Book, code: str) -> bool:
    of = book.configuration.currency(code)
    return of is not None and of.relocation is not None and of.relocation.fixed


def _currencies(original: Original) -> set[str]:
    return {leg.debit.currency for leg in original.legs if leg.debit.kind != AccountKind.POSITION}


def still_kept(book: Book, original: Original) -> None:
    """Pass if who kept the points of an act then keeps them now, so that its legs can be posted the other way round.

    Raises:
        PartnerRefused: they have moved to another keeper since.
    """
    for leg in original.legs:
        of = book.configuration.currency(leg.debit.currency)
        kinds = {AccountKind(leg.debit.kind), AccountKind(leg.credit.kind)}
        wrong = _CONTRA if of is None or of.adapter == HOSTED else {AccountKind.CUSTOMER}
        if of is not None and kinds & wrong:
            raise PartnerRefused(currency=of.code, because=MOVED)
