"""Analysis through the API: divided figures and deferred revenue, for who sees the issuer from within."""

from hub.ledger import commands
from hub.ledger.commands import Party
from tests.schema.acting import act, holder, institution
from tests.schema.conftest import Client

FIGURES = """query A($by: [AnalysisDimension!], $c: String, $from: DateTime, $until: DateTime) {
  pointsAnalysis(by: $by, currency: $c, from: $from, until: $until) {
    currency { code } parts { dimension value institution { code } }
    issued convertedIn redeemed convertedOut expired adjusted circulation { amount currency }
    liability { amount currency } } }"""
DEFERRED = """query D($c: String!, $b: Decimal, $at: DateTime) {
  deferredRevenue(currency: $c, breakagePercent: $b, at: $at) {
  currency { code } issued redeemed expired outstanding breakagePercent breakageIsEstimated expectedRedeemed
  unitValue { amount } allocated { amount } recognised { amount } deferred { amount currency } } }"""


async def test_figures_are_divided_and_open_to_the_issuer_and_above(client: Client) -> None:
    root, hub = client.caller(client.hub.admin), client.hub
    for code, parent in (("BANK", "HUB"), ("BRANCH", "BANK"), ("SHOP", "HUB")):
        await institution(root, code, parent=parent)
    await hub.currency("BP", "BANK", scale=1)
    to = {"institution": "BRANCH", "reference": "alice"}
    for number, (channel, product) in enumerate((("web", "card"), (None, "loan"))):
        input = {"currency": "BP", "to": to, "amount": "50.5", "channel": channel, "product": product}
        made = await act(
            root, "issuePoints", "IssuePointsInput", "... on Issue { id }", idempotencyKey=f"i{number}", **input
        )
        assert made["__typename"] == "Issue"
    spent = {"currency": "BP", "customer": to, "merchant": "SHOP", "amount": "20", "product": "tea", "channel": "web"}
    await act(root, "redeemPoints", "RedeemPointsInput", "... on Redemption { id }", idempotencyKey="r", **spent)
    bank = await holder(client, root, "BANK", "Ben", "INSTITUTION_AUDITOR")
    found = await bank.ask(FIGURES, by=["CHANNEL", "INSTITUTION"])

    def row(channel: str | None, issued: str, redeemed: str, circulation: str, liability: str) -> dict[str, object]:
        return {
            "currency": {"code": "BP"},
            "parts": [
                {"dimension": "CHANNEL", "value": channel, "institution": None},
                {"dimension": "INSTITUTION", "value": "BRANCH", "institution": {"code": "BRANCH"}},
            ],
            "issued": issued,
            "convertedIn": "0.0",
            "redeemed": redeemed,
            "convertedOut": "0.0",
            "expired": "0.0",
            "adjusted": "0.0",
            "circulation": {"amount": circulation, "currency": "BP"},
            "liability": {"amount": liability, "currency": "CNY"},
        }

    # 50.5 x 0.05 = 2.525; 30.5 x 0.05 = 1.525
    assert found == [row(None, "50.5", "0.0", "50.5", "2.525"), row("web", "50.5", "20.0", "30.5", "1.525")]
    assert [one["liability"]["amount"] for one in await bank.ask(FIGURES)] == ["4.05"]
    # 101 issued, a tenth never to be redeemed: 90.9 x 0.05 = 4.545, of which 20 x 0.05 = 1.00 is revenue
    assert await bank.ask(DEFERRED, c="BP", b="10") == {
        "currency": {"code": "BP"},
        "issued": "101.0",
        "redeemed": "20.0",
        "expired": "0.0",
        "outstanding": "81.0",
        "breakagePercent": "10",
        "breakageIsEstimated": True,
        "expectedRedeemed": "90.9",
        "unitValue": {"amount": "0.05"},
        "allocated": {"amount": "4.545"},
        "recognised": {"amount": "1.00"},
        "deferred": {"amount": "3.545", "currency": "CNY"},
    }
    before = await bank.ask(DEFERRED, c="BP", at="2020-01-01T00:00:00Z")
    assert (before["issued"], before["deferred"]["amount"]) == ("0.0", "0.00")
    for outsider in ("SHOP", "BRANCH"):
        other = await holder(client, root, outsider, "Sue", "INSTITUTION_AUDITOR")
        assert await other.ask(FIGURES, c="BP") == []
        assert await other.ask(DEFERRED, c="BP") is None


async def test_what_cannot_be_divided_is_refused(client: Client) -> None:
    root = client.caller(client.hub.admin)
    for bad in (
        {"by": ["DAY", "DAY"]},
        {"by": ["DAY", "MONTH", "YEAR", "ZONE", "LEVEL"]},
        {"from": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    ):
        assert await root.codes(FIGURES, **bad) == ["BAD_INPUT"], bad
    assert await root.codes(FIGURES, until="2999-01-01T00:00:00Z") == ["NOT_PAST"]
    for percent in ("-1", "100.000001", "1.0000001", "1e30"):  # at most six decimal places
        assert await root.codes(DEFERRED, c="BP", b=percent) == ["BAD_INPUT"]
    assert await root.ask(DEFERRED, c="NONE") is None


async def test_an_act_of_many_rows_keeps_what_each_says_of_itself(client: Client) -> None:
    root, hub = client.caller(client.hub.admin), client.hub
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    rows = [
        {
            "idempotencyKey": f"k{number}",
            "currency": "BP",
            "to": {"institution": "BANK", "reference": "c"},
            "amount": "1",
            "product": f"p{number % 2}",
        }
        for number in range(10)
    ]
    await root.ask(
        "mutation M($rows: [IssuePointsInput!]!) { issuePointsBatch(input: $rows) { __typename } }", rows=rows
    )
    found = await root.ask(FIGURES, by=["PRODUCT"])
    assert [(one["parts"][0]["value"], one["issued"]) for one in found] == [("p0", "5"), ("p1", "5")]
    again = commands.Issue(
        actor=hub.admin,
        key="k0",
        currency="BP",
        to=Party("BANK", "c"),
        amount="1",
        earned_at=None,
        expires_at=None,
        memo=None,
        product="p1",
    )
    outcome = await hub.try_(again)  # the product is part of the request
    assert outcome.refusal is not None
    assert outcome.refusal.code == "IDEMPOTENCY_CONFLICT"
