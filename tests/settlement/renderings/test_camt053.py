import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from pyiso20022.camt.camt_053_001_08.camt_053_001_08 import Document
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig

from settlement.renderings.camt053 import NAMESPACE, camt053
from settlement.renderings.paper import Unrenderable
from settlement.report import build
from tests.settlement.renderings.reports import SUMMARY_CASE, Case, cases
from tests.settlement.test_verify_levels import REPORTS
from tests.settlement.test_verify_pairs import GROSS
from tests.settlement.test_verify_pairs import REPORTS as PAIRS

PARSER = XmlParser(config=ParserConfig(fail_on_unknown_properties=True, fail_on_converter_warnings=True))
SPACE = {"c": NAMESPACE}


def faults(node: Any, place: str = "Document") -> Iterator[str]:
    """Where a message breaks a rule of its schema: what is missing, too long, too many digits, another pattern."""
    for of in fields(node):
        value, rules = getattr(node, of.name), of.metadata
        here = f"{place}/{rules.get('name', of.name)}"
        values = value if isinstance(value, list) else [] if value is None else [value]
        if (rules.get("required") and value is None) or len(values) < rules.get("min_occurs", 0):
            yield f"{here} is missing"
        for one in values:
            if is_dataclass(one):
                yield from faults(one, here)
                continue
            text = str(one.value if isinstance(one, Enum) else one)
            if not rules.get("min_length", 0) <= len(text) <= rules.get("max_length", len(text)):
                yield f"{here} is {len(text)} characters long"
            if "pattern" in rules and not re.fullmatch(rules["pattern"], text):
                yield f"{here} has another shape: {text}"
            if isinstance(one, Decimal):
                _, digits, exponent = one.as_tuple()
                assert isinstance(exponent, int)
                too_many = len(digits) > rules.get("total_digits", len(digits))
                if too_many or -exponent > rules.get("fraction_digits", 99) or one < rules.get("min_inclusive", one):
                    yield f"{here} is {one}"


def test_a_broken_rule_of_the_schema_is_found() -> None:
    message = PARSER.from_bytes(camt053(SUMMARY_CASE.payload), Document)
    assert list(faults(message)) == []
    statement = message.bk_to_cstmr_stmt.stmt[0]
    statement.acct.ccy = "Yuan"
    statement.id = "x" * 36
    statement.bal = []
    statement.ntry[0].amt.value = Decimal("0.000001")
    assert len(list(faults(message))) == 4


def text(node: ElementTree.Element, path: str) -> str:
    found = node.find("/".join(f"c:{step}" for step in path.split("/")), SPACE)
    assert found is not None
    assert found.text is not None
    return found.text


def signed(node: ElementTree.Element) -> tuple[str, str]:
    """Amount and currency, what is owed below zero."""
    amount = node.find("c:Amt", SPACE)
    assert amount is not None
    sign = "-" if text(node, "CdtDbtInd") == "DBIT" else ""
    return f"{sign}{amount.text}", amount.attrib["Ccy"]


def fits(case: Case) -> bool:
    nets = [net for net in case.nets if net["parent"] is None]
    return all(len(net["institution"]) <= 34 and len(net["net"].strip("-").replace(".", "")) <= 18 for net in nets)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_nets_dates_and_references_are_read_again_and_the_schema_holds(case: Case) -> None:
    if not fits(case):
        with pytest.raises(Unrenderable):
            camt053(case.payload)
        return
    message = camt053(case.payload)
    assert list(faults(PARSER.from_bytes(message, Document))) == []
    root = ElementTree.fromstring(message)
    statements = root.findall("c:BkToCstmrStmt/c:Stmt", SPACE)
    window, nets = case.document["window"], case.document["nets"]
    assert text(root, "BkToCstmrStmt/GrpHdr/MsgId") == case.digest[:32]
    assert len({text(one, "Id") for one in statements}) == len(statements)
    for one, net in zip(statements, nets, strict=True):
        assert text(one, "Acct/Id/Othr/Id") == net["institution"]
        assert text(one, "Acct/Ccy") == net["currency"]
        assert text(one, "ElctrncSeqNb") == window["number"]
        assert text(one, "FrToDt/FrDtTm") == window["openedAt"].replace(".000000Z", "Z")
        assert text(one, "FrToDt/ToDtTm") == window["closedAt"].replace(".000000Z", "Z")
        opening, closing = one.findall("c:Bal", SPACE)
        [entry] = one.findall("c:Ntry", SPACE)
        assert text(opening, "Tp/CdOrPrtry/Cd") == "OPBD"
        assert Decimal(signed(opening)[0]) == 0
        assert (text(closing, "Tp/CdOrPrtry/Cd"), *signed(closing)) == ("CLBD", net["net"], net["currency"])
        assert signed(entry) == (net["net"], net["currency"])
        assert case.digest in text(entry, "AddtlNtryInf")


def test_what_is_settled_sums_to_zero_and_levels_below_are_not_in_the_summary() -> None:
    payload = build(REPORTS["HUB"])
    root = ElementTree.fromstring(camt053(payload))
    booked = [signed(entry) for entry in root.iter(f"{{{NAMESPACE}}}Ntry")]
    for currency in {of for _, of in booked}:
        assert sum(Decimal(amount) for amount, of in booked if of == currency) == 0
    named = {text(one, "Acct/Id/Othr/Id") for one in root.iter(f"{{{NAMESPACE}}}Stmt")}
    assert named == {net.institution for net in REPORTS["HUB"].nets if net.parent is None}


def test_a_net_that_goes_to_a_parent_is_in_an_account_with_it() -> None:
    child = next(one for one in REPORTS.values() if one.nets[0].parent and one.kind == "institution")
    root = ElementTree.fromstring(camt053(build(child)))
    assert text(root, "BkToCstmrStmt/Stmt/Acct/Svcr/FinInstnId/Nm") == child.nets[0].parent


def test_a_report_without_nets_has_no_cash_leg() -> None:
    with pytest.raises(Unrenderable):
        camt053(build(replace(SUMMARY_CASE.report, nets=(), children=())))


def test_where_each_two_net_with_one_another_there_is_an_entry_for_each_counterparty() -> None:
    for code in ("BANK", "HUB"):
        message = camt053(build(PAIRS[code]))
        assert list(faults(PARSER.from_bytes(message, Document))) == []
        root = ElementTree.fromstring(message)
        booked = {
            (text(one, "Acct/Id/Othr/Id"), text(one, "Acct/Ccy")): [
                (signed(entry)[0], text(entry, "AddtlNtryInf").partition(" ")[0])
                for entry in one.findall("c:Ntry", SPACE)
            ]
            for one in root.findall("c:BkToCstmrStmt/c:Stmt", SPACE)
        }
        assert booked["BANK", "CNY"] == [("-0.24", "AIR"), ("-6.51", "MALL")]
        assert booked["BANK", "JPY"] == [("7", "MALL")]
    assert booked["HUB", "CNY"] == [("0.01", "AIR")]


def test_where_each_act_was_paid_at_once_there_is_nothing_to_book() -> None:
    with pytest.raises(Unrenderable):
        camt053(build(GROSS["BANK"]))
