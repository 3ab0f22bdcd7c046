"""Chapters 1 and 2: the network is registered, persons get keys, and rates are proposed, accepted and approved."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from hub.demo import documents
from hub.demo.client import Connection
from hub.demo.failure import expect
from hub.demo.network import (
    ARBITRAGE,
    ARBITRAGE_CYCLE,
    INSTITUTIONS,
    OPERATOR,
    PROGRAMMES,
    TERMS,
    Bonus,
    Institution,
    Programme,
    Terms,
    issuer,
    level,
    programme,
)
from hub.demo.stage import Stage, columns

SECOND_OPERATOR = "Zhou Min"


async def register(stage: Stage) -> None:
    """Chapter 1: institutions, a key for one person of each, and the point currencies."""
    levels = max(level(institution.code) for institution in INSTITUTIONS)
    stage.chapter(
        1,
        "The network is registered",
        f"The operator enters {len(INSTITUTIONS)} institutions on {levels} levels below itself, "
        "and gives one named person of each a key.",
        "Each institution answers for its own points. From here on everybody speaks GraphQL over HTTP with that key.",
    )
    for institution in INSTITUTIONS:
        await join(stage, institution)
    for each in PROGRAMMES:
        await stage.operator.must(documents.REGISTER_POINT_CURRENCY, input=as_input(stage, each))
    stage.show(_tree(stage))


async def join(stage: Stage, institution: Institution) -> None:
    """Enter an institution, and connect the person who acts for it."""
    await stage.operator.must(documents.CREATE_INSTITUTION, input=_institution(stage, institution))
    roles = ["INSTITUTION_ADMIN", "INSTITUTION_TRADER"]
    stage.secrets[institution.code] = await _key(stage, institution.code, institution.person, roles)
    stage.people[institution.code] = await stage.connect(stage.secrets[institution.code])


async def agree_rates(stage: Stage) -> None:
    """Chapter 2: all rates of the network, approved by another person than who proposed; one refused for arbitrage."""
    stage.chapter(
        2,
        "Rates are agreed",
        "Points change hands only at agreed terms: one issuer proposes, the other accepts (or has left that to the "
        "operator), and a second person of the operator approves.",
        "The terms are of the kind that real programmes publish.",
    )
    second = await stage.connect(await _key(stage, OPERATOR, SECOND_OPERATOR, ["OPERATOR_ADMIN"]))
    stage.people[SECOND_OPERATOR] = second
    for terms in TERMS[:-1]:
        await agree(stage, terms)
    await _refuse_arbitrage(stage, second)
    await agree(stage, TERMS[-1])
    show_rates(stage, TERMS)
    stage.good(f"{len(TERMS)} rates are in force, each approved by {SECOND_OPERATOR}, who proposed none of them.")


def show_rates(stage: Stage, agreed: Sequence[Terms]) -> None:
    """Rates as one would say them."""
    table = columns("from", "to", "terms", "as in")
    for terms in agreed:
        table.add_row(terms.source, terms.target, _words(terms), terms.after)
    stage.show(table)


async def agree(stage: Stage, terms: Terms) -> None:
    """A rate from its proposal to its approval, by another person of the operator's."""
    rate = await _propose(stage, terms)
    if "TARGET_ISSUER" in rate["awaiting"]:
        rate = await stage.people[issuer(terms.target)].must(documents.ACCEPT_RATE, id=rate["id"])
    expect(
        rate["awaiting"] == ["OPERATOR"],
        f"The rate {terms.source} to {terms.target} should await the operator only, but awaits {rate['awaiting']}.",
    )
    rate = await stage.people[SECOND_OPERATOR].must(documents.APPROVE_RATE, id=rate["id"])
    expect(
        rate["status"] == "APPROVED", f"The rate {terms.source} to {terms.target} is {rate['status']} after approval."
    )
    expect(
        rate["decidedBy"] != rate["proposedBy"],
        f"The rate {terms.source} to {terms.target} was approved by the person who proposed it.",
    )


async def _propose(stage: Stage, terms: Terms) -> dict[str, Any]:
    return await stage.people[issuer(terms.source)].must(documents.PROPOSE_RATE, input=_rate(stage, terms))


async def _refuse_arbitrage(stage: Stage, second: Connection) -> None:
    rate = await _propose(stage, ARBITRAGE)
    if "TARGET_ISSUER" in rate["awaiting"]:
        rate = await stage.people[issuer(ARBITRAGE.target)].must(documents.ACCEPT_RATE, id=rate["id"])
    answer = await second.refused("RATE_CYCLE", documents.APPROVE_RATE, id=rate["id"])
    named = set(answer.details.get("cycle", "").split(">"))
    expect(
        named == {stage.code(code) for code in ARBITRAGE_CYCLE},
        f"The refusal names the cycle {answer.details.get('cycle')!r}, not the one that was made.",
    )
    stage.say(
        f"Basket & Co first proposes {_words(ARBITRAGE)} for BASK to NORTH. "
        f"The hub refuses: [yellow]{answer.reason}[/], {escape(answer.message)}"
    )
    stage.say(
        f"The cycle is {escape(answer.details['cycle'])}: "
        "5 North Points buy 1 Lumen, that 1 coin, that 5.2 North Points: 5.2 / 5 = 1.04 each round. "
        "At 1:4 it is 0.8, and that is approved."
    )
    await second.must(documents.REJECT_RATE, id=rate["id"], reason="points could multiply around a cycle")


async def _key(stage: Stage, name: str, person: str, roles: list[str]) -> str:
    details = {"institution": stage.code(name), "person": person, "label": "demo", "roles": roles}
    credential = await stage.operator.must(documents.CREATE_CREDENTIAL, input=details)
    return str(credential["secret"])


def _institution(stage: Stage, institution: Institution) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "code": stage.code(institution.code), "name": institution.name, "kind": institution.kind,
    }  # fmt: skip
    if institution.parent is not None:
        entry["parent"] = stage.code(institution.parent)
    return entry


def as_input(stage: Stage, each: Programme) -> dict[str, Any]:
    """A programme as the API's input."""
    expiry: dict[str, Any] = {"kind": each.expiry}
    if each.expiry_months is not None:
        expiry["months"] = each.expiry_months
    return {
        "code": stage.code(each.code),
        "name": each.name,
        "issuer": stage.code(each.issuer),
        "scale": each.scale,
        "unitValue": {"amount": each.unit_value, "currency": each.money},
        "expiry": expiry,
        "transferable": each.transferable,
        "rateConsent": each.consent,
    }


def _rate(stage: Stage, terms: Terms) -> dict[str, Any]:
    money = programme(terms.target).money
    entry: dict[str, Any] = {
        "source": stage.code(terms.source),
        "target": stage.code(terms.target),
        "ratio": {"numerator": str(terms.numerator), "denominator": str(terms.denominator)},
        "minimum": terms.minimum,
        "maximum": terms.maximum,
        "step": terms.step,
        "feePercent": terms.fee_percent,
    }
    fees = {"feeFixed": terms.fee_fixed, "feePerPoint": terms.fee_per_point, "feeCap": terms.fee_cap}
    entry |= {name: {"amount": fee, "currency": money} for name, fee in fees.items() if fee is not None}
    if terms.bonus is not None:
        entry["bonuses"] = [_bonus(terms.bonus)]
    return {name: value for name, value in entry.items() if value is not None}


def _bonus(bonus: Bonus) -> dict[str, str]:
    entry = {"percent": bonus.percent, "cap": bonus.cap, "perBlock": bonus.per_block, "block": bonus.block}
    return {name: value for name, value in entry.items() if value is not None} | {"fundedBy": bonus.funded_by}


def _words(terms: Terms) -> str:
    """The terms as one would say them: source points : target points, then what limits them."""
    money = programme(terms.target).money
    words = [f"{terms.denominator}:{terms.numerator}"]
    words += [f"from {terms.minimum}"] if terms.minimum is not None else []
    words += [f"to {terms.maximum}"] if terms.maximum is not None else []
    words += [f"in steps of {terms.step}"] if terms.step is not None else []
    words += [f"fee {terms.fee_fixed} {money}"] if terms.fee_fixed is not None else []
    words += [f"fee {terms.fee_per_point} {money} a point"] if terms.fee_per_point is not None else []
    words += [f"fee {terms.fee_percent} %"] if terms.fee_percent is not None else []
    words += [f"at most {terms.fee_cap} {money}"] if terms.fee_cap is not None else []
    bonus = terms.bonus
    if bonus is not None and bonus.percent is not None:
        words.append(f"+{bonus.percent} % on {bonus.cap}")
    elif bonus is not None:
        words.append(f"+{bonus.per_block} per {bonus.block}")
    return ", ".join(words)


def _tree(stage: Stage) -> Tree:
    root = Tree(f"[bold]{escape(stage.operator_code)}[/] the operator")
    branches: dict[str | None, Tree] = {None: root}
    issued = {each.issuer: each for each in PROGRAMMES}
    for institution in INSTITUTIONS:
        label = (
            f"[bold]{institution.code}[/] {escape(institution.name)} [dim]({institution.kind}, {institution.person})[/]"
        )
        if (own := issued.get(institution.code)) is not None:
            label += f"  [cyan]issues {own.code}[/], {own.unit_value} {own.money} a point"
        branches[institution.code] = branches[institution.parent].add(label)
    return root
