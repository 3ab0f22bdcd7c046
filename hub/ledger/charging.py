"""Charging: where a fee becomes legs, whatever terms it is of. Pure."""

from hub.configuration import Configuration
from hub.ledger.draft import Draft
from hub.ledger.orders import Payment
from hub.ledger.records import Purpose


def charge(draft: Draft, movement: int, payer: int, money: str, fee: int) -> None:
    """Post a fee: the payer's position → the operator's."""
    if fee:
        for one in payments(draft.book.configuration, payer, fee):
            draft.money(movement, one.payer, one.payee, money, one.amount, one.purpose)


def payments(configuration: Configuration, payer: int, fee: int) -> tuple[Payment, ...]:
    """Who pays a fee to whom; for acts over partners, whose payments are promised first."""
    return (Payment(payer, configuration.operator.id, fee, Purpose.FEE),)
