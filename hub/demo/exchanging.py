"""Chapter 5: points that partners keep themselves: conversions that complete, are refused, given back, or in doubt."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.markup import escape

from hub.demo import documents
from hub.demo.client import Refusal, Row
from hub.demo.failure import DemoFailed, expect
from hub.demo.network import AIRLINE, HOTEL, JOINING, KEPT_ELSEWHERE, MILES, STARS, TERMS_ELSEWHERE, issuer
from hub.demo.opening import agree, as_input, join, show_rates
from hub.demo.simulators import Partner, configuration, partners
from hub.demo.stage import Stage, cash, columns, figure

BANK, BRANCH, NORTH = "NORTHBANK", "NBEAST", "NORTH"
MEMBERS = [f"K{number:02}" for number in range(1, 25)]
SHOWN, DOUBTFUL, GREEDY, BLOCKED = MEMBERS[0], MEMBERS[1], MEMBERS[2], MEMBERS[-1]
WAIT_SECONDS_MAX = 60
LOOK_PAUSE_SECONDS = 0.1
QUESTIONS_MAX = 1_000  # more than are asked while the airline answers none


@dataclass(slots=True)
class Exchanging:
    """The two partners, and the conversions that were asked of them, by identifier."""

    airline: Partner
    hotel: Partner
    ids: list[str]


async def exchange(stage: Stage) -> None:
    """Chapter 5: two partners join, fifty conversions go over them, and nothing is lost, doubled or guessed."""
    stage.chapter(
        5,
        "Points that the hub does not keep",
        f"{AIRLINE.name} and {HOTEL.name} join, and keep their members' points in systems of their own; the hub asks "
        "these for every point. The airline's does what it is asked at once, the hotel's at night.",
        "Both are played by `points-hub simulator`, each a program of its own; the hub reaches them by configuration.",
    )
    callbacks = [f"{stage.root}/partners/{stage.code(each.code)}/answers" for each in KEPT_ELSEWHERE]
    # Nothing else goes on while they start; the stack stops them when the story ends, however it does.
    airline, hotel = stage.stack.enter_context(partners(KEPT_ELSEWHERE, callbacks, stage.environment))
    going = Exchanging(airline, hotel, [])
    await _register(stage, going)
    await _to_miles(stage, going)
    await _to_stars(stage, going)
    await _in_doubt(stage, going)
    await _refused(stage, going)
    # 24 x 1,000 + 400 miles came; 24 x 400 of them left, and no star has come yet.
    await _compare(stage, going, "before the hotel's night", ("14800", "9600", "24400"), ("0", "0", "0"))
    await _night(stage, going)
    # 400 of the 9,600 miles were given back; 23 x 600 stars came.
    await _compare(stage, going, "after the hotel's night", ("15200", "0", "15200"), ("13800", "0", "13800"))
    await _money(stage)


async def _register(stage: Stage, going: Exchanging) -> None:
    """The institutions, their currencies, the rates, and the partners' own members."""
    for institution in JOINING:
        await join(stage, institution)
    table = columns("registers", "kept by", "at", "does what it is asked")
    for partner in (going.airline, going.hotel):
        each = partner.programme
        entry = as_input(stage, each) | {"adapter": "http_json", "adapterConfig": configuration(partner)}
        await stage.people[each.issuer].must(documents.REGISTER_POINT_CURRENCY, input=entry)
        settling = "at night" if each.settling == "NIGHTLY" else "at once"
        table.add_row(f"{each.name} [dim]({each.code})[/]", "adapter http_json", partner.root, settling)
    stage.show(table)
    stage.say("Each configuration holds a secret. It is encrypted before the ledger sees it, and never shown again.")
    for terms in TERMS_ELSEWHERE:
        await agree(stage, terms)
    show_rates(stage, TERMS_ELSEWHERE)
    for member in MEMBERS:
        await going.airline.enroll(member)
        await going.hotel.enroll(member, may_earn=member != BLOCKED)


async def _to_miles(stage: Stage, going: Exchanging) -> None:
    """24 x 25,000 of the bank's points become 24 x 1,000 miles in the airline's system."""
    grants = [
        {"idempotencyKey": f"kept-{member}", "currency": stage.code(NORTH), "amount": "60000"}
        | {"to": stage.customer(BRANCH, member)}
        for member in MEMBERS
    ]
    for issue in await stage.people[BANK].acts(documents.ISSUE_POINTS_BATCH, grants):
        expect(not isinstance(issue, Refusal), "Points for the airline's members could not be issued.")
        stage.book.issued(NORTH, Decimal(60_000))
    ids = await _convert(stage, going, BANK, [_request(stage, NORTH, member, "25000") for member in MEMBERS])
    for id in ids:
        await _ended(stage, id, "COMPLETED")
    stage.good(
        f"{len(ids)} customers of {BRANCH} convert 25,000 North Points each: the bank's points are promised, the "
        "airline gives 1,000 miles each, and only then the points are gone."
    )


async def _to_stars(stage: Stage, going: Exchanging) -> None:
    """24 x 400 miles are taken by the airline, and 24 x 600 stars are asked of the hotel, whose night is to come."""
    requests = [_request(stage, MILES.code, member, "400") for member in MEMBERS]
    ids = await _convert(stage, going, AIRLINE.code, requests)
    for id in ids:
        await _file(stage, id, lambda file: file["orders"][-1]["status"] == "PENDING", "wait for the hotel's night")
    stage.say(
        f"\nAll {len(ids)} then convert 400 of the miles into the hotel's stars. This is what was asked for {SHOWN}:"
    )
    await _show_file(stage, ids[0])


async def _in_doubt(stage: Stage, going: Exchanging) -> None:
    """The airline gives the miles and then fails to say so; what it does not say is asked, never guessed."""
    stage.say(
        f"\nNow the airline's system gives {DOUBTFUL} 400 miles, but breaks down before it can say so (HTTP 500):"
    )
    before = (await going.airline.available())[DOUBTFUL]
    await going.airline.script("ERROR_DONE", "CREDIT")
    await going.airline.script("ERROR_NOT_DONE", "STATUS", QUESTIONS_MAX)
    [id] = await _convert(stage, going, BANK, [_request(stage, NORTH, DOUBTFUL, "10000", "-doubt")])
    file = await _file(stage, id, lambda file: file["inDoubt"], "be in doubt")
    expect(file["conversion"]["status"] == "IN_DOUBT", f"What is in doubt is {file['conversion']['status']}.")
    bank = await stage.people[BANK].ask(
        documents.HOLDINGS, institution=stage.code(BRANCH), reference=DOUBTFUL
    )  # 60,000 - 25,000 - 10,000 = 25,000
    [points] = [one for one in bank["balances"] if one["currency"]["code"] == stage.code(NORTH)]
    said = (points["available"], points["held"])
    expect(said == ("25000", "10000"), f"{DOUBTFUL} should have 25,000 points and 10,000 promised, not {said}.")
    stage.say(
        "The conversion is [yellow]IN_DOUBT[/]: 10,000 points stay promised. They are neither taken nor given back, "
        "because either could be wrong; the hub keeps asking."
    )
    await going.airline.behave()
    file = await _ended(stage, id, "COMPLETED")
    expect(
        [order["operation"] for order in file["orders"]] == ["CREDIT"],
        "A conversion in doubt was resolved by more than asking.",
    )
    after = (await going.airline.available())[DOUBTFUL]
    expect(after - before == 400, f"{DOUBTFUL} should have got 400 miles once, but has {after - before} more.")
    await _show_file(stage, id)
    stage.good("The system answers again, that it was done: the conversion is COMPLETED, with 400 miles given once.")


async def _refused(stage: Stage, going: Exchanging) -> None:
    """More miles than there are: the airline refuses, and nothing has happened."""
    [id] = await _convert(stage, going, AIRLINE.code, [_request(stage, MILES.code, GREEDY, "99000", "-greedy")])
    why = _why(await _ended(stage, id, "REFUSED"))
    stage.say(f"\n{GREEDY} asks for the stars of 99,000 miles: [yellow]REFUSED[/], {why} Nothing has changed.")


async def _night(stage: Stage, going: Exchanging) -> None:
    """The hotel does what it was asked, and refuses one, whose miles are given back."""
    done = await going.hotel.night()
    expect(done == len(MEMBERS), f"The hotel should do {len(MEMBERS)} orders at night, but did {done}.")
    stage.say(f"\nThe hotel's night comes. It has {done} orders, and one is for a guest whom it has blocked:")
    files = [await _file(stage, id, lambda file: file["conversion"]["status"] in _ENDS, "end") for id in going.ids]
    statuses = Counter(file["conversion"]["status"] for file in files)
    told = {"COMPLETED": 48, "REFUSED": 1, "REVERSED": 1}  # 24 + 23 + the one that was in doubt; one each
    expect(
        statuses == told,
        f"48 conversions should be COMPLETED, 1 REFUSED and 1 REVERSED, but they are {dict(statuses)}.",
    )
    [back] = [file for file in files if file["conversion"]["status"] == "REVERSED"]
    await _show_file(stage, back["conversion"]["id"])
    stage.say(f"[yellow]REVERSED[/], {_why(back)} The airline has given the miles back.")
    for file in files:
        if file["conversion"]["status"] == "COMPLETED":
            made = file["conversion"]
            source, target = (made[end]["currency"].removesuffix(stage.suffix) for end in ("source", "target"))
            stage.book.converted(source, target, Decimal(made["source"]["amount"]), made)
    table = columns("conversions", *told, right=len(told))
    table.add_row(figure(len(files)), *map(figure, told.values()))
    stage.show(table)


async def _compare(
    stage: Stage, going: Exchanging, when: str, miles: tuple[str, str, str], stars: tuple[str, str, str]
) -> None:
    """What members have by the partners' own books + what is on its way = what is in circulation by the hub's."""
    files = [await stage.operator.ask(documents.EXCHANGE, id=id) for id in going.ids]
    names = ("partner: members have", "transit: on its way", "issuance: in circulation")
    table = columns("points", *names, right=3, title=f"the partners' books and the hub's, {when}")
    for partner, told in ((going.airline, miles), (going.hotel, stars)):
        code = stage.code(partner.programme.code)
        has = sum((await partner.available()).values(), Decimal(0))
        on_its_way = sum((_taken(file, code) for file in files), Decimal(0))
        answer = await stage.operator.ask(documents.CIRCULATION, code=code)
        said = (has, on_its_way, Decimal(answer["circulation"]["amount"]))
        expect(has + on_its_way == said[2], f"{code}: {has} and {on_its_way} on its way are not {said[2]}.")
        expect(said == tuple(map(Decimal, told)), f"{code} should stand at {told}, but does at {said}.")
        table.add_row(partner.programme.name, *map(figure, said))
    stage.show(table)
    stage.good("Partner + transit = issuance: over the hub and both partners not a point is lost or there twice.")


def _taken(file: Row, currency: str) -> Decimal:
    """What was taken of a currency for a conversion that has neither completed nor given it back."""
    source = file["conversion"]["source"]
    if source["currency"] != currency or file["state"] not in ("CREDITING", "REFUNDING"):
        return Decimal(0)
    return Decimal(source["amount"])


async def _money(stage: Stage) -> None:
    """Only what has completed is owed: 24 x 50.00 + 20.00 to the airline, 23 x 18.00 from it to the hotel."""
    owed = {}
    for who, told in ((AIRLINE, "806.00"), (HOTEL, "414.00")):  # 1,220.00 - 414.00
        found = await stage.people[who.code].ask(documents.POSITIONS, code=stage.code(who.code))
        [said] = [Decimal(one["own"]) for one in found["positions"] if one["currency"] == MILES.money]
        expect(said == Decimal(told), f"The position of {who.name} should be {told}, but the hub says {said}.")
        owed[who.name] = f"{cash(said)} {MILES.money} to {who.name}"
    stage.say(f"What has completed is owed, and nothing else: {', '.join(owed.values())}.")


# --- one conversion ---------------------------------------------------------------------------------------------------

_ENDS = ("COMPLETED", "REFUSED", "REVERSED")


def _request(stage: Stage, currency: str, member: str, amount: str, key: str = "") -> dict[str, Any]:
    """A conversion of a member's, from the bank to the airline or from the airline to the hotel."""
    target = MILES if currency == NORTH else STARS
    home = BRANCH if currency == NORTH else issuer(currency)
    return {
        "idempotencyKey": f"{currency}-{member}{key}{stage.suffix}",
        "source": stage.customer(home, member),
        "target": stage.customer(target.issuer, member),
        "sourceCurrency": stage.code(currency),
        "targetCurrency": stage.code(target.code),
        "sourceAmount": amount,
    }


async def _convert(stage: Stage, going: Exchanging, by: str, requests: list[dict[str, Any]]) -> list[str]:
    """Conversions that the hub accepts; their identifiers."""
    answers = await stage.people[by].acts(documents.CONVERT_BATCH, requests)
    ids = []
    for answer in answers:
        if isinstance(answer, Refusal):
            raise DemoFailed(f"A conversion over a partner was refused as {answer.reason}: {answer.message}")
        ids.append(str(answer["id"]))
    going.ids += ids
    return ids


async def _ended(stage: Stage, id: str, status: str) -> Row:
    """The file of a conversion that ends; it has to end as told."""
    file = await _file(stage, id, lambda file: file["conversion"]["status"] in _ENDS, "end")
    made = file["conversion"]
    expect(made["status"] == status, f"The conversion {id} is {made['status']}, not {status}.")
    return file


async def _file(stage: Stage, id: str, holds: Callable[[Row], bool], what: str) -> Row:
    """The operator's file of a conversion, as soon as ``holds`` is true of it."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < until:
        file: Row = await stage.operator.ask(documents.EXCHANGE, id=id)
        if holds(file):
            return file
        await asyncio.sleep(LOOK_PAUSE_SECONDS)
    raise DemoFailed(f"The conversion {id} should {what}, but did not within {WAIT_SECONDS_MAX} s.")


def _why(file: Row) -> str:
    """The hub's words for a partner's refusal, and the partner's reason."""
    refusal = file["conversion"]["refusal"]
    reasons = [detail["value"] for detail in refusal["details"] if detail["key"] == "because"]
    return escape(f"{refusal['message'].removesuffix('.')}: {', '.join(reasons)}.")


async def _show_file(stage: Stage, id: str) -> None:
    """What was asked of whom and answered, and the states that the conversion went through."""
    file = await stage.operator.ask(documents.EXCHANGE, id=id)
    answers = {step["reference"]: step for step in file["steps"] if step["reference"] is not None}
    table = columns("order", "asked", "answer", "points", right=1)
    for order in file["orders"]:
        step = answers.get(order["reference"], {"status": None, "reason": None})
        answer = order["status"] or step["status"]
        because = f", {step['reason']}" if step["reason"] else ""
        points = f"{figure(order['points']['amount'])} {order['points']['currency']}"
        table.add_row(order["reference"], order["operation"], f"{answer}{because}", points)
    stage.show(table)
    states = [f"{step['state']}{' (in doubt)' if step['inDoubt'] else ''}" for step in file["steps"]]
    stage.say(f"  {' → '.join(states)}; the conversion is {file['conversion']['status']}")
