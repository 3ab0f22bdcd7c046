"""camt.054: what is read of a bank's notification, and what is refused."""

import pytest

from settlement.bank_statements import Balance
from settlement.camt import balances, read
from settlement.confirmations import Payment
from settlement.uploads import FileRefused, Wrong

SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"


def transaction(reference: str, amount: str, currency: str = "CNY", side: str = "") -> str:
    sided = f"<CdtDbtInd>{side}</CdtDbtInd>" if side else ""
    refs = f"<Refs><AcctSvcrRef>B-{reference}</AcctSvcrRef><EndToEndId>{reference}</EndToEndId></Refs>"
    return f'<TxDtls>{refs}<Amt Ccy="{currency}">{amount}</Amt>{sided}</TxDtls>'


def entry(side: str, *transactions: str, status: str = "<Cd>BOOK</Cd>", more: str = "") -> str:
    return (
        f'<Ntry><Amt Ccy="CNY">99.00</Amt><CdtDbtInd>{side}</CdtDbtInd>{more}<Sts>{status}</Sts>'
        f"<BookgDt><Dt>2026-02-01</Dt></BookgDt><ValDt><DtTm>2026-02-02T00:00:00Z</DtTm></ValDt>"
        f"<NtryDtls>{''.join(transactions)}</NtryDtls></Ntry>"
    )


def message(*entries: str, space: str = SPACE) -> bytes:
    body = f"<Ntfctn><Id>1</Id>{''.join(entries)}</Ntfctn>"
    return f'<?xml version="1.0"?><Document xmlns="{space}"><BkToCstmrDbtCdtNtfctn>{body}'.encode() + (
        b"</BkToCstmrDbtCdtNtfctn></Document>"
    )


def test_each_booked_transaction_is_a_payment_signed_like_the_net() -> None:
    content = message(
        entry("CRDT", transaction("A", "5.00")),
        entry("DBIT", transaction("B", "7.00"), transaction("C", "8.00", "JPY", "CRDT")),
    )
    day = "2026-02-02"
    assert read(content) == [
        Payment(1, "A", "CNY", "-5.00", day, "B-A"),  # what came in was owed
        Payment(2, "B", "CNY", "7.00", day, "B-B"),
        Payment(3, "C", "JPY", "-8.00", day, "B-C"),
    ]
    older = read(content.replace(b"001.08", b"001.02").replace(b"<Cd>BOOK</Cd>", b"BOOK"))
    assert [one.wrong for one in older] == [None] * 3


def test_what_is_not_booked_or_taken_back_or_without_an_amount_is_said_of_its_row() -> None:
    pending = entry("CRDT", transaction("A", "5.00"), status="<Cd>PDNG</Cd>")
    back = entry("CRDT", transaction("B", "5.00"), more="<RvslInd>true</RvslInd>")
    back_too = entry("CRDT", transaction("E", "5.00"), more="<RvslInd>1</RvslInd>")
    nothing = entry("CRDT", "<TxDtls><Refs><EndToEndId>C</EndToEndId></Refs></TxDtls>")
    sideless = entry("NONE", transaction("D", "5.00"))
    assert [one.wrong for one in read(message(pending, back, back_too, nothing, sideless))] == [
        "the entry is not booked (PDNG)", "the entry reverses another one", "the entry reverses another one",
        "it has no amount", "it is on no side of the account",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"<x", Wrong.NOT_A_TABLE),
        (b"<Document/>", Wrong.NOT_A_TABLE),
        (message().replace(b"BkToCstmrDbtCdtNtfctn", b"BkToCstmrStmt"), Wrong.NOT_A_TABLE),
        (b"<!DOCTYPE Document [<!ENTITY a '1'>]><Document>&a;</Document>", Wrong.HOSTILE),
        (b'<!DOCTYPE Document SYSTEM "http://x/y"><Document/>', Wrong.HOSTILE),
        (b'<?xml version="1.0" encoding="utf-9"?><Document/>', Wrong.NOT_A_TABLE),
        (message(entry("CRDT", *[transaction("A", "1.00")] * 2_001)), Wrong.TOO_LARGE),
    ],
)
def test_what_is_no_harmless_message_is_refused(content: bytes, wrong: Wrong) -> None:
    with pytest.raises(FileRefused) as refused:
        read(content)
    assert refused.value.wrong is wrong


def statement(*stated: str, account: str = "<IBAN>DE89370400440532013000</IBAN>") -> bytes:
    body = f"<Stmt><Id>S-1</Id><Acct><Id>{account}</Id><Ccy>CNY</Ccy></Acct>{''.join(stated)}</Stmt>"
    space = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
    return f'<Document xmlns="{space}"><BkToCstmrStmt>{body}</BkToCstmrStmt></Document>'.encode()


def balance(code: str, amount: str, side: str = "CRDT", currency: str = "CNY") -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>2026-02-01</Dt></Dt></Bal>"
    )


def test_of_a_statement_the_closing_booked_balance_counts_and_a_debit_is_below_zero() -> None:
    iban, day = "DE89370400440532013000", "2026-02-01"
    content = statement(balance("OPBD", "1.00"), balance("CLBD", "5.00"), balance("CLAV", "4.00"))
    assert balances(content) == [Balance(1, iban, "CNY", day, "5.00", "S-1")]
    other = "<Othr><Id>0001</Id></Othr>"
    owed = statement(balance("CLBD", "5.00", "DBIT"), account=other)
    assert balances(owed) == [Balance(1, "0001", "CNY", day, "-5.00", "S-1")]
    [lacking] = balances(statement(balance("OPBD", "1.00")))
    assert lacking.wrong == "it has no closing booked balance"
    [sideless] = balances(statement(balance("CLBD", "1.00", "NONE")))
    assert sideless.wrong == "it is on no side of the account"
    for hostile in (message(), b"<!DOCTYPE a []><Document/>", b"<Document"):
        with pytest.raises(FileRefused):
            balances(hostile)
