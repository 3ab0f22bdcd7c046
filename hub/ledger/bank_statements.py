"""Bank statements: what a bank says that segregated accounts held, taken as a file, whole and once. Pure."""

from hub.books.banking import BankBalance, BankFile
from hub.errors import Duplicate, InvalidAmount, InvalidInput, NotFound
from hub.expiry import day_of
from hub.ledger import commands, resolve
from hub.ledger.book import Book
from hub.ledger.draft import Draft
from hub.money import minor_unit_millionths
from hub.points import MONEY_SCALE, parse
from hub.registry import checks
from hub.registry.caps import CAP_MAX

BALANCES_MAX = 2_000  # of one file


def take(book: Book, command: commands.TakeBankFile) -> Draft:
    """Keep what a bank says of days that are over, all of a file or nothing. Of an account and a day a later file
    counts before an earlier one. A file that was taken is answered as it was, and nothing is done. By the operator.

    Raises:
        InvalidInput: it says nothing, too much, or something of a day that is not over; or a statement has no name.
        NotFound: an account is not registered for its day.
        Duplicate: it speaks twice of an account and day.
        InvalidAmount: an amount is malformed, or in no whole minor units.
    """
    resolve.operating(book, command.actor)
    draft = Draft(book)
    if (known := book.bank_files.get(command.digest)) is not None:
        draft.result = known
        return draft
    if not 0 < len(command.balances) <= BALANCES_MAX:
        raise InvalidInput(balances=len(command.balances), maximum=BALANCES_MAX)
    books = book.configuration.books
    today, seen = day_of(book.at, books.time_zone), set[tuple[str, str, str]]()
    made = BankFile(id=draft.new_id(), credential=command.actor, digest=command.digest, balances=len(command.balances))
    for said in command.balances:
        account, where = books.bank(said.number, said.currency, said.day), {"account": said.number[:60]}
        if account is None:
            raise NotFound(**where, currency=said.currency[:60], day=said.day.isoformat())
        if said.day >= today:
            raise InvalidInput(**where, day=said.day.isoformat(), today=today.isoformat())
        key = (said.number, said.currency, said.day.isoformat())
        if key in seen:
            raise Duplicate(**where, day=said.day.isoformat())
        seen.add(key)
        amount = parse(said.amount, MONEY_SCALE)
        if amount % minor_unit_millionths(account.currency) or abs(amount) > CAP_MAX:
            raise InvalidAmount(amount=said.amount, currency=account.currency)
        draft.bank_balances.append(
            BankBalance(
                id=draft.new_id(),
                file=made.id,
                number=said.number,
                currency=said.currency,
                day=said.day,
                amount=amount,
                statement=checks.name("statement", said.statement),
            )
        )
    draft.bank_files.append(made)
    draft.result = made
    return draft
