"""Chapters 6 and 8: the window closes, what everybody owes is netted, and the nets are paid and confirmed."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hub.demo import documents
from hub.demo.client import Row
from hub.demo.failure import expect
from hub.demo.network import EVERYBODY, OPERATOR, member
from hub.demo.stage import Stage, cash, columns, figure

# A net is rounded to the cent, some up and some down so that they still sum to zero.
ROUNDING_MAX = Decimal("0.01")


async def close(stage: Stage) -> Row:
    """Chapter 6: close the open window and show its nets; returns the window."""
    stage.chapter(
        6,
        "The window closes",
        "Every act was also a debt: who sends points away owes their price to whom has to honour them.",
        "Instead of paying each debt, the window is closed: all that a member and those below it owe and are owed is "
        "netted, and each member pays or receives one amount per currency.",
    )
    hub = await stage.operator.ask(documents.HUB)
    key = {"idempotencyKey": f"close-{hub['window']['id']}", "windowId": hub["window"]["id"]}
    window = await stage.operator.must(documents.CLOSE_WINDOW, input=key)
    expect(window["status"] != "OPEN", "The window is still open after closing it.")
    table = columns("institution", "currency", "owes", "is owed", "net", right=3, title=f"window {window['number']}")
    for net in sorted(window["nets"], key=lambda net: (net["currency"], Decimal(net["net"]))):
        colour = "red" if Decimal(net["net"]) < 0 else "green"
        figures = (cash(net["debit"]), cash(net["credit"]), f"[{colour}]{cash(net['net'])}[/]")
        table.add_row(_title(stage, net["institution"]["code"]), net["currency"], *figures)
    stage.show(table)
    _compare_nets(stage, window["nets"])
    _show_saving(stage, window["nets"])
    return window


async def settle(stage: Stage, window: Row) -> None:
    """Chapter 8: the operator confirms each net as the settlement bank reports it."""
    open_nets = [net for net in window["nets"] if Decimal(net["net"]) and not net["confirmed"]]
    stage.chapter(
        8,
        "The nets are paid",
        f"The settlement bank moves {len(open_nets)} amounts; the operator confirms each. "
        "Only a confirmed payment frees what an institution owes.",
    )
    status = window["status"]
    for net in open_nets:
        code, currency = net["institution"]["code"], net["currency"]
        paid = {
            "idempotencyKey": f"confirm-{window['id']}-{code}-{currency}",
            "windowId": window["id"],
            "institution": code,
            "currency": currency,
            "amount": net["net"],
            "reference": f"BANK-{window['number']}-{code}-{currency}",
        }
        answer = await stage.operator.must(documents.CONFIRM_SETTLEMENT, input=paid)
        status = answer["status"]
    expect(status == "SETTLED", f"All nets are confirmed, but window {window['number']} is {status}.")
    stage.good(f"Window {window['number']} is SETTLED.")


def _compare_nets(stage: Stage, nets: list[dict[str, Any]]) -> None:
    """The nets sum to zero, each is its credit less its debit, and each is what the demo's own book says of the member
    and all below it."""
    currencies = sorted({net["currency"] for net in nets})
    expect(bool(currencies), "The closed window has no nets, although ten thousand acts were done in it.")
    for currency in currencies:
        total = sum((Decimal(net["net"]) for net in nets if net["currency"] == currency), Decimal(0))
        expect(total == 0, f"The nets in {currency} sum to {total}, not to zero.")
    said: dict[tuple[str, str], Decimal] = {}
    for net in nets:
        amount, name = Decimal(net["net"]), stage.name(net["institution"]["code"])
        exact = Decimal(net["credit"]) - Decimal(net["debit"])
        who = f"{net['institution']['code']} in {net['currency']}"
        expect(abs(amount - exact) < ROUNDING_MAX, f"The net of {who} is {amount}, but credit less debit is {exact}.")
        if name is not None:
            said[name, net["currency"]] = amount
    owed: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (name, currency), told in stage.book.money.items():
        owed[member(name), currency] += told
    for (name, currency), told in owed.items():
        # Told to a hub that others use too, the operator's fees are not this story's alone.
        if name == OPERATOR and stage.suffix:
            continue
        amount = said.get((name, currency), Decimal(0))
        expect(
            abs(amount - told) < ROUNDING_MAX,
            f"By the answers to all acts the net of {name} should be {told} {currency}, but the hub says {amount}.",
        )
    stage.good("Each currency sums to zero, and every net is, to the cent, what the single acts add up to.")


def _show_saving(stage: Stage, nets: list[dict[str, Any]]) -> None:
    table = columns("currency", "single payments", "in all", "nets paid", "paid in", "saved", "", right=6)
    for currency in sorted(stage.book.gross):
        open_nets = [
            Decimal(net["net"])
            for net in nets
            if net["currency"] == currency and Decimal(net["net"]) and stage.name(net["institution"]["code"])
        ]
        gross, net_total = stage.book.gross[currency], -sum((net for net in open_nets if net < 0), Decimal(0))
        expect(net_total <= gross, f"Netting made more money move in {currency}: {net_total} instead of {gross}.")
        table.add_row(
            currency, figure(stage.book.payments[currency]), cash(gross), figure(len(open_nets)), cash(net_total),
            f"[bold green]{cash(gross - net_total)}[/]", f"{(gross - net_total) / gross:.1%}",
        )  # fmt: skip
    stage.say("\nHad each debt between two members been paid by itself, much more money would have moved:")
    stage.show(table)


def _title(stage: Stage, code: str) -> str:
    name = stage.name(code)
    known = {institution.code: institution.name for institution in EVERYBODY}
    return "the operator" if name == OPERATOR else known.get(name or "", code)
