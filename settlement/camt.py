"""camt.054: a bank's notification of what was booked, read as payments; camt.053: its statements, read as balances.

Of ISO 20022's messages only what settling needs is read, whatever their version: each booked entry with its
transactions, their amounts, on which side of the account they stand, when they have value, and the end-to-end
identifier; of a statement the account and what was booked on it when a day closed. What declares entities is refused,
as is everything that points outside of the document.
"""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from settlement.bank_statements import Balance
from settlement.confirmations import Payment
from settlement.uploads import FileRefused, Wrong

_ENTRIES_MAX: Final = 2_000
_BOOKED: Final = frozenset({"", "BOOK"})
_TRUE: Final = frozenset({"true", "1"})  # as XML writes it
_CLOSING: Final = "CLBD"  # the balance that was booked when the day closed


def read(content: bytes) -> list[Payment]:
    """The payments of a notification, one for each transaction, numbered from 1. What the account is credited with has
    come in, and is below zero, as the net of who owed it.

    Raises:
        FileRefused: it is no such message, or not harmless.
    """
    message = _message(content, "BkToCstmrDbtCdtNtfctn", "camt.054")
    found: list[Payment] = []
    for notification in _children(message, "Ntfctn"):
        for entry in _children(notification, "Ntry"):
            found.extend(_of_entry(entry, len(found)))
            if len(found) > _ENTRIES_MAX:
                raise FileRefused(Wrong.TOO_LARGE, f"it has more than {_ENTRIES_MAX:,} transactions")
    return found


def balances(content: bytes) -> list[Balance]:
    """What statements say that accounts held when a day closed, numbered from 1; what an account is overdrawn by is
    below zero.

    Raises:
        FileRefused: it is no such message, or not harmless.
    """
    message = _message(content, "BkToCstmrStmt", "camt.053")
    found: list[Balance] = []
    for statement in _children(message, "Stmt"):
        closing = [one for one in _children(statement, "Bal") if _text(one, "Tp", "CdOrPrtry", "Cd") == _CLOSING]
        stated: list[Element | None] = [*closing] or [None]
        for balance in stated:
            found.append(_of_balance(statement, balance, len(found) + 1))
            if len(found) > _ENTRIES_MAX:
                raise FileRefused(Wrong.TOO_LARGE, f"it has more than {_ENTRIES_MAX:,} balances")
    return found


def _of_balance(statement: Element, balance: Element | None, number: int) -> Balance:
    account = _text(statement, "Acct", "Id", "IBAN") or _text(statement, "Acct", "Id", "Othr", "Id")
    name = _text(statement, "Id")
    stated = None if balance is None else _child(balance, "Amt")
    if balance is None or stated is None:
        wrong = "it has no closing booked balance"
        return Balance(number, account, _text(statement, "Acct", "Ccy"), "", "", name, wrong)
    side, text = _text(balance, "CdtDbtInd"), (stated.text or "").strip()
    amount, day = f"-{text}" if side == "DBIT" else text, _day(balance, "Dt")
    lacking = None if side in ("CRDT", "DBIT") else "it is on no side of the account"
    return Balance(number, account, stated.get("Ccy", ""), day, amount, name, lacking)


def _message(content: bytes, name: str, kind: str) -> Element:
    """The one message of a document.

    Raises:
        FileRefused: it is none, or not harmless.
    """
    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException:
        raise FileRefused(Wrong.HOSTILE, "it declares entities, or points elsewhere") from None
    except (ParseError, ValueError, LookupError):
        raise FileRefused(Wrong.NOT_A_TABLE, "it is no XML") from None
    message = _child(root, name)
    if _name(root) != "Document" or message is None:
        raise FileRefused(Wrong.NOT_A_TABLE, f"it is no {kind}")
    return message


def _of_entry(entry: Element, before: int) -> Iterator[Payment]:
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
    details = [one for batch in _children(entry, "NtryDtls") for one in _children(batch, "TxDtls")]
    for number, transaction in enumerate(details or [entry], start=before + 1):
        amount, wrong = _amount(transaction, entry)
        if status not in _BOOKED:
            wrong = wrong or f"the entry is not booked ({status[:20]})"
        if _text(entry, "RvslInd") in _TRUE:
            wrong = wrong or "the entry reverses another one"
        yield Payment(
            number=number,
            reference=_text(transaction, "Refs", "EndToEndId"),
            currency=amount[1],
            amount=amount[0],
            value_date=_day(entry, "ValDt") or _day(entry, "BookgDt") or None,
            bank_reference=_text(transaction, "Refs", "AcctSvcrRef") or _text(entry, "AcctSvcrRef"),
            wrong=wrong,
        )


def _amount(transaction: Element, entry: Element) -> tuple[tuple[str, str], str | None]:
    """The signed amount and the currency of a transaction, and what is wrong with them."""
    stated = _child(transaction, "Amt")
    if stated is None:
        whole = _child(transaction, "AmtDtls")
        inner = None if whole is None else _child(whole, "TxAmt")
        stated = None if inner is None else _child(inner, "Amt")
    if stated is None:
        return ("", ""), "it has no amount"
    side = _text(transaction, "CdtDbtInd") or _text(entry, "CdtDbtInd")
    text, currency = (stated.text or "").strip(), stated.get("Ccy", "")
    if side not in ("CRDT", "DBIT"):
        return (text, currency), "it is on no side of the account"
    return (f"-{text}" if side == "CRDT" else text, currency), None


def _day(entry: Element, name: str) -> str:
    return _text(entry, name, "Dt") or _text(entry, name, "DtTm")[:10]


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _children(element: Element, name: str) -> list[Element]:
    return [one for one in element if _name(one) == name]


def _child(element: Element, name: str) -> Element | None:
    return next(iter(_children(element, name)), None)


def _text(element: Element, *names: str) -> str:
    found: Element | None = element
    for name in names:
        found = None if found is None else _child(found, name)
    return "" if found is None else (found.text or "").strip()
