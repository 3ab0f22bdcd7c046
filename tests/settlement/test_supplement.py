"""Supplements: spelled in one way, and held against the report, the one before and their own figures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import rfc8785

from settlement.keyring import revoked
from settlement.report import build as build_report
from settlement.signing import SUPPLEMENT_TYP, SigningKey
from settlement.supplement import Default, MalformedSupplement, Share, build, parse
from settlement.verify import verify, verify_supplements
from tests.settlement.bending import Case, verdicts
from tests.settlement.supplements import AT, CENT, OWED, payloads, states, step, told
from tests.settlement.test_fx import REPORTS as SETTLED
from tests.settlement.test_verify import JWKS, KEY, OTHER_KEY, report

Stands = list[Default]


def signed(made: Sequence[bytes], key: SigningKey = KEY) -> list[str]:
    return [key.sign(one, SUPPLEMENT_TYP) for one in made]


def codes(code: str, tokens: Sequence[str], jwks: dict[str, list[dict[str, str]]] = JWKS) -> set[str]:
    of = build_report(report("summary" if code == "HUB" else "institution", code))
    return {one.code for one in verify(KEY.sign(of), None, jwks, supplements=tokens).findings}


def of_stands(code: str, stands: Stands) -> set[str]:
    return codes(code, signed(payloads(report("summary" if code == "HUB" else "institution", code), stands)))


@pytest.mark.parametrize(("code", "count"), [("BANK", 4), ("AIR", 2), ("SHOP", 2), ("HUB", 4)])
def test_what_concerns_an_institution_is_told_it_and_adds_up(code: str, count: int) -> None:
    made = told(code)
    assert len(made) == count
    assert [build(parse(one)) for one in made] == made
    assert codes(code, signed(made)) == set()
    # AIR hears when it is drawn on, and when the debtor pays; of other's shares nothing.
    if code == "AIR":
        [default] = json.loads(made[0])["defaults"]
        assert (default["steps"], [share["amount"] for share in default["shares"]]) == ([], ["5.00"])


def test_they_are_of_this_report_in_their_order_and_nothing_is_taken_back() -> None:
    bank = signed(told("BANK"))
    assert codes("BANK", signed(told("AIR"))) == {"SUPPLEMENT_REPORT"}
    assert codes("BANK", bank[1:]) == {"SUPPLEMENT_CHAIN"}
    assert codes("BANK", [bank[0], bank[2]]) == {"SUPPLEMENT_CHAIN"}
    assert codes("BANK", [*bank[:2], bank[1]]) == {"SUPPLEMENT_CHAIN"}
    declared, early, covered, back = states()
    for stands in (
        [declared, early, declared],
        [declared, early, covered, back, covered],  # what came back is gone again
    ):
        assert of_stands("HUB", stands) == {"SUPPLEMENT_CHAIN"}


def test_a_report_or_a_statement_is_no_supplement_and_a_revoked_key_signs_none() -> None:
    of = build_report(report("institution", "BANK"))
    assert codes("BANK", [KEY.sign(of)]) == {"SUPPLEMENT_TYP", "SUPPLEMENT"}
    assert codes("BANK", [KEY.sign(told("BANK")[0])]) >= {"SUPPLEMENT_TYP"}
    assert codes("BANK", signed(told("BANK"), SigningKey.generate())) == {"SUPPLEMENT_KID"}
    assert {one.code for one in verify(signed(told("BANK"))[0], None, JWKS).findings} >= {"TYP", "TYPE"}
    # Revoked after the window closed, before the supplements: the report is still genuine, these are not.
    since = {"revoked": revoked(AT, "compromised")}
    keys = {"keys": [{**key, **since} for key in JWKS["keys"]]}
    assert codes("BANK", signed(told("BANK")), keys) == {"SUPPLEMENT_KEY_REVOKED"}  # type: ignore[arg-type]
    assert codes("BANK", signed(told("BANK"), OTHER_KEY)) == set()


def shares(of: Default, **changed: int) -> tuple[Share, ...]:
    return tuple(replace(one, **changed) if one.source == "FUND" else one for one in of.shares)  # type: ignore[arg-type]


WRONG: dict[str, Callable[[Default], Default]] = {
    "an amount with a fraction of a cent": lambda one: replace(one, repaid=one.repaid + 1),
    "more came back than there was": lambda one: replace(one, repaid=one.amount + CENT),
    "repaid, and it is not": lambda one: replace(one, status="REPAID"),
    "only declared, and it is covered": lambda one: replace(one, status="DECLARED"),
    "another's collateral": lambda one: replace(
        one, shares=(replace(one.shares[0], institution="AIR"), *one.shares[1:])
    ),
    "a share of the fund that is too small": lambda one: replace(one, shares=shares(one, amount=CENT)),
    "what came back to the wrong one": lambda one: replace(one, shares=shares(one, repaid=CENT)),
    "steps out of order": lambda one: replace(one, steps=(one.steps[1], one.steps[0], *one.steps[2:])),
    "a step that is not there": lambda one: replace(one, steps=one.steps[:-1]),
    "a loss that is not all borne": lambda one: replace(
        one, steps=tuple(replace(s, amount=s.amount - CENT) if s.kind == "COVERED" else s for s in one.steps)
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_its_figures_add_up_or_are_found(what: str) -> None:
    stands = states()
    wrong = [*stands[:3], WRONG[what](stands[3])]
    assert "SUPPLEMENT_DEFAULT" in of_stands("HUB", wrong)


def test_what_was_not_paid_is_the_report_s_net_and_no_cut_is_more_than_there_is() -> None:
    more = [replace(one, amount=OWED + CENT, steps=(step(0x0F, "DECLARED", OWED + CENT),)) for one in states()[:1]]
    assert of_stands("BANK", more) == {"SUPPLEMENT_NET"}
    [shop] = [net for net in report("institution", "SHOP").nets if net.currency == "CNY"]
    too_much = Share("SHOP", "CUT", shop.net_millionths + CENT, 0, advanced=False)
    cut = [replace(states()[2], shares=(too_much,))]
    assert of_stands("SHOP", cut) == {"SUPPLEMENT_NET"}


def test_where_nets_became_one_currency_it_is_what_they_became_that_was_not_paid() -> None:
    [bank] = [one for one in SETTLED["BANK"].settlement.payables if one.institution == "BANK"]  # type: ignore[union-attr]
    for amount, expected in ((-bank.amount_millionths, set()), (50 * 100 * CENT, {"SUPPLEMENT_NET"})):
        stand = replace(states()[0], amount=amount, steps=(step(0x0F, "DECLARED", amount),))
        [made] = payloads(SETTLED["BANK"], [stand])
        case = Case(build_report(SETTLED["BANK"]), None, supplements=signed([made]))
        ours, theirs = verdicts(case)
        assert ours == theirs
        assert {code for code, _ in ours} == expected


def test_who_bears_something_without_a_report_verifies_its_supplements_by_themselves() -> None:
    of = report("institution", "AIR")
    made = payloads(replace(of, institution=replace(of.institution, code="AIR")), states(), has_report=False)
    assert verify_supplements(signed(made), JWKS) == ()
    assert {one.code for one in verify_supplements(signed(told("AIR")), JWKS)} == {"SUPPLEMENT_REPORT"}
    assert codes("AIR", signed(made)) == {"SUPPLEMENT_REPORT"}


@pytest.mark.parametrize(
    "bend",
    [
        lambda one: one | {"extra": 1},
        lambda one: one | {"version": True},
        lambda one: one | {"at": "2026-02-02"},
        lambda one: one | {"defaults": {}},
        lambda one: one | {"defaults": [one["defaults"][0] | {"amount": "50.010"}]},
        lambda one: one | {"defaults": [one["defaults"][0] | {"status": "FORGIVEN"}]},
    ],
)
def test_another_spelling_is_none(bend: Callable[[dict[str, object]], dict[str, object]]) -> None:
    payload = rfc8785.dumps(bend(json.loads(told("BANK")[0])))  # type: ignore[arg-type]
    with pytest.raises(MalformedSupplement):
        parse(payload)
    with pytest.raises(MalformedSupplement):
        parse(told("BANK")[0] + b" ")
