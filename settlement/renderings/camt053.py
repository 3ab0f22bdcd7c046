"""The cash leg of a report as camt.053.001.08, the bank-to-customer statement of ISO 20022.

One statement for each account and currency that the window's nets are booked to: of an institution's report its own, of
the summary those of everybody who settles with the hub. Each begins at zero, has the net as its one entry and closes
with it, which is what is to be paid or received; where each two participants net with one another, it has an entry for
each counterparty that is to be paid or pays. Where nets have become one currency, the entry is what is to be paid in
it. Dates and references are the window's; the digest of the report is in the header and with each entry. Amounts are
nets, so whole minor units; the exact figures behind them are in the report.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pyiso20022.camt.camt_053_001_08.camt_053_001_08 import (
    AccountIdentification4Choice,
    AccountSchemeName1Choice,
    AccountStatement9,
    ActiveOrHistoricCurrencyAndAmount,
    BalanceType10Choice,
    BalanceType13,
    BankToCustomerStatementV08,
    BankTransactionCodeStructure4,
    BranchAndFinancialInstitutionIdentification6,
    CashAccount39,
    CashBalance8,
    CreditDebitCode,
    DateAndDateTime2Choice,
    DateTimePeriod1,
    Document,
    EntryStatus1Choice,
    FinancialInstitutionIdentification18,
    GenericAccountIdentification1,
    GroupHeader81,
    PartyIdentification135,
    ProprietaryBankTransactionCodeStructure1,
    ReportEntry10,
)
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.config import SerializerConfig
from xsdata.models.datatype import XmlDateTime

from hub.money import format_millionths
from settlement.netting import NetLine
from settlement.renderings.paper import Unrenderable
from settlement.renderings.statement import known
from settlement.report import Report, digest

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
ISSUER: Final = "POINTS-HUB"
ENTRY: Final = "NET-SETTLEMENT"
# As the message's schema says.
_ACCOUNT_MAX: Final = 34
_NAME_MAX: Final = 140
_AMOUNT_DIGITS_MAX: Final = 18
_REFERENCE: Final = 32


def camt053(payload: bytes) -> bytes:
    """The message.

    Raises:
        Unrenderable: there is nothing to settle in the report, or it is an interim statement, or a code or an amount is
            too long for the message.
    """
    report, sealed = known(payload), digest(payload)
    if report.is_gross:
        raise Unrenderable("each act was paid at once, and nothing is left to be booked")
    if report.form.is_interim:
        raise Unrenderable("camt.053 is of what is booked, and an interim statement books nothing")
    statements = list(_statements(report, sealed))
    if not statements:
        raise Unrenderable("there is no net in it")
    header = GroupHeader81(
        msg_id=sealed[:_REFERENCE],
        cre_dt_tm=_instant(report.window.closed_at),
        addtl_inf=f"{report.kind} {report.window.id} SHA-256 {sealed}"[:500],
    )
    message = Document(bk_to_cstmr_stmt=BankToCustomerStatementV08(grp_hdr=header, stmt=statements))
    serializer = XmlSerializer(config=SerializerConfig(indent="  "))
    return serializer.render(message, ns_map={None: NAMESPACE}).encode()


def _statements(report: Report, sealed: str) -> Iterator[AccountStatement9]:
    names = {report.institution.code: report.institution.name}
    nets = [net for net in report.nets if report.kind != "summary" or net.parent is None]
    if report.settlement is not None:
        paid = ((one.institution, one.amount_millionths) for one in report.settlement.payables)
        nets = [NetLine(code, report.settlement.currency, 0, 0, amount) for code, amount in paid]
    for number, net in enumerate(nets, start=1):
        yield _statement(report, net, names.get(net.institution), f"{sealed[: _REFERENCE - 8]}-{number}", sealed)


def _statement(report: Report, net: NetLine, name: str | None, identifier: str, sealed: str) -> AccountStatement9:
    opened, closed = report.window.opened_at, report.window.closed_at
    if len(net.institution) > _ACCOUNT_MAX:
        raise Unrenderable(f"a code has more than {_ACCOUNT_MAX} characters")
    booked, owed = _amount(net.net_millionths, net.currency), _side(net.net_millionths)
    reference = f"{report.window.number}-{net.currency}"
    if report.pairs is None:
        entries = [_entry(report, net.net_millionths, net.currency, reference, f"SHA-256 {sealed}", sealed)]
    else:
        mine = (mine for pair in report.pairs for mine in (pair, pair.mirrored))
        of = [one for one in mine if (one.institution, one.currency) == (net.institution, net.currency)]
        entries = [
            _entry(
                report,
                one.net_millionths,
                one.currency,
                f"{reference}-{number}",
                f"{one.counterparty} SHA-256 {sealed}"[:500],
                sealed,
            )
            for number, one in enumerate(sorted(one for one in of if one.net_millionths), start=1)
        ]
    return AccountStatement9(
        id=identifier,
        elctrnc_seq_nb=Decimal(report.window.number),
        cre_dt_tm=_instant(closed),
        fr_to_dt=DateTimePeriod1(fr_dt_tm=_instant(opened), to_dt_tm=_instant(closed)),
        acct=CashAccount39(
            id=AccountIdentification4Choice(
                othr=GenericAccountIdentification1(
                    id=net.institution, schme_nm=AccountSchemeName1Choice(prtry=ISSUER), issr=ISSUER
                )
            ),
            ccy=net.currency,
            ownr=PartyIdentification135(nm=(name or net.institution)[:_NAME_MAX].strip()),
            svcr=BranchAndFinancialInstitutionIdentification6(
                fin_instn_id=FinancialInstitutionIdentification18(nm=(net.parent or report.hub)[:_NAME_MAX].strip())
            ),
        ),
        bal=[
            _balance("OPBD", _amount(0, net.currency), CreditDebitCode.CRDT, opened),
            _balance("CLBD", booked, owed, closed),
        ],
        ntry=entries,
    )


def _entry(report: Report, millionths: int, currency: str, reference: str, told: str, sealed: str) -> ReportEntry10:
    return ReportEntry10(
        ntry_ref=reference,
        amt=_amount(millionths, currency),
        cdt_dbt_ind=_side(millionths),
        sts=EntryStatus1Choice(cd="BOOK"),
        bookg_dt=DateAndDateTime2Choice(dt_tm=_instant(report.window.closed_at)),
        acct_svcr_ref=sealed[:_REFERENCE],
        bk_tx_cd=BankTransactionCodeStructure4(prtry=ProprietaryBankTransactionCodeStructure1(cd=ENTRY, issr=ISSUER)),
        addtl_ntry_inf=told,
    )


def _balance(code: str, amount: ActiveOrHistoricCurrencyAndAmount, side: CreditDebitCode, at: datetime) -> CashBalance8:
    return CashBalance8(
        tp=BalanceType13(cd_or_prtry=BalanceType10Choice(cd=code)),
        amt=amount,
        cdt_dbt_ind=side,
        dt=DateAndDateTime2Choice(dt_tm=_instant(at)),
    )


def _amount(millionths: int, currency: str) -> ActiveOrHistoricCurrencyAndAmount:
    text = format_millionths(abs(millionths), currency)
    if len(text.replace(".", "")) > _AMOUNT_DIGITS_MAX:
        raise Unrenderable(f"an amount has more than {_AMOUNT_DIGITS_MAX} digits")
    return ActiveOrHistoricCurrencyAndAmount(value=Decimal(text), ccy=currency)


def _side(millionths: int) -> CreditDebitCode:
    """From the account owner's view: what it is owed is a credit; so is nothing."""
    return CreditDebitCode.DBIT if millionths < 0 else CreditDebitCode.CRDT


def _instant(at: datetime) -> XmlDateTime:
    return XmlDateTime.from_datetime(at.astimezone(UTC))
