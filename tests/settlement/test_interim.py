"""Interim statements of a real hub, made while a window is open, and verified without the hub."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hub.institutions import Kind
from hub.ledger import commands
from hub.lookups import windows
from hub.model_lookups import preview
from hub.models import ModelKind
from hub.money import format_millionths
from settlement.counterparties import figures
from settlement.interim import Asked, Interims, InterimStatement, ask, views
from settlement.publish import Keys, Reports
from settlement.renderings.bilateral import bilateral
from settlement.renderings.paper import Amount
from settlement.signing import SigningKey
from settlement.verify import Verdict, verify
from tests.conftest import Hub
from tests.hub.putting_up import put_up
from tests.settlement.test_publish import close, convert, keys, members, report_of, reports

__all__ = ["keys", "members", "reports"]  # fixtures of the reports'


async def asked_of(hub: Hub, window: int, code: str, batch: int | None = None) -> Asked | None:
    async with hub.reading.open(hub.admin) as reader:
        of = (await windows(reader, {window}))[window]
        return await ask(reader, of, reader.configuration.institution_codes[code], batch)


async def made(interims: Interims, hub: Hub, window: int, code: str, batch: int | None = None) -> InterimStatement:
    asked = await asked_of(hub, window, code, batch)
    found = None if asked is None else await interims.make(asked)
    assert found is not None
    return found


async def verified(interims: Interims, jwks: dict[str, list[dict[str, str]]], statement: InterimStatement) -> Verdict:
    lines = b"".join([page async for page in interims.lines(statement.asked)]).splitlines()
    return verify(await interims.sign(statement), lines, jwks, interim=True)


async def redeem_at(hub: Hub, key: str, merchant: str) -> None:
    customer = commands.Party("BANK", "alice")
    await hub.do(
        commands.Redeem(
            actor=hub.admin, key=key, currency="BP", customer=customer, merchant=merchant, amount="10050", memo=None
        )
    )


@pytest.mark.parametrize("kind", [ModelKind.DEFERRED_NET_BILATERAL, ModelKind.IMMEDIATE_GROSS])
async def test_a_statement_is_what_closing_now_would_give_on_every_level_and_verifies(
    members: Hub, reports: Reports, keys: Keys, kind: ModelKind
) -> None:
    await members.institution("EAST", Kind.BRANCH, parent="AIR")
    await members.model("CARD", ["BANK", "AIR"], kind=kind)
    await put_up(members, "BANK", "1000.00")
    interims, window = Interims(members.database, keys, "Test Hub"), await members.window("CARD")
    await convert(members, "c1")
    await redeem_at(members, "r1", "EAST")
    statements = {code: await made(interims, members, window, code) for code in ("HUB", "BANK", "AIR", "EAST")}
    async with members.reading.open(members.admin) as reader:
        expected = await preview(reader, statements["HUB"].asked.window)
        for code, statement in statements.items():
            of = [one for one in expected if code == "HUB" or one.net.institution == statement.asked.institution]
            assert sorted(views(statement.asked, statement.nets, statement.pairs), key=str) == sorted(of, key=str)
            assert ("obligations" in json.loads(statement.payload)) == (code != "EAST")
    counts = {}
    for code, statement in statements.items():
        verdict = await verified(interims, await reports.jwks(), statement)
        assert verdict.findings == ()
        assert verdict.reading.form.is_interim
        counts[code] = verdict.lines_checked
    # A conversion with its fee, and a redemption of BANK's points at EAST.
    assert counts == {"HUB": 3, "BANK": 3, "AIR": 1, "EAST": 1}
    # AIR's own 100.00 of the conversion, and EAST's 10,050 points at 0.05 below it.
    [net] = json.loads(statements["AIR"].payload)["nets"]
    left = "0.00" if kind is ModelKind.IMMEDIATE_GROSS else "602.50"
    assert (net["own"]["credit"], net["credit"], net["net"]) == ("100.00", "602.50", left)
    assert json.loads(statements["AIR"].payload)["children"] == [
        {"institution": "EAST", "nets": [{"currency": "CNY", "net": "502.50"}]}
    ]
    [[batch, entry]] = await members.sql("SELECT batch, hash FROM journal_head")
    assert json.loads(statements["BANK"].payload)["journal"] == {"batch": str(batch), "hash": bytes(entry).hex()}
    assert await members.sql("SELECT * FROM settlement_report") == []


async def test_what_is_owed_between_two_is_what_the_bilateral_statement_says_to_the_millionth(
    members: Hub, reports: Reports, keys: Keys, tmp_path: Path
) -> None:
    interims, window = Interims(members.database, keys, "Test Hub"), await members.window()
    await convert(members, "c1", "1025")  # 41 miles at 0.05, and 0.0205 of fee
    await redeem_at(members, "r1", "AIR")
    while_open = await figured(members, window)
    statement = await made(interims, members, window, "BANK")
    path = tmp_path / "lines"
    path.write_bytes(b"".join([page async for page in interims.lines(statement.asked)]))
    rendered = {}
    for other in ("AIR", "HUB"):
        for currency, count, *amounts in bilateral(statement.payload, path, other).tables[0].rows:
            rendered[other, currency] = (count, *(one.text for one in amounts if isinstance(one, Amount)))
    assert while_open == rendered
    # 41 × 0.05 = 2.05 and 10,050 × 0.05 = 502.50; 1 % of 2.05
    assert while_open["AIR", "CNY"] == (2, "504.55", "0.00", "-504.55")
    assert while_open["HUB", "CNY"] == (1, "0.0205", "0.00", "-0.0205")
    await close(members)
    await convert(members, "c2")
    assert await figured(members, window) == while_open


async def figured(hub: Hub, window: int) -> dict[tuple[str, str], tuple[int, str, str, str]]:
    async with hub.reading.open(hub.admin) as reader:
        nodes = reader.configuration.institutions
        [of] = (await windows(reader, {window})).values()
        found = await figures(reader, of, reader.configuration.institution_codes["BANK"])
    return {
        (nodes[one.other].code, one.currency): (
            one.lines,
            format_millionths(one.owes_millionths, one.currency),
            format_millionths(one.owed_millionths, one.currency),
            format_millionths(one.owed_millionths - one.owes_millionths, one.currency),
        )
        for one in found
    }


async def test_acts_that_go_on_meanwhile_are_in_no_figure_of_it_and_the_same_batch_gives_the_same_bytes(
    members: Hub, reports: Reports, keys: Keys
) -> None:
    interims, window = Interims(members.database, keys, "Test Hub"), await members.window()
    await convert(members, "c0")

    async def trade() -> None:
        for number in range(12):
            await convert(members, f"t{number}", "2500")

    async def look() -> list[InterimStatement]:
        found = []
        for _ in range(4):
            statement = await made(interims, members, window, "BANK")
            verdict = await verified(
                interims, await reports.jwks(), statement
            )  # its lines are read later than its sums
            assert verdict.findings == ()
            found.append(statement)
        return found

    found, _ = await asyncio.gather(look(), trade())
    last = await made(interims, members, window, "BANK")
    assert last.asked.head.batch > found[0].asked.head.batch
    window_then = last.asked.window
    closed = await close(members)
    assert closed == window_then.id
    assert await asked_of(members, window, "BANK") is None  # now it has a report
    for statement in (*found, last):
        again = await made(interims, members, window, "BANK", statement.asked.head.batch)
        assert again.payload == statement.payload
        assert (await verified(interims, await reports.jwks(), again)).findings == ()
    final = await report_of(members, reports, window, "BANK")
    assert final is not None
    assert (final.previous_digest, json.loads(final.payload)["nets"]) == (None, json.loads(last.payload)["nets"])
    assert verify(await interims.sign(last), None, await reports.jwks()).findings != ()
    assert verify(final.jws, None, await reports.jwks(), interim=True).findings != ()


async def test_there_is_none_of_what_was_not_open_then_nor_of_who_has_no_part(members: Hub, keys: Keys) -> None:
    interims, window = Interims(members.database, keys, "Test Hub"), await members.window()
    asked = await asked_of(members, window, "BANK")
    assert asked is not None
    assert await interims.make(asked) is None
    empty = await made(interims, members, window, "HUB")
    assert (empty.nets, json.loads(empty.payload)["lines"]["count"]) == ((), "0")
    await close(members)
    following = await members.window()
    [[closed_in]] = await members.sql("SELECT closed_in FROM settlement_window WHERE id = $1", window)
    assert await asked_of(members, window, "HUB", closed_in) is None
    assert await asked_of(members, following, "HUB", closed_in - 1) is None
    assert await asked_of(members, following, "HUB", closed_in) is not None
    for batch in (closed_in + 1, -1, 1 << 43, 1 << 70):
        assert await asked_of(members, following, "HUB", batch) is None


async def test_it_is_signed_with_the_key_of_the_moment_and_that_is_published(
    members: Hub, reports: Reports, keys: Keys
) -> None:
    interims, window = Interims(members.database, keys, "Test Hub"), await members.window()
    await convert(members, "c1")
    statement = await made(interims, members, window, "AIR")
    jws = await interims.sign(statement)
    assert [row["kid"] for row in await members.sql("SELECT kid FROM signing_key")] == [keys.current().kid]
    assert verify(jws, None, await reports.jwks(), interim=True).findings == ()
    forged = SigningKey.generate().sign(statement.payload, "points-hub-interim+jws")
    assert {one.code for one in verify(forged, None, await reports.jwks(), interim=True).findings} == {"KID"}
    # A figure that the hub itself would sign falsely: the lines do not give it.
    bent = statement.payload.replace(b'"credit":"100.00"', b'"credit":"100.01"')
    lines = b"".join([page async for page in interims.lines(statement.asked)]).splitlines()
    found = verify(await interims.sign(replace(statement, payload=bent)), lines, await reports.jwks(), interim=True)
    assert {one.code for one in found.findings} == {"NET_CREDIT", "NET_ROUNDING"}
