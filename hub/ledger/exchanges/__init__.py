"""Exchanges: acts one or both of whose ends are in partners' systems. Pure.

An act on hosted points is one movement. Otherwise it is accepted: its money, and points that the hub keeps itself,
become pending, and count for caps and limits from then on. Then partners are asked for one thing after the other, and
each answer is a command, which posts what it proves and writes down what is asked next:

    DEBITING ── done ──▶ CREDITING ── done ──▶ COMPLETED      who keeps what is given, then who keeps what it becomes;
       │                     │                                an end that is hosted, or that there is not, is left out
       │ refused             │ refused
       ▼                     ▼
    REFUSED              REFUNDING ── done ──▶ REVERSED       (from CREDITING without a debit: REFUSED)

If another partner is still to give something, and the giver's can hold points, they are held first:

    HOLDING ── done ──▶ CREDITING ── done ──▶ CAPTURING ── done ──▶ COMPLETED
       │                    │                     │
       │ refused            │ refused             │ refused: the hold is over
       ▼                    ▼                     ▼
    REFUSED             RELEASING ──▶ REFUSED  COLLECTING ── done ──▶ COMPLETED

An answer that is unknown changes nothing but that the exchange is in doubt: it is asked for until it is known, and
nothing is ever refunded on a guess. Remote points pass ``partner:C → transit:C → issuance:C``. An answer to another
order than the one under way is an old one, and does nothing.

What an act is about is data (``hub.ledger.orders.Deal``): who gives, who gets, who pays whom. Nothing here copies the
way for an act: what differs between acts is how a deal is made (``deals.py``) and what its completion does beside
posting (``completing.py``).
"""

from hub.ledger.exchanges.accepting import accept, accept_act, accept_conversion
from hub.ledger.exchanges.answers import report
from hub.ledger.exchanges.deals import is_exchange, of_reversal
from hub.ledger.exchanges.evidence import add_evidence, approve, approve_evidence, check_outcome, propose
from hub.ledger.exchanges.reversing import check_reversal, needs_partners

__all__ = [
    "accept",
    "accept_act",
    "accept_conversion",
    "add_evidence",
    "approve",
    "approve_evidence",
    "check_outcome",
    "check_reversal",
    "is_exchange",
    "needs_partners",
    "of_reversal",
    "propose",
    "report",
]
