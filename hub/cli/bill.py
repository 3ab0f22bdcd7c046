"""``points-hub bill``: bill a month, or all that are due."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hub import ids
from hub.bills import Month
from hub.cli.shared import OPTIONS, Json, chosen_settings, counted, database
from hub.host.door import check
from hub.host.runs import Billed
from hub.host.runs import bill as bill_months
from hub.money import format_millionths

commands = typer.Typer(**OPTIONS)


@commands.command()
def bill(
    period: Annotated[
        str, typer.Option(metavar="MONTH", help="Which month, such as 2026-11. Default: all that are over.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Bill a month: an invoice for each institution that has agreed to prices, in the settlement window open now.

    A month is billed once, for everybody together, after it is over; run again, by somebody else at the same time, or
    after it was interrupted, it bills nothing twice. A running server does the same by itself. The days are those of
    `HUB_BILLING_ZONE`.
    """
    chosen, month = chosen_settings(), None
    if period:
        try:
            month = Month.parse(period)
        except ValueError:
            raise typer.BadParameter("A month is written like 2026-11.", param_hint="--period") from None
    with database(chosen) as where:
        asyncio.run(check(where.server))
        billed = asyncio.run(bill_months(where.server, month, chosen.billing_zone))
    _show(billed, as_json)


def _show(billed: Billed, as_json: bool) -> None:
    periods = {one.id: one.period for one in billed.billings}
    found = [
        {
            "id": ids.text(ids.INVOICE, one.id),
            "reference": one.reference,
            "period": periods[one.billing or 0],
            "institution": billed.configuration.institutions[one.institution].code,
            "currency": one.money,
            "net": format_millionths(one.totals.net, one.money),
            "vat": format_millionths(one.totals.vat, one.money),
            "gross": format_millionths(one.totals.gross, one.money),
        }
        for one in billed.invoices
    ]
    if as_json:
        typer.echo(json.dumps({"periods": list(periods.values()), "invoices": found}))
        return
    if not periods:
        typer.echo("No month was due.")
        return
    typer.echo(f"{counted(len(found), 'invoice')} for {', '.join(periods.values())}.")
    if found:
        table = Table("reference", "period", "institution", title="billed", title_justify="left")
        for heading in ("net", "VAT", "gross"):
            table.add_column(heading, justify="right")
        for row in found:
            sums = (f"{row[name]} {row['currency']}" for name in ("net", "vat", "gross"))
            table.add_row(row["reference"], row["period"], row["institution"], *sums)
        Console().print(table)
