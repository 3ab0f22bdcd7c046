"""Tenants tried from outside, on every root field: what is another's does not exist, and nothing of it moves."""

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest

from settlement.acceptance import prove
from settlement.signing import SigningKey
from tests.hub.programs import Served
from tests.hub.reconciliation.writing import Row, write
from tests.journeys.client import REFUSED, Client, Socket, key
from tests.journeys.network import Network, unique

ALL = ("INSTITUTION_ADMIN", "INSTITUTION_TRADER", "INSTITUTION_AUDITOR")
AS_OPERATOR = "what the operator sees"
ABSENT = "7fffffffffffffff"  # the number of nothing


_APPROVE_PLAN = "mutation($id: ID!) { approveSharePlan(id: $id) { __typename } }"


def _fx_rate() -> dict[str, str]:
    return {"base": "ISK", "quote": "CNY", "rate": "0.052", "source": "CFETS", "quotedOn": "2026-01-05"}


class Victim:
    """A network with something of every kind in it, and those who try to get at it."""

    def __init__(self, network: Network, running: Served) -> None:
        self.network, operator = network, network.operator
        self.stood: Any = None
        # Digits come first, so that its rows stand on the first page of every list of codes.
        self.bank = network.institution("0VICTIM")
        self.branch = network.institution("0VICTIMBRANCH", "BRANCH", self.bank)
        self.stranger = network.institution("STRANGER")
        self.a, self.b = network.currency("0A", self.bank), network.currency("0B", self.bank)
        self.theirs = network.currency("0T", self.stranger)
        # In a currency of their own, so that what the model takes is nobody else's.
        self.model_code = unique("0M")
        self.model = network.model(self.model_code, [self.bank], ["ISK"])
        self.icelandic = network.currency("0I", self.bank, unitValue={"amount": "1", "currency": "ISK"})
        asked = "query($c: String!) { settlementModel(code: $c) { window { id } } }"
        self.model_window = operator.ask(asked, c=self.model_code)["settlementModel"]["window"]["id"]
        self.proposed_model = operator.do(
            "proposeSettlementModel", code=self.model_code, name="m", members=[self.bank], currencies=["ISK"]
        )["id"]
        self.fx_rate = operator.do("proposeFxRate", _fx_rate())["id"]
        trader = operator.do(
            "createCredential", institution=self.bank, person="vic", label="t", roles=["INSTITUTION_TRADER"]
        )
        self.credential, self.trader = trader["credential"]["id"], Client(operator.url, trader["secret"])
        self.rate = network.rate(self.a, self.b, 1, 2)
        self.proposed = network.propose(self.a, self.b, 1, 3)["id"]
        price = {"amount": "0.04", "currency": "CNY"}
        self.terms = operator.do("proposeAcceptanceTerms", currency=self.a, merchant=self.bank, price=price)["id"]
        operator.do("proposeUnitValue", {"currency": self.a, "value": price})
        operator.do("setDebitCap", institution=self.bank, currency="CNY", amount="1000")
        operator.do("setDebitCap", institution=self.bank, currency="CNY", amount="2000")
        query = "query($v: String!) { institution(code: $v) { positions { proposedCap { id } } } }"
        self.cap = operator.ask(query, v=self.bank)["institution"]["positions"][0]["proposedCap"]["id"]
        self._cover()
        clerk = network.person(self.bank, "INSTITUTION_ADMIN")
        offer = {"currency": self.a, "holder": "HUB", "points": "10", "price": price}
        self.block = clerk.do("offerPrepaidBlock", offer)["id"]
        clerk.do("setPrepaidNotice", {"currency": self.a, "holder": self.bank, "threshold": "5"})
        self.issued = network.issue(self.a, self.bank, "alice", "1000")
        terms = {"act": "TRANSFER", "period": "YEAR", "institution": self.bank}
        self.limit = operator.do("setLimit", currency=self.a, code="give", amount="900", terms=terms)["id"]
        self.transfer = self._do("transferPoints", currency=self.a, amount="100", **self._from_to("alice", "bob"))
        self.redemption = self._do(
            "redeemPoints", currency=self.a, amount="10", merchant=self.branch, customer=self._party("alice")
        )
        network.issue(self.icelandic, self.bank, "alice", "10")
        self._do(
            "redeemPoints", currency=self.icelandic, amount="10", merchant=self.branch, customer=self._party("alice")
        )
        self.until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        self.hold = self._do(
            "holdPoints", currency=self.a, amount="30", customer=self._party("alice"), expiresAt=self.until
        )
        self.converted = self.exchange("alice", "20") | {"idempotencyKey": key()}
        self.conversion = self._do("convert", self.converted)
        self.reversal = self._do("reverse", id=self.conversion, amount="1", reason="returned")
        self.quote = self._do("requestQuote", self.exchange("alice", "40"))
        self._freezes()
        query = (
            "query($c: CustomerInput!, $a: String!) { movements(customer: $c, currency: $a) { edges { node { id } }}}"
        )
        lines = operator.ask(query, c=self._party("alice"), a=self.a)["movements"]["edges"]
        self.movement = lines[0]["node"]["id"]
        found = operator.ask(
            'query($v: String!, $a: String!) { customer(institution: $v, reference: "alice") { id }'
            " institution(code: $v) { id } pointCurrency(code: $a) { id } }",
            v=self.bank,
            a=self.a,
        )
        self.customer, self.institution = found["customer"]["id"], found["institution"]["id"]
        self.currency = found["pointCurrency"]["id"]
        pool = self._party("family")
        self.pool = self._do(
            "createPool", institution=self.bank, reference="family", kind="FAMILY", owner=self._party("alice")
        )
        self.contribution = self._do(
            "contributeToPool", pool=pool, member=self._party("alice"), currency=self.a, amount="5"
        )
        joining = {"pool": pool, "member": self._party("bob"), "rights": ["CONTRIBUTE"], "by": self._party("alice")}
        assert self.trader.do("joinPool", joining)["__typename"] == "Pool"
        self.meet()
        self._do(
            "redeemPoints", currency=self.a, amount="20", merchant=network.institution("0SHOP"),
            customer=self._party("alice"),
        )  # fmt: skip
        self.window = network.close_window()["id"]
        self.report = operator.ask(
            "query($w: ID!, $v: String!) { settlementReport(windowId: $w, institution: $v) { id linesUrl } }",
            w=self.window,
            v=self.bank,
        )["settlementReport"]
        self._dispute()
        self._webhook()
        shares = [{"institution": self.bank, "percent": "100"}]
        proposed = operator.do("proposeSharePlan", institution=self.bank, shares=shares)
        self.plan = proposed["id"]
        assert network.second.ask(_APPROVE_PLAN, id=self.plan)["approveSharePlan"]["__typename"] == "SharePlan"
        monthly = {"amount": "1", "currency": "CNY"}
        self.prices = operator.do("proposeFeeSchedule", institution=self.bank, vatPercent="6", membership=monthly)["id"]
        self._doubt()
        self._compare(running)
        later = {"currency": self.a, "scope": "ALL", "at": "2999-01-01T00:00:00Z", "reason": "year-end"}
        self.clearing = operator.do("clearPoints", _keyed(**later))["id"]
        self.relocation = self._relocation()
        soon = (datetime.now(UTC) + timedelta(days=5)).isoformat()
        self._do("issuePoints", currency=self.a, amount="7", to=self._party("carol"), expiresAt=soon)
        assert running.run("expire").returncode == 0  # and the notice of that is made
        self.past = operator.ask("{ hub { time } }")["hub"]["time"]
        self.csv = operator.ask(
            "query($c: CustomerInput!, $a: String!, $t: DateTime!)"
            " { statement(customer: $c, currency: $a, from: $t, until: $t) { csvUrl } }",
            c=self._party("alice"),
            a=self.a,
            t=self.past,
        )["statement"]["csvUrl"]
        self.anonymous = Client(operator.url, None)
        self.callers = {
            "stranger": network.person(self.stranger, *ALL),
            "branch": network.person(self.branch, *ALL),
            "auditor": network.person(self.bank, "INSTITUTION_AUDITOR"),
            "anonymous": self.anonymous,
        }

    def _cover(self) -> None:
        """Terms of cover with easier ones proposed, collateral that one person has recorded, and a net not paid."""
        operator = self.network.operator
        terms = {"institution": self.bank, "currency": "CNY", "needed": True, "dueDays": 0}
        operator.do("setCover", terms | {"line": "1000"})
        self.cover = operator.do("setCover", terms | {"line": "2000"})["proposal"]["id"]
        entry = {"institution": self.bank, "currency": "CNY", "pot": "COLLATERAL", "amount": "5"}
        self.cover_entry = operator.do("recordCoverEntry", entry | {"reference": f"in {self.bank}"})["id"]
        self.network.issue(self.b, self.bank, "payer", "1")
        self._do("redeemPoints", currency=self.b, amount="1", merchant="HUB", customer=self._party("payer"))
        self.network.settle()  # what others have left on this server comes before
        self.unpaid = self.network.close_window()["id"]
        asked = {"windowId": self.unpaid, "institution": self.bank, "currency": "CNY", "reason": "nothing came"}
        self.default = operator.do("proposeDefault", asked)["id"]

    def meet(self) -> None:
        """A card of alice's, alice linked with a partner's customer, and bob proposed for another."""
        partner = self.network.institution("PARTNER")
        clerk = self.network.person(partner, "INSTITUTION_ADMIN")
        for reference in ("alice2", "bob2"):
            self.network.operator.do("enrollCustomer", institution=partner, reference=reference)
        self.card = "6217000000001111"
        self.binding = self._do(
            "bindIdentifier", institution=self.bank, identifier=self.card, customer=self._party("alice")
        )
        self.link, self.proposed_link = (
            self._do("proposeCustomerLink", a=self._party(mine), b={"institution": partner, "reference": other})
            for mine, other in (("alice", "alice2"), ("bob", "bob2"))
        )
        assert clerk.link("acceptCustomerLink", self.link)["status"] == "ACTIVE"

    def _relocation(self) -> str:
        """A relocation that is proposed, of points that a partner keeps."""
        partner = {"baseUrl": "https://partner.example", "unit": "P", "scale": 2, "auth": {"scheme": "none"}}
        call = {"path": "/orders", "body": {"r": "{reference}"}}
        answer = {"status": "s", "statuses": {"OK": "SUCCEEDED"}, "reference": "r"}
        kept = {**partner, "orders": [{"operations": ["DEBIT", "CREDIT"], "call": call}], "answer": answer}
        away = self.network.currency("AWAY", self.bank, adapter="http_json", adapterConfig=kept)
        proposed = self.network.operator.do(
            "proposeRelocation", {"currency": away, "adapter": "hosted", "reason": "home"}
        )  # nobody approves it, so nothing is halted
        self.away = away
        return str(proposed["id"])

    def _doubt(self) -> None:
        """A conversion whose points a partner is to give that hears everything and answers nothing."""
        operator = self.network.operator
        self.silent = socket.create_server(("127.0.0.1", 0))
        answer = {"status": "s", "statuses": {"OK": "SUCCEEDED"}, "reference": "r", "amount": "a"}
        call = {"path": "/orders", "body": {"r": "{reference}", "a": "{amount}"}}
        kept = {
            "baseUrl": f"http://127.0.0.1:{self.silent.getsockname()[1]}",
            "allowPlainHttp": True,
            "unit": "R",
            "answersWithinS": 1,
            "orders": [{"operations": ["DEBIT", "CREDIT"], "call": call}],
            "answer": answer,
        }
        remote = self.remote = self.network.currency("0R", self.bank, adapter="http_json", adapterConfig=kept)
        self.network.rate(self.a, remote, 1, 1)
        deal: dict[str, Any] = {"source": self._party("alice"), "target": self._party("alice"), "sourceAmount": "3"}
        deal |= {"idempotencyKey": key(), "sourceCurrency": self.a, "targetCurrency": remote}
        self.doubtful = self._do("convert", deal)
        status = "query($id: ID!) { conversion(id: $id) { status } }"
        while operator.ask(status, id=self.doubtful)["conversion"]["status"] != "IN_DOUBT":
            pass

    def _compare(self, running: Served) -> None:
        """A day of that partner's, in whose file something stands that the hub knows nothing of."""
        then = datetime.now(UTC) - timedelta(days=1)
        stranger = Row("OTHER-1", then, amount="7.00", unit="R")
        path = write(running.folder.parent / "day.csv", [stranger], self.remote, then.date())
        words = ("--currency", self.remote, "--day", then.date().isoformat(), "--file", str(path), "--json")
        done = running.run("reconcile", *words)
        assert done.returncode == 1, done.stderr
        self.run = json.loads(done.stdout)["id"]
        asked = "query($c: String!) { breaks(currency: $c) { edges { node { id } } } }"
        [edge] = self.network.operator.ask(asked, c=self.remote)["breaks"]["edges"]
        self.broken = edge["node"]["id"]

    def _dispute(self) -> None:
        """A key with which the bank accepts its reports, and a line that it disputes."""
        admin = self.network.person(self.bank, "INSTITUTION_ADMIN")
        key = SigningKey.generate()
        name = admin.ask("{ hub { name } }")["hub"]["name"]
        self.proof = {"institution": self.bank, "jwk": key.public_jwk(), "proof": prove(key, name, self.bank)}
        made = admin.do("registerAcceptanceKey", self.proof)
        self.kid = made["kid"]
        headers = {"authorization": f"Bearer {admin.secret}"}
        lines = httpx2.get(admin.url + self.report["linesUrl"], headers=headers).text.splitlines()
        [line] = [one for one in map(json.loads, lines) if one["amount"] == "1.00"]  # 20 × 0.05
        self.line = {"movement": line["movement"], "leg": line["leg"], "reason": "AMOUNT", "evidence": {"text": "t"}}
        opened = admin.do("openDisputes", windowId=self.window, institution=self.bank, lines=[self.line])
        self.dispute = opened["disputes"][0]["id"]

    def _webhook(self) -> None:
        """An endpoint that was told of an issue, and from then on of nothing that these tests do."""
        operator = self.network.operator
        told = "query($v: String!) { webhookDeliveries(institution: $v) { edges { node { id } } } }"
        made = operator.do("setWebhook", institution=self.bank, url="https://127.0.0.1:9/hook", types=["issue.posted"])
        self.webhook = made["webhook"]["id"]
        self._do("issuePoints", currency=self.a, to=self._party("erin"), amount="1")
        while not (edges := operator.ask(told, v=self.bank)["webhookDeliveries"]["edges"]):
            pass
        [self.delivery] = [edge["node"]["id"] for edge in edges]
        operator.do("setWebhook", institution=self.bank, url="https://127.0.0.1:9/hook", types=["rate.rejected"])

    def _freezes(self) -> None:
        """Something frozen, a restriction, and what was granted by mistake, cancelled and given up."""
        self.freeze = self._do("freezePoints", currency=self.a, customer=self._party("alice"), amount="5", reason="r")
        self.restriction = self._do("freezeAccount", currency=self.b, customer=self._party("bob"), reason="r")
        dora = self._party("dora")
        self._do("issuePoints", currency=self.a, to=dora, amount="8", record="R")
        self.cancellation = self._do("cancelRecord", currency=self.a, record="R", reason="r")
        self._do("issuePoints", currency=self.a, to=dora, amount="2", record="R")
        gone = self._do("freezePoints", currency=self.a, customer=dora, amount="5", reason="r")
        self._do("resolveFreeze", freezeId=gone, outcome="REMOVE", reason="r")  # 3 are owed
        debt = {"customer": dora, "currency": self.a, "amount": "1", "reason": "r"}
        self.write_off = self.network.operator.do("writeOffDebt", _keyed(**debt))["id"]

    def _do(self, mutation: str, value: dict[str, Any] | None = None, **fields: Any) -> str:
        value = fields if value is None else value
        if mutation not in ("requestQuote", "convert"):
            value = {"idempotencyKey": key()} | value
        made = self.trader.do(mutation, value)
        assert made["__typename"] != "Refused", made
        return str(made["id"])

    def _party(self, reference: str) -> dict[str, str]:
        return {"institution": self.bank, "reference": reference}

    def _from_to(self, giver: str, taker: str) -> dict[str, Any]:
        return {"from": self._party(giver), "to": self._party(taker)}

    def exchange(self, reference: str, amount: str) -> dict[str, Any]:
        """A conversion of a customer's own points."""
        return {
            "source": self._party(reference),
            "target": self._party(reference),
            "sourceCurrency": self.a,
            "targetCurrency": self.b,
            "sourceAmount": amount,
        }

    def state(self) -> Any:
        """All of the victim's that could be moved, as the operator sees it."""
        query = """
        query($v: String!, $a: String!, $b: String!, $r: String!, $k: String!, $w: ID!) {
          institution(code: $v) {
            status parent { code } children { code status } credentials { id revokedAt } pointCurrencies { code }
            positions { currency own subtree exposure debitCap }
          }
          covers(institution: $v) { collateral terms { line } }
          prepaidBlocks(currency: $a) { edges { node { id status left { amount } history { kind } } } }
          prepaidStocks(holder: $v) { threshold { amount } }
          coverEntries(institution: $v) { edges { node { id status } } }
          alice: customer(institution: $v, reference: "alice") {
            balances { currency { code } total available } identifiers { identifier } }
          holds(customer: {institution: $v, reference: "alice"}) { edges { node { id status captured } } }
          bindings(customer: {institution: $v, reference: "alice"}) { edges { node { id until } } }
          alices: customerLinks(customer: {institution: $v, reference: "alice"}) { edges { node { id status } } }
          bobs: customerLinks(customer: {institution: $v, reference: "bob"}) { edges { node { id status } } }
          bob: customer(institution: $v, reference: "bob") { balances { currency { code } total available frozen } }
          dora: customer(institution: $v, reference: "dora") { balances { currency { code } total frozen debt } }
          a: pointCurrency(code: $a) { circulation { amount } }
          b: pointCurrency(code: $b) { circulation { amount } }
          pool(institution: $v, reference: "family") { customer { balances { total } }
            members { edges { node { customer { reference } rights contributions { amount } } } } }
          rates(source: $a, target: $b) { edges { node { id status awaiting } } }
          acceptanceTerms(currency: $a) { edges { node { id status awaiting } } }
          limits(currency: $a) { edges { node { code amount versions { amount } } } }
          conversions(institution: $v) { edges { node { id status } } }
          pointsClearings(currency: $a) { edges { node { id status } } }
          relocations(currency: $r) { edges { node { id status round accepted } } }
          settlementWindow(id: $w) { status nets { institution { code } net confirmed } }
          webhook(institution: $v) { id url types status previousSecretUntil }
          webhookDeliveries(institution: $v) { edges { node { id type payload } } }
          breaks(currency: $k) { edges { node { id status owner history { kind } } } }
          disputes(windowId: $w) { edges { node { id status history { kind } } } }
          acceptanceKeys(institution: $v) { kid replacedAt revokedSince }
          settlementReport(windowId: $w, institution: $v) { acceptance { standing disputableUntil } }
          hub { window { id } }
        }
        """
        asked = {"v": self.bank, "a": self.a, "b": self.b, "r": self.away, "k": self.remote, "w": self.window}
        return self.network.operator.ask(query, **asked)

    def stands_as_it_stood(self) -> None:
        """Pass if nothing of the victim's has moved since this was asked last, or since it was made."""
        before, self.stood = self.stood, self.state()
        assert self.stood == before


@pytest.fixture(scope="module")
def victim(network: Network, running: Served) -> Iterator[Victim]:
    """One victim for all of these tests: nothing of it may move, so they can share it."""
    made = Victim(network, running)
    with made.silent:
        made.stood = made.state()
        yield made


@dataclass(frozen=True)
class Case:
    """What is asked with a field, and what each caller gets: data, a refusal's reason or an error's code.

    ``absent`` names, of the variables, those that are replaced by what does not exist: whoever must not know of the
    victim's gets the same answer to both. ``pick`` reduces the data to what is the victim's.
    """

    document: str
    variables: Callable[[Victim], dict[str, Any]]
    stranger: Any
    auditor: Any
    anonymous: Any = "UNAUTHENTICATED"
    branch: Any = "what the stranger gets"
    absent: dict[str, str] | None = None
    pick: Callable[[Any, Victim], Any] = lambda data, _: data


def _nothing(_: Victim) -> dict[str, Any]:
    return {}


def _acts(field: str, kind: str, value: Callable[[Victim], Any], stranger: str = "FORBIDDEN", **more: Any) -> Case:
    """A mutation of one input, which no outsider may and the auditor neither."""
    document = f"mutation($v: {kind}) {{ {field}(input: $v) {{ __typename {REFUSED} }} }}"
    return Case(document, lambda victim: {"v": value(victim)}, stranger, "FORBIDDEN", **more)


_PREFIXES = {
    "credential": "ck",
    "proposed": "rt",
    "rate": "rt",
    "cap": "dc",
    "terms": "at",
    "plan": "sp",
    "prices": "fs",
    "model": "sm",
    "proposed_model": "sm",
    "fx_rate": "fx",
}


def _ends(field: str, attribute: str, stranger: str, extra: str = "") -> Case:
    """A mutation of what an identifier names."""
    document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
    prefix = _PREFIXES[attribute]
    return Case(
        document,
        lambda victim: {"id": getattr(victim, attribute)},
        stranger,
        "FORBIDDEN",
        absent={"id": f"{prefix}_{ABSENT}"} if stranger == "NOT_FOUND" else None,
    )


def _of_link(field: str, attribute: str, extra: str = "") -> Case:
    """A mutation of a link, which is nobody's business but its sides'."""
    document = (
        f"mutation($id: ID!, $k: String!) {{ {field}(id: $id, idempotencyKey: $k{extra}) {{ __typename {REFUSED} }} }}"
    )
    return Case(
        document,
        lambda victim: {"id": getattr(victim, attribute), "k": key()},
        "NOT_FOUND",
        "FORBIDDEN",
        absent={"id": f"lk_{ABSENT}"},
    )


def _of_break(field: str, extra: str, stranger: str = "FORBIDDEN") -> Case:
    """A mutation of a break, which the operator looks after."""
    document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
    return Case(document, lambda victim: {"id": victim.broken}, stranger, "FORBIDDEN", absent={"id": f"br_{ABSENT}"})


def _of_dispute(field: str, extra: str, stranger: str = "NOT_FOUND", auditor: str = "FORBIDDEN") -> Case:
    """A mutation of a dispute, which is nobody's business but the line's two institutions' and the operator's."""
    document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
    return Case(document, lambda victim: {"id": victim.dispute}, stranger, auditor, absent={"id": f"dp_{ABSENT}"})


def _of_block(field: str, extra: str = "") -> Case:
    """A mutation of a prepaid block, which is nobody's business but its two sides'."""
    document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
    absent = {"id": f"pp_{ABSENT}"}
    return Case(document, lambda victim: {"id": victim.block}, "NOT_FOUND", "FORBIDDEN", absent=absent)


def _of_webhook(field: str) -> Case:
    """A mutation of an institution's endpoint."""
    document = f"mutation($v: String!) {{ {field}(institution: $v) {{ __typename {REFUSED} }} }}"
    return Case(document, lambda victim: {"v": victim.bank}, "FORBIDDEN", "FORBIDDEN")


def _of_relocation(field: str) -> Case:
    """A step that only the operator takes."""
    document = f"mutation($id: ID!) {{ {field}(id: $id) {{ __typename {REFUSED} }} }}"
    absent = {"id": f"rl_{ABSENT}"}
    return Case(document, lambda victim: {"id": victim.relocation}, "FORBIDDEN", "FORBIDDEN", absent=absent)


def _operated(field: str, attribute: str, extra: str = "") -> Case:
    """A mutation by identifier that is the operator's alone."""
    document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
    absent = {"id": f"{ {'cover': 'co', 'cover_entry': 'ce', 'default': 'df'}[attribute] }_{ABSENT}"}
    return Case(document, lambda victim: {"id": getattr(victim, attribute)}, "FORBIDDEN", "FORBIDDEN", absent=absent)


def _finds(field: str, attribute: str, selection: str = "id") -> Case:
    """A query by identifier, null for whoever does not see it."""
    return Case(
        f"query($id: ID!) {{ {field}(id: $id) {{ {selection} }} }}",
        lambda victim: {"id": getattr(victim, attribute)},
        None,
        AS_OPERATOR,
        absent={"id": f"{'qt' if attribute == 'quote' else 'cv'}_{ABSENT}"},
    )


def _keyed(**fields: Any) -> dict[str, Any]:
    return {"idempotencyKey": key()} | fields


def _issue(victim: Victim) -> dict[str, Any]:
    return _keyed(currency=victim.a, to={"institution": victim.bank, "reference": "alice"}, amount="5")


def _transfer(victim: Victim) -> dict[str, Any]:
    giver, taker = victim.bank, victim.stranger
    ends = {
        "from": {"institution": giver, "reference": "alice"},
        "to": {"institution": taker, "reference": "mallory"},
    }
    return _keyed(currency=victim.a, amount="5", **ends)


def _redeem(victim: Victim) -> dict[str, Any]:
    customer = {"institution": victim.bank, "reference": "alice"}
    return _keyed(currency=victim.a, customer=customer, merchant=victim.stranger, amount="5")


def _accounts(victim: Victim) -> dict[str, Any]:
    return _keyed(currency=victim.b, customer={"institution": victim.bank, "reference": "bob"}, reason="r")


def _convert(victim: Victim) -> dict[str, Any]:
    return _keyed(**victim.exchange("alice", "4"))


def _rows(connection: str, of: str, attribute: str) -> Callable[[Any, Victim], Any]:
    """Of a list's rows the victim's alone."""

    def pick(data: Any, victim: Victim) -> Any:
        return [edge["node"] for edge in data[connection]["edges"] if edge["node"][of] == getattr(victim, attribute)]

    return pick


def _institution(victim: Victim) -> dict[str, Any]:
    return {
        "code": victim.bank,
        "name": f"0VICTIM {victim.bank}",
        "kind": "BANK",
        "children": [],
        "positions": [],
        "credentials": [],
    }


def _membership(victim: Victim, **more: Any) -> dict[str, Any]:
    pool, bob, alice = ({"institution": victim.bank, "reference": one} for one in ("family", "bob", "alice"))
    return {"pool": pool, "member": bob, "by": alice, **more}


INSTITUTION = "code name kind children { code } positions { currency own } credentials { id person }"

CASES: dict[str, Case] = {
    # --- asking ---
    "Query.hub": Case("{ hub { name version } }", _nothing, AS_OPERATOR, AS_OPERATOR, AS_OPERATOR),
    "Query.viewer": Case(
        "{ viewer { institution { code } } }",
        _nothing,
        lambda victim: {"institution": {"code": victim.stranger}},
        lambda victim: {"institution": {"code": victim.bank}},
        branch=lambda victim: {"institution": {"code": victim.branch}},
    ),
    "Query.node": _finds("node", "conversion"),
    "Query.institution": Case(
        f"query($v: String!) {{ institution(code: $v) {{ {INSTITUTION} }} }}",
        lambda victim: {"v": victim.bank},
        _institution,
        AS_OPERATOR,
    ),
    "Query.institutions": Case(
        f"{{ institutions(first: 200) {{ edges {{ node {{ {INSTITUTION} }} }} }} }}",
        _nothing,
        lambda victim: [_institution(victim)],
        AS_OPERATOR,
        pick=_rows("institutions", "code", "bank"),
    ),
    "Query.pointCurrency": Case(
        "query($a: String!) { pointCurrency(code: $a) { code issuer { code } circulation { amount } } }",
        lambda victim: {"a": victim.a},
        AS_OPERATOR,
        AS_OPERATOR,
    ),
    "Query.pointCurrencies": Case(
        "{ pointCurrencies(first: 200) { edges { node { code issuer { positions { own } children { code } } } } } }",
        _nothing,
        lambda victim: [{"code": victim.a, "issuer": {"positions": [], "children": []}}],
        AS_OPERATOR,
        pick=_rows("pointCurrencies", "code", "a"),
    ),
    "Query.adapters": Case("{ adapters { name } }", _nothing, AS_OPERATOR, AS_OPERATOR),
    "Query.rates": Case(
        "query($a: String!, $b: String!) { rates(source: $a, target: $b) { edges { node { id status } } } }",
        lambda victim: {"a": victim.a, "b": victim.b},
        lambda victim: {"edges": [{"node": {"id": victim.rate, "status": "APPROVED"}}]},
        AS_OPERATOR,
    ),
    "Query.acceptanceTerms": Case(
        "query($a: String!) { acceptanceTerms(currency: $a) { edges { node { id price { amount } } } } }",
        lambda victim: {"a": victim.a},
        {"edges": []},
        AS_OPERATOR,
        absent={"a": "NONE"},
    ),
    "Query.losingCycles": Case(
        "{ losingCycles { isWhole cycles { issuer { code } loss { amount } } } }",
        _nothing,
        {"isWhole": True, "cycles": []},
        {"isWhole": True, "cycles": []},
    ),
    "Query.grantTerms": Case(
        "query($a: String!) { grantTerms(currency: $a) { edges { node { id } } } }",
        lambda victim: {"a": victim.a},
        {"edges": []},
        {"edges": []},
        absent={"a": "NONE"},
    ),
    "Query.unitValues": Case(
        "query($a: String!) { unitValues(currency: $a) { edges { node { id price { amount } } } } }",
        lambda victim: {"a": victim.a},
        {"edges": []},
        AS_OPERATOR,
        absent={"a": "NONE"},
    ),
    "Query.previewConversion": Case(
        f"query($v: RequestQuoteInput!) {{ previewConversion(input: $v) {{ __typename {REFUSED} }} }}",
        lambda victim: {"v": victim.exchange("alice", "4")},
        "FORBIDDEN",
        "FORBIDDEN",
        absent={"reference": "nobody"},
    ),
    "Query.quote": _finds("quote", "quote", "id source { amount } usedBy { id }"),
    "Query.customer": Case(
        'query($v: String!) { customer(institution: $v, reference: "alice")'
        " { reference institution { code } balances { total available held lots { amount } } } }",
        lambda victim: {"v": victim.bank},
        lambda victim: {"reference": "alice", "institution": {"code": victim.bank}, "balances": []},
        AS_OPERATOR,
    ),
    "Query.partnerMember": Case(  # the hub itself keeps the victim's points, and is no partner
        f"query($a: String!) {{ partnerMember(currency: $a, fields: {{}}) {{ __typename {REFUSED} }} }}",
        lambda victim: {"a": victim.a},
        "INVALID_INPUT",
        "FORBIDDEN",
    ),
    "Query.exchange": Case(
        "query($id: ID!) { exchange(conversionId: $id) { state orders { reference } } }",
        lambda victim: {"id": victim.doubtful},
        None,
        None,
    ),
    "Query.exchangesInDoubt": Case(
        "{ exchangesInDoubt { edges { node { state } } } }", _nothing, "FORBIDDEN", "FORBIDDEN"
    ),
    "Query.reconciliation": _finds("reconciliation", "run", "id day matched opened sides { source rows digest }"),
    "Query.reconciliations": Case(
        "query($c: String!) { reconciliations(currency: $c) { edges { node { id day } } pageInfo { hasNextPage } } }",
        lambda victim: {"c": victim.remote},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"c": "NONE"},
    ),
    "Query.breaks": Case(
        "query($c: String!) { breaks(currency: $c)"
        " { edges { node { id type reference history { kind person } } } pageInfo { hasNextPage } } }",
        lambda victim: {"c": victim.remote},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"c": "NONE"},
    ),
    "Query.disputes": Case(
        "query($w: ID!) { disputes(windowId: $w) { edges { node { id line { amount } history { text } } }"
        " pageInfo { hasNextPage } } }",
        lambda victim: {"w": victim.window},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Query.acceptanceKeys": Case(
        "query($v: String!) { acceptanceKeys(institution: $v) { kid jwk registeredBy } }",
        lambda victim: {"v": victim.bank},
        [],
        AS_OPERATOR,
        absent={"v": "NONE"},
    ),
    "Query.conversion": _finds("conversion", "conversion", "id source { amount } settlement { amount }"),
    "Query.conversions": Case(
        "query($v: String!) { conversions(institution: $v) { edges { node { id } } pageInfo { hasNextPage } } }",
        lambda victim: {"v": victim.bank},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Query.hold": _finds("hold", "hold", "id status points { amount } captured"),
    "Query.holds": Case(
        "query($c: CustomerInput!) { holds(customer: $c) { edges { node { id status } } pageInfo { hasNextPage } } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.movements": Case(
        "query($c: CustomerInput!, $a: String!) { movements(customer: $c, currency: $a)"
        " { edges { node { id balanceAfter } } pageInfo { hasNextPage } } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}, "a": victim.a},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.statement": Case(
        "query($c: CustomerInput!, $a: String!, $t: DateTime!)"
        ' { statement(customer: $c, currency: $a, from: "2000-01-01T00:00:00Z", until: $t)'
        " { opening credits debits closing entries { edges { node { id } } } csvUrl } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}, "a": victim.a, "t": victim.past},
        None,
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.balanceAt": Case(
        "query($c: CustomerInput!, $a: String!, $t: DateTime!)"
        " { balanceAt(customer: $c, currency: $a, at: $t) { total held available } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}, "a": victim.a, "t": victim.past},
        None,
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.bindings": Case(
        "query($c: CustomerInput!) { bindings(customer: $c)"
        " { edges { node { id identifier } } pageInfo { hasNextPage } } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.customerLinks": Case(
        "query($c: CustomerInput!) { customerLinks(customer: $c)"
        " { edges { node { id status a { reference } b { reference } } } pageInfo { hasNextPage } } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.pointsClearing": Case(
        "query($id: ID!) { pointsClearing(id: $id) { id status reason } }",
        lambda victim: {"id": victim.clearing},
        None,
        AS_OPERATOR,
        absent={"id": f"cl_{ABSENT}"},
    ),
    "Query.pointsClearings": Case(
        "query($a: String!) { pointsClearings(currency: $a) { edges { node { id } } pageInfo { hasNextPage } } }",
        lambda victim: {"a": victim.a},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"a": "NONE"},
    ),
    "Query.relocation": Case(
        "query($id: ID!) { relocation(id: $id) { id status memo } }",
        lambda victim: {"id": victim.relocation},
        None,
        AS_OPERATOR,
        absent={"id": f"rl_{ABSENT}"},
    ),
    "Query.relocations": Case(
        "query($a: String!) { relocations(currency: $a) { edges { node { id } } pageInfo { hasNextPage } } }",
        lambda victim: {"a": victim.away},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"a": "NONE"},
    ),
    "Query.expiryNotices": Case(
        "query($a: String!, $v: String) { expiryNotices(currency: $a, institution: $v)"
        " { edges { node { points { amount } customer { reference } } } pageInfo { hasNextPage } } }",
        lambda victim: {"a": victim.a, "v": victim.bank},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"a": "NONE"},
    ),
    "Query.freeze": Case(
        "query($id: ID!) { freeze(id: $id) { id frozen shortfall } }",
        lambda victim: {"id": victim.freeze},
        None,
        AS_OPERATOR,
        absent={"id": f"fz_{ABSENT}"},
    ),
    "Query.freezes": Case(
        "query($c: CustomerInput!, $a: String) { freezes(customer: $c, currency: $a) { edges { node { id } } } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}, "a": victim.a},
        {"edges": []},
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.restrictions": Case(
        "query($c: CustomerInput!) { restrictions(customer: $c) { edges { node { id kind } } } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "bob"}},
        {"edges": []},
        AS_OPERATOR,
        absent={"reference": "nobody"},
    ),
    "Query.issues": Case(
        "query($a: String!, $r: String!) { issues(currency: $a, record: $r) { edges { node { id } } } }",
        lambda victim: {"a": victim.a, "r": "R"},
        {"edges": []},
        AS_OPERATOR,
        absent={"r": "nothing"},
    ),
    "Query.pool": Case(
        'query($v: String!) { pool(institution: $v, reference: "family") { id customer { balances { total } }'
        " members { edges { node { customer { reference } rights contributions { amount } } } } } }",
        lambda victim: {"v": victim.bank},
        None,
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Query.settlementModel": Case(
        "query($c: String!) { settlementModel(code: $c) { id members { code } window { id } } }",
        lambda victim: {"c": victim.model_code},
        None,
        AS_OPERATOR,
        branch=AS_OPERATOR,
        absent={"c": "NONE"},
    ),
    "Query.settlementModels": Case(
        "query($c: String!) { settlementModels(code: $c, status: APPROVED) { edges { node { id } } } }",
        lambda victim: {"c": victim.model_code},
        {"edges": []},
        AS_OPERATOR,
        branch=AS_OPERATOR,
        absent={"c": "NONE"},
    ),
    "Query.settlementPreview": Case(
        "query($w: ID!) { settlementPreview(windowId: $w) { institution { code } net } }",
        lambda victim: {"w": victim.model_window},
        None,
        lambda victim: [
            {"institution": {"code": victim.bank}, "net": "0"},
            {"institution": {"code": victim.branch}, "net": "10"},
        ],
        branch=lambda victim: [{"institution": {"code": victim.branch}, "net": "10"}],
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Query.settlementWindow": Case(
        "query($w: ID!) { settlementWindow(id: $w) { id defaults { id }"
        " nets { institution { code } debit credit net } } }",
        lambda victim: {"w": victim.window},
        lambda victim: {"id": victim.window, "defaults": [], "nets": []},
        lambda victim: {
            "id": victim.window,
            "defaults": [],
            "nets": [
                # 10 points redeemed at the branch, 10 × 0.05 = 0.50, and 20 elsewhere, 1.00; the rates have no fee and
                # one issuer; what the branch is owed goes to the bank, which owes it
                {"institution": {"code": victim.bank}, "debit": "1.50", "credit": "0.50", "net": "-1.00"},
                {"institution": {"code": victim.branch}, "debit": "0.00", "credit": "0.50", "net": "0.50"},
            ],
        },
        branch=lambda victim: {
            "id": victim.window,
            "defaults": [],
            "nets": [{"institution": {"code": victim.branch}, "debit": "0.00", "credit": "0.50", "net": "0.50"}],
        },
    ),
    "Query.settlementWindows": Case(
        "{ settlementWindows(first: 200) { edges { node { id nets { net } } } } }",
        _nothing,
        lambda victim: [{"id": victim.window, "nets": []}],
        lambda victim: [{"id": victim.window, "nets": [{"net": "-1.00"}, {"net": "0.50"}]}],
        branch=lambda victim: [{"id": victim.window, "nets": [{"net": "0.50"}]}],
        pick=_rows("settlementWindows", "id", "window"),
    ),
    "Query.settlementCut": Case(
        "query($w: ID!, $v: String!) { settlementCut(windowId: $w, by: TREE, institution: $v)"
        " { institution { code } zone debit credit } }",
        lambda victim: {"w": victim.window, "v": victim.bank},
        None,
        lambda victim: [
            {"institution": {"code": victim.bank}, "zone": None, "debit": "1.50", "credit": "0.00"},
            {"institution": {"code": victim.branch}, "zone": None, "debit": "0.00", "credit": "0.50"},
        ],
        absent={"v": "nowhere"},
    ),
    "Query.pointsAnalysis": Case(
        "query($a: String!) { pointsAnalysis(currency: $a) { issued circulation { amount } } }",
        lambda victim: {"a": victim.a},
        [],
        AS_OPERATOR,
        absent={"a": "NOPE"},
    ),
    "Query.deferredRevenue": Case(
        "query($a: String!) { deferredRevenue(currency: $a) { issued deferred { amount } } }",
        lambda victim: {"a": victim.a},
        None,
        AS_OPERATOR,
        absent={"a": "NOPE"},
    ),
    "Query.books": Case("{ books { timeZone } }", _nothing, "FORBIDDEN", "FORBIDDEN"),
    "Query.trialBalance": Case(
        "query($d: String!) { trialBalance(day: $d) { balanced lines { kind } } }",
        lambda _: {"d": "2026-01-31"},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Query.segregatedAccounts": Case(
        "query($d: String!) { segregatedAccounts(day: $d) { reconciled balances { booked } } }",
        lambda _: {"d": "2026-01-31"},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.setBooks": _acts("setBooks", "SetBooksInput!", lambda _: {"timeZone": "UTC"}),
    "Mutation.lockPeriod": Case(
        f'mutation {{ lockPeriod(through: "2026-01-31") {{ __typename {REFUSED} }} }}',
        _nothing,
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Query.settlementReport": Case(
        "query($w: ID!, $v: String!) { settlementReport(windowId: $w, institution: $v) { id payload linesUrl } }",
        lambda victim: {"w": victim.window, "v": victim.bank},
        None,
        AS_OPERATOR,
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Query.interimStatement": Case(
        "query($w: ID!, $v: String!) { interimStatement(windowId: $w, institution: $v) { nets { net } } }",
        lambda victim: {"w": victim.model_window, "v": victim.bank},
        None,
        {"nets": [{"net": "0"}]},
        absent={"v": "nowhere"},
    ),
    "Query.bilateralFigures": Case(
        "query($w: ID!, $v: String!) { bilateralFigures(windowId: $w, institution: $v) { currency debit credit } }",
        lambda victim: {"w": victim.window, "v": victim.bank},
        None,
        # 0.50 at the branch, and 1.00 elsewhere
        [{"currency": "CNY", "debit": amount, "credit": "0.00"} for amount in ("1.00", "0.50")],
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Query.limit": Case(
        "query($id: ID!) { limit(id: $id) { code amount versions { amount } } }",
        lambda victim: {"id": victim.limit},
        None,
        AS_OPERATOR,
        branch=AS_OPERATOR,  # whom it binds; a stranger's test stands below
    ),
    "Query.limits": Case(
        "query($a: String!) { limits(currency: $a) { edges { node { code amount } } } }",
        lambda victim: {"a": victim.a},
        {"edges": []},
        AS_OPERATOR,
        branch=AS_OPERATOR,
    ),
    "Query.headroom": Case(
        "query($c: CustomerInput!, $a: String!) { headroom(customer: $c, currency: $a, act: TRANSFER)"
        " { limit { code } used left } }",
        lambda victim: {"c": {"institution": victim.bank, "reference": "alice"}, "a": victim.a},
        [],
        [{"limit": {"code": "give"}, "used": "105", "left": "795"}],
        absent={"reference": "nobody"},
    ),
    # --- configuring ---
    "Mutation.createInstitution": _acts(
        "createInstitution",
        "CreateInstitutionInput!",
        lambda victim: {"code": unique("EVIL"), "name": "evil", "kind": "BRANCH", "parent": victim.bank},
    ),
    "Mutation.moveInstitution": Case(
        f"mutation($v: String!, $o: String!) {{ moveInstitution(code: $v, parent: $o) {{ __typename {REFUSED} }} }}",
        lambda victim: {"v": victim.branch, "o": victim.stranger},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.setSetOff": Case(
        f"mutation($v: String!) {{ setSetOff(code: $v, allowed: false) {{ __typename {REFUSED} }} }}",
        lambda victim: {"v": victim.bank},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.setZones": _acts(
        "setZones", "SetZonesInput!", lambda victim: {"institution": victim.bank, "zones": ["X"]}
    ),
    "Mutation.setInstitutionStatus": Case(
        f'mutation($v: String!) {{ setInstitutionStatus(code: $v, status: SUSPENDED, reason: "r")'
        f" {{ __typename {REFUSED} }} }}",
        lambda victim: {"v": victim.bank},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.setDebitCap": _acts(
        "setDebitCap", "SetDebitCapInput!", lambda victim: {"institution": victim.bank, "currency": "CNY"}
    ),
    "Mutation.approveDebitCap": _ends("approveDebitCap", "cap", "NOT_FOUND"),
    "Mutation.rejectDebitCap": _ends("rejectDebitCap", "cap", "NOT_FOUND", ', reason: "r"'),
    "Mutation.createCredential": _acts(
        "createCredential",
        "CreateCredentialInput!",
        lambda victim: {
            "institution": victim.bank,
            "person": "mallory",
            "label": "evil",
            "roles": ["INSTITUTION_TRADER"],
        },
    ),
    "Mutation.revokeCredential": _ends("revokeCredential", "credential", "NOT_FOUND"),
    "Mutation.registerPointCurrency": _acts(
        "registerPointCurrency",
        "RegisterPointCurrencyInput!",
        lambda victim: {
            "code": unique("EVIL"),
            "name": "evil",
            "issuer": victim.bank,
            "unitValue": {"amount": "1", "currency": "CNY"},
        },
    ),
    "Mutation.proposeRate": _acts(
        "proposeRate",
        "ProposeRateInput!",
        lambda victim: {
            "source": victim.b,
            "target": victim.a,
            "ratio": {"numerator": "1", "denominator": "9"},
        },
    ),
    "Mutation.acceptRate": _ends("acceptRate", "proposed", "NOT_FOUND"),
    "Mutation.approveRate": _ends("approveRate", "proposed", "FORBIDDEN"),
    "Mutation.rejectRate": _ends("rejectRate", "proposed", "NOT_FOUND", ', reason: "r"'),
    "Mutation.withdrawRate": _ends("withdrawRate", "rate", "FORBIDDEN", ', reason: "r", cancelQuotes: true'),
    "Mutation.proposeAcceptanceTerms": _acts(
        "proposeAcceptanceTerms",
        "ProposeAcceptanceTermsInput!",
        lambda victim: {
            "currency": victim.a,
            "merchant": victim.bank,
            "price": {"amount": "9", "currency": "CNY"},
        },
    ),
    "Mutation.proposeGrantTerms": _acts(
        "proposeGrantTerms",
        "ProposeGrantTermsInput!",
        lambda victim: {
            "currency": victim.a,
            "grantor": victim.bank,
            "price": {"amount": "0", "currency": "CNY"},
        },
    ),
    "Mutation.proposeUnitValue": _acts(
        "proposeUnitValue",
        "ProposeUnitValueInput!",
        lambda victim: {"currency": victim.a, "value": {"amount": "9", "currency": "CNY"}},
    ),
    "Mutation.acceptTerms": _ends("acceptTerms", "terms", "NOT_FOUND"),
    "Mutation.approveTerms": _ends("approveTerms", "terms", "FORBIDDEN"),
    "Mutation.rejectTerms": _ends("rejectTerms", "terms", "NOT_FOUND", ', reason: "r"'),
    "Mutation.withdrawTerms": _ends("withdrawTerms", "terms", "NOT_FOUND", ', reason: "r"'),
    "Mutation.setAdapterConfig": Case(
        f"mutation($c: String!) {{ setAdapterConfig(currency: $c, adapterConfig: {{}}) {{ __typename {REFUSED} }} }}",
        lambda victim: {"c": victim.a},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.setPartnerState": Case(
        f'mutation($c: String!) {{ setPartnerState(currency: $c, state: LEAVING, reason: "r")'
        f" {{ __typename {REFUSED} }} }}",
        lambda victim: {"c": victim.a},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.registerAdapterCertificate": Case(
        f'mutation {{ registerAdapterCertificate(certificate: "x") {{ __typename {REFUSED} }} }}',
        _nothing,
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.addExchangeEvidence": Case(
        f'mutation($id: ID!) {{ addExchangeEvidence(conversionId: $id, text: "t") {{ __typename {REFUSED} }} }}',
        lambda victim: {"id": victim.conversion},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.approveExchangeEvidence": Case(
        f'mutation($id: ID!) {{ approveExchangeEvidence(conversionId: $id, evidenceId: "ev_1")'
        f" {{ __typename {REFUSED} }} }}",
        lambda victim: {"id": victim.conversion},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.assignBreak": _of_break("assignBreak", ', owner: "second"'),
    "Mutation.noteBreak": _of_break("noteBreak", ', text: "t"', "NOT_FOUND"),
    "Mutation.proposeBreakEnd": _of_break("proposeBreakEnd", ', ending: ACCEPT, text: "t"'),
    "Mutation.approveBreakEnd": _of_break("approveBreakEnd", ', proposalId: "bs_1"'),
    "Mutation.registerAcceptanceKey": _acts(
        "registerAcceptanceKey", "RegisterAcceptanceKeyInput!", lambda victim: victim.proof
    ),
    "Mutation.revokeAcceptanceKey": Case(
        f'mutation($k: String!) {{ revokeAcceptanceKey(kid: $k, since: "2026-01-01T00:00:00Z")'
        f" {{ __typename {REFUSED} }} }}",
        lambda victim: {"k": victim.kid},
        "NOT_FOUND",
        "FORBIDDEN",
        absent={"k": "none"},
    ),
    "Mutation.acceptReport": _acts(
        "acceptReport",
        "AcceptReportInput!",
        lambda victim: {"windowId": victim.window, "institution": victim.bank, "jws": "a.b.c"},
        "NOT_FOUND",
        absent={"institution": "NONE"},
    ),
    "Mutation.setDisputeDays": Case(
        f"mutation {{ setDisputeDays(days: 3) {{ __typename {REFUSED} }} }}", _nothing, "FORBIDDEN", "FORBIDDEN"
    ),
    "Mutation.openDisputes": _acts(
        "openDisputes",
        "OpenDisputesInput!",
        lambda victim: {"windowId": victim.window, "institution": victim.bank, "lines": [victim.line]},
    ),
    "Mutation.answerDispute": _of_dispute("answerDispute", ', evidence: {text: "t"}'),
    "Mutation.noteDispute": _of_dispute("noteDispute", ', evidence: {text: "t"}'),
    "Mutation.withdrawDispute": _of_dispute("withdrawDispute", ', reason: "r"'),
    "Mutation.proposeDisputeEnd": _acts(
        "proposeDisputeEnd",
        "ProposeDisputeEndInput!",
        lambda victim: {"id": victim.dispute, "outcome": "REJECTED", "evidence": {"text": "t"}},
        absent={"id": f"dp_{ABSENT}"},
    ),
    "Mutation.approveDisputeEnd": _of_dispute("approveDisputeEnd", ', proposalId: "ds_1"', "FORBIDDEN"),
    "Mutation.setPointsPolicy": Case(
        f"mutation($c: String!, $p: PointsPolicyInput!)"
        f" {{ setPointsPolicy(currency: $c, policy: $p) {{ __typename {REFUSED} }} }}",
        lambda victim: {"c": victim.a, "p": {"holdDaysMax": 1}},
        "FORBIDDEN",
        "FORBIDDEN",
    ),
    "Mutation.setLimit": _acts(
        "setLimit", "SetLimitInput!", lambda victim: {"currency": victim.a, "code": "give", "amount": "1000000"}
    ),
    "Mutation.liftLimit": Case(
        f"mutation($id: ID!) {{ liftLimit(id: $id) {{ __typename {REFUSED} }} }}",
        lambda victim: {"id": victim.limit},
        "NOT_FOUND",
        "FORBIDDEN",
        branch="FORBIDDEN",
    ),
    # --- acting ---
    "Mutation.enrollCustomer": _acts(
        "enrollCustomer",
        "CustomerInput!",
        lambda victim: {"institution": victim.bank, "reference": "alice"},
        absent={"reference": "nobody"},
    ),
    "Mutation.bindIdentifier": _acts(
        "bindIdentifier",
        "BindIdentifierInput!",
        lambda victim: _keyed(
            institution=victim.bank,
            identifier=victim.card,
            customer={"institution": victim.bank, "reference": "bob"},
        ),
        absent={"identifier": "6217000000009999"},
    ),
    "Mutation.unbindIdentifier": _acts(
        "unbindIdentifier",
        "UnbindIdentifierInput!",
        lambda victim: _keyed(institution=victim.bank, identifier=victim.card, reason="r"),
        absent={"identifier": "6217000000009999"},
    ),
    "Mutation.proposeCustomerLink": _acts(
        "proposeCustomerLink",
        "ProposeCustomerLinkInput!",
        lambda victim: _keyed(
            a={"institution": victim.bank, "reference": "alice"},
            b={"institution": victim.stranger, "reference": "mallory"},
        ),
        absent={"reference": "nobody"},
    ),
    "Mutation.acceptCustomerLink": _of_link("acceptCustomerLink", "proposed_link"),
    "Mutation.endCustomerLink": _of_link("endCustomerLink", "link", ', reason: "r"'),
    "Mutation.setCustomerProfile": _acts(
        "setCustomerProfile",
        "SetCustomerProfileInput!",
        lambda victim: {"customer": {"institution": victim.bank, "reference": "alice"}, "type": "evil"},
        absent={"reference": "nobody"},
    ),
    "Mutation.createPool": _acts(
        "createPool",
        "CreatePoolInput!",
        lambda victim: _keyed(
            institution=victim.bank,
            reference="evil",
            kind="FAMILY",
            owner={"institution": victim.bank, "reference": "alice"},
        ),
        absent={"reference": "nobody"},
    ),
    "Mutation.joinPool": _acts("joinPool", "JoinPoolInput!", lambda victim: _membership(victim, rights=["SPEND"])),
    "Mutation.setPoolRights": _acts(
        "setPoolRights", "SetPoolRightsInput!", lambda victim: _membership(victim, rights=["SPEND"])
    ),
    "Mutation.leavePool": _acts("leavePool", "LeavePoolInput!", lambda victim: _keyed(**_membership(victim))),
    "Mutation.contributeToPool": _acts(
        "contributeToPool",
        "ContributeToPoolInput!",
        lambda victim: _keyed(
            pool={"institution": victim.bank, "reference": "family"},
            member={"institution": victim.bank, "reference": "alice"},
            currency=victim.a,
            amount="1",
        ),
        absent={"reference": "nobody"},
    ),
    "Mutation.issuePoints": _acts("issuePoints", "IssuePointsInput!", _issue, absent={"reference": "nobody"}),
    "Mutation.issuePointsBatch": _acts(
        "issuePointsBatch", "[IssuePointsInput!]!", lambda victim: [_issue(victim), _issue(victim)]
    ),
    "Mutation.transferPoints": _acts(
        "transferPoints", "TransferPointsInput!", _transfer, absent={"reference": "nobody"}
    ),
    "Mutation.transferPointsBatch": _acts(
        "transferPointsBatch", "[TransferPointsInput!]!", lambda victim: [_transfer(victim), _transfer(victim)]
    ),
    "Mutation.requestQuote": _acts(
        "requestQuote",
        "RequestQuoteInput!",
        lambda victim: victim.exchange("alice", "4"),
        absent={"reference": "nobody"},
    ),
    "Mutation.executeQuote": _acts(
        "executeQuote",
        "ExecuteQuoteInput!",
        lambda victim: _keyed(quoteId=victim.quote),
        "NOT_FOUND",
        absent={"quoteId": f"qt_{ABSENT}"},
    ),
    "Mutation.convert": _acts("convert", "ConvertInput!", _convert, absent={"reference": "nobody"}),
    "Mutation.convertBatch": _acts(
        "convertBatch", "[ConvertInput!]!", lambda victim: [_convert(victim), _convert(victim)]
    ),
    "Mutation.redeemPoints": _acts("redeemPoints", "RedeemPointsInput!", _redeem, absent={"reference": "nobody"}),
    "Mutation.redeemPointsBatch": _acts(
        "redeemPointsBatch", "[RedeemPointsInput!]!", lambda victim: [_redeem(victim), _redeem(victim)]
    ),
    "Mutation.holdPoints": _acts(
        "holdPoints",
        "HoldPointsInput!",
        lambda victim: _keyed(
            currency=victim.a,
            customer={"institution": victim.bank, "reference": "alice"},
            amount="5",
            expiresAt=victim.until,
        ),
        absent={"reference": "nobody"},
    ),
    "Mutation.captureHold": _acts(
        "captureHold",
        "CaptureHoldInput!",
        lambda victim: _keyed(holdId=victim.hold),
        "NOT_FOUND",
        absent={"holdId": f"ho_{ABSENT}"},
    ),
    "Mutation.releaseHold": _acts(
        "releaseHold",
        "ReleaseHoldInput!",
        lambda victim: _keyed(holdId=victim.hold),
        "NOT_FOUND",
        absent={"holdId": f"ho_{ABSENT}"},
    ),
    "Mutation.redeemBasket": _acts(
        "redeemBasket",
        "RedeemBasketInput!",
        lambda victim: _keyed(
            customer={"institution": victim.bank, "reference": "alice"},
            merchant=victim.stranger,
            amount={"amount": "1", "currency": "CNY"},
            currencies=[victim.a],
        ),
    ),
    "Mutation.reverse": _acts(
        "reverse",
        "ReverseInput!",
        lambda victim: _keyed(id=victim.transfer, reason="r"),
        "NOT_FOUND",
        absent={"id": f"tr_{ABSENT}"},
    ),
    "Mutation.clearPoints": _acts(
        "clearPoints", "ClearPointsInput!", lambda victim: _keyed(currency=victim.a, scope="ALL", reason="r")
    ),
    "Mutation.cancelPointsClearing": Case(
        f"mutation($id: ID!) {{ cancelPointsClearing(id: $id) {{ __typename {REFUSED} }} }}",
        lambda victim: {"id": victim.clearing},
        "NOT_FOUND",
        "FORBIDDEN",
        absent={"id": f"cl_{ABSENT}"},
    ),
    "Mutation.proposeRelocation": _acts(
        "proposeRelocation",
        "ProposeRelocationInput!",
        lambda victim: {"currency": victim.a, "adapter": "http_json", "adapterConfig": {}, "reason": "r"},
    ),
    "Mutation.approveRelocation": _of_relocation("approveRelocation"),
    "Mutation.fixBalances": _of_relocation("fixBalances"),
    "Mutation.acceptDifferences": _acts(
        "acceptDifferences",
        "AcceptDifferencesInput!",
        lambda victim: {"relocationId": victim.relocation, "differing": 0, "more": "0", "less": "0"},
        absent={"relocationId": f"rl_{ABSENT}"},
    ),
    "Mutation.completeRelocation": _of_relocation("completeRelocation"),
    "Mutation.cancelRelocation": Case(
        f'mutation($id: ID!) {{ cancelRelocation(id: $id, reason: "r") {{ __typename {REFUSED} }} }}',
        lambda victim: {"id": victim.relocation},
        "NOT_FOUND",
        "FORBIDDEN",
        absent={"id": f"rl_{ABSENT}"},
    ),
    "Mutation.freezePoints": _acts(
        "freezePoints",
        "FreezePointsInput!",
        lambda victim: _keyed(
            currency=victim.a, customer={"institution": victim.bank, "reference": "alice"}, amount="5", reason="r"
        ),
        absent={"reference": "nobody"},
    ),
    "Mutation.resolveFreeze": _acts(
        "resolveFreeze",
        "ResolveFreezeInput!",
        lambda victim: _keyed(freezeId=victim.freeze, outcome="RELEASE", reason="r"),
        "NOT_FOUND",
        absent={"freezeId": f"fz_{ABSENT}"},
    ),
    "Mutation.freezeAccount": _acts("freezeAccount", "FreezeAccountInput!", _accounts, absent={"reference": "nobody"}),
    "Mutation.unfreezeAccount": _acts(
        "unfreezeAccount", "FreezeAccountInput!", _accounts, absent={"reference": "nobody"}
    ),
    "Mutation.closeCustomer": _acts(
        "closeCustomer",
        "CloseCustomerInput!",
        lambda victim: _keyed(customer={"institution": victim.bank, "reference": "bob"}, reason="r"),
        absent={"reference": "nobody"},
    ),
    "Mutation.writeOffDebt": _acts(
        "writeOffDebt",
        "WriteOffDebtInput!",
        lambda victim: _keyed(
            currency=victim.a, customer={"institution": victim.bank, "reference": "dora"}, reason="r"
        ),
        absent={"reference": "nobody"},
    ),
    "Mutation.cancelRecord": _acts(
        "cancelRecord",
        "CancelRecordInput!",
        lambda victim: _keyed(currency=victim.a, record="R", shortfall="DEBT", reason="r"),
        absent={"record": "nothing"},
    ),
    "Mutation.proposeSettlementModel": _acts(
        "proposeSettlementModel",
        "ProposeSettlementModelInput!",
        lambda victim: {"code": unique("M"), "name": "m", "members": [victim.bank], "currencies": ["ISK"]},
    ),
    "Mutation.approveSettlementModel": _ends("approveSettlementModel", "proposed_model", "FORBIDDEN"),
    "Mutation.rejectSettlementModel": _ends("rejectSettlementModel", "proposed_model", "FORBIDDEN", ', reason: "r"'),
    "Mutation.withdrawSettlementModel": _ends("withdrawSettlementModel", "model", "FORBIDDEN", ', reason: "r"'),
    "Query.fxRates": Case(
        '{ fxRates(base: "ISK", quote: "CNY", status: PROPOSED) { edges { node { id rate source } } } }',
        _nothing,
        {"edges": []},
        {"edges": []},  # until it is approved it is the operator's alone; then it is everybody's
    ),
    "Mutation.proposeFxRate": _acts("proposeFxRate", "ProposeFxRateInput!", lambda _: _fx_rate()),
    "Mutation.approveFxRate": _ends("approveFxRate", "fx_rate", "FORBIDDEN"),
    "Mutation.rejectFxRate": _ends("rejectFxRate", "fx_rate", "FORBIDDEN", ', reason: "r"'),
    "Mutation.withdrawFxRate": _ends("withdrawFxRate", "fx_rate", "FORBIDDEN", ', reason: "r"'),
    "Mutation.closeSettlementWindow": _acts(
        "closeSettlementWindow",
        "CloseWindowInput!",
        lambda victim: _keyed(windowId=victim.network.open_window()),
        absent={"windowId": f"sw_{ABSENT}"},
    ),
    "Mutation.confirmSettlement": _acts(
        "confirmSettlement",
        "ConfirmSettlementInput!",
        lambda victim: _keyed(
            windowId=victim.window, institution=victim.bank, currency="CNY", amount="-0.50", reference="bank"
        ),
        absent={"windowId": f"sw_{ABSENT}"},
    ),
    "Query.capTrial": Case(
        'query($v: String!) { capTrial(institution: $v, currency: "CNY", amount: "0") { exposure peak refused } }',
        lambda victim: {"v": victim.bank},
        None,
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    # --- cover ---
    "Query.covers": Case(
        "query($v: String!) { covers(institution: $v) { currency collateral exposure terms { line } } }",
        lambda victim: {"v": victim.bank},
        [],
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Query.coverEntries": Case(
        "query($v: String!) { coverEntries(institution: $v) { edges { node { id amount status recordedBy } } } }",
        lambda victim: {"v": victim.bank},
        {"edges": []},
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Mutation.setCover": _acts(
        "setCover", "SetCoverInput!", lambda victim: {"institution": victim.bank, "currency": "CNY", "needed": False}
    ),
    "Mutation.recordCoverEntry": _acts(
        "recordCoverEntry",
        "RecordCoverEntryInput!",
        lambda victim: {
            "institution": victim.bank,
            "currency": "CNY",
            "pot": "COLLATERAL",
            "amount": "-1",
            "reference": "r",
        },
    ),
    "Mutation.approveCover": _operated("approveCover", "cover"),
    "Mutation.rejectCover": _operated("rejectCover", "cover", ', reason: "r"'),
    "Mutation.approveCoverEntry": _operated("approveCoverEntry", "cover_entry"),
    "Mutation.rejectCoverEntry": _operated("rejectCoverEntry", "cover_entry", ', reason: "r"'),
    # --- prepaid blocks ---
    "Query.prepaidBlocks": Case(
        "query($a: String!) { prepaidBlocks(currency: $a) { edges { node { id points { amount } price { amount } left"
        " { amount } history { kind } draws { edges { node { movement } } } } } } }",
        lambda victim: {"a": victim.a},
        {"edges": []},
        AS_OPERATOR,
        absent={"a": "NONE"},
    ),
    "Query.prepaidStocks": Case(
        "query($v: String!) { prepaidStocks(holder: $v) { left { amount } threshold { amount } low } }",
        lambda victim: {"v": victim.bank},
        [],
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Query.prepaidLiabilities": Case(
        "{ prepaidLiabilities { currency { code } liability { amount } } }",
        _nothing,
        [],
        [],
    ),
    "Mutation.offerPrepaidBlock": _acts(
        "offerPrepaidBlock",
        "OfferPrepaidBlockInput!",
        lambda victim: {
            "currency": victim.a,
            "holder": victim.stranger,
            "points": "5",
            "price": {"amount": "0.01", "currency": "CNY"},
        },
    ),
    "Mutation.acceptPrepaidBlock": _of_block("acceptPrepaidBlock"),
    "Mutation.declinePrepaidBlock": _of_block("declinePrepaidBlock", ', reason: "r"'),
    "Mutation.proposePrepaidRefund": _of_block("proposePrepaidRefund"),
    "Mutation.acceptPrepaidRefund": _of_block("acceptPrepaidRefund", ', proposalId: "ps_1"'),
    "Mutation.declinePrepaidRefund": _of_block("declinePrepaidRefund", ', proposalId: "ps_1", reason: "r"'),
    "Mutation.setPrepaidNotice": _acts(
        "setPrepaidNotice",
        "SetPrepaidNoticeInput!",
        lambda victim: {"currency": victim.a, "holder": victim.bank, "threshold": "5"},
    ),
    # --- nets that are not paid ---
    "Query.defaults": Case(
        "query($w: ID!) { defaults(windowId: $w) { edges { node { id amount } } } }",
        lambda victim: {"w": victim.unpaid},
        {"edges": []},
        AS_OPERATOR,
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Query.settlementSupplements": Case(  # nothing was declared; who is told what of it is tried beside the type
        "query($w: ID!, $v: String!) { settlementSupplements(windowId: $w, institution: $v) { number } }",
        lambda victim: {"w": victim.unpaid, "v": victim.bank},
        [],
        [],
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Mutation.proposeDefault": _acts(
        "proposeDefault",
        "ProposeDefaultInput!",
        lambda victim: {"windowId": victim.window, "institution": victim.bank, "currency": "CNY", "reason": "r"},
        absent={"windowId": f"sw_{ABSENT}"},
    ),
    "Mutation.approveDefault": _operated("approveDefault", "default"),
    "Mutation.rejectDefault": _operated("rejectDefault", "default", ', reason: "r"'),
    "Mutation.coverDefaults": Case(
        f'mutation($w: ID!) {{ coverDefaults(windowId: $w, currency: "CNY") {{ __typename {REFUSED} }} }}',
        lambda victim: {"w": victim.window},
        "FORBIDDEN",
        "FORBIDDEN",
        absent={"w": f"sw_{ABSENT}"},
    ),
    "Mutation.repayDefault": _acts(
        "repayDefault",
        "RepayDefaultInput!",
        lambda victim: {"defaultId": victim.default, "amount": "1", "reference": "r"},
        absent={"defaultId": f"df_{ABSENT}"},
    ),
    # --- being told ---
    "Query.sharePlans": Case(
        "{ sharePlans { edges { node { id institution { code } } } } }",
        _nothing,
        {"edges": []},
        AS_OPERATOR,
    ),
    "Mutation.proposeSharePlan": _acts(
        "proposeSharePlan",
        "ProposeSharePlanInput!",
        lambda victim: {"institution": victim.bank, "shares": [{"level": 0, "percent": "100"}]},
    ),
    "Mutation.approveSharePlan": _ends("approveSharePlan", "plan", "FORBIDDEN"),
    "Mutation.rejectSharePlan": _ends("rejectSharePlan", "plan", "FORBIDDEN", ', reason: "r"'),
    "Mutation.withdrawSharePlan": _ends("withdrawSharePlan", "plan", "FORBIDDEN", ', reason: "r"'),
    "Query.feeSchedules": Case(
        "{ feeSchedules { edges { node { id institution { code } } } } }",
        _nothing,
        {"edges": []},
        AS_OPERATOR,
    ),
    "Mutation.proposeFeeSchedule": _acts(
        "proposeFeeSchedule",
        "ProposeFeeScheduleInput!",
        lambda victim: {
            "institution": victim.bank,
            "vatPercent": "6",
            "membership": {"amount": "1", "currency": "CNY"},
        },
    ),
    "Mutation.acceptFeeSchedule": _ends("acceptFeeSchedule", "prices", "NOT_FOUND"),
    "Mutation.approveFeeSchedule": _ends("approveFeeSchedule", "prices", "FORBIDDEN"),
    "Mutation.rejectFeeSchedule": _ends("rejectFeeSchedule", "prices", "NOT_FOUND", ', reason: "r"'),
    "Mutation.withdrawFeeSchedule": _ends("withdrawFeeSchedule", "prices", "FORBIDDEN", ', reason: "r"'),
    # There is none before a month is over; what each sees of them is in tests/schema/test_invoices.py.
    "Query.invoices": Case("{ invoices { edges { node { id } } } }", _nothing, {"edges": []}, {"edges": []}),
    "Mutation.creditInvoice": _acts(
        "creditInvoice", "CreditInvoiceInput!", lambda victim: _keyed(invoiceId=f"iv_{ABSENT}", reason="r")
    ),
    "Query.webhook": Case(
        "query($v: String!) { webhook(institution: $v) { id url types status previousSecretUntil } }",
        lambda victim: {"v": victim.bank},
        None,
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Query.webhookDeliveries": Case(
        "query($v: String!) { webhookDeliveries(institution: $v)"
        " { edges { node { id type payload } } pageInfo { hasNextPage } } }",
        lambda victim: {"v": victim.bank},
        {"edges": [], "pageInfo": {"hasNextPage": False}},
        AS_OPERATOR,
        absent={"v": "nowhere"},
    ),
    "Mutation.setWebhook": _acts(
        "setWebhook", "SetWebhookInput!", lambda victim: {"institution": victim.bank, "url": "https://evil.example/"}
    ),
    "Mutation.rotateWebhookSecret": _of_webhook("rotateWebhookSecret"),
    "Mutation.disableWebhook": _of_webhook("disableWebhook"),
    "Mutation.replayWebhook": _acts(
        "replayWebhook",
        "ReplayWebhookInput!",
        lambda victim: {"institution": victim.bank, "id": victim.delivery},
        absent={"id": f"we_{ABSENT}"},
    ),
}

# Subscriptions take another way in; their tests stand below.
SUBSCRIPTIONS = {"Subscription.conversionUpdated", "Subscription.actUpdated", "Subscription.windowUpdated"}


def verdict(answer: Any, field: str, case: Case, victim: Victim) -> Any:
    """What an answer comes to: an error's code, a refusal's reason, or the picked data."""
    if answer.get("errors"):
        return answer["errors"][0]["extensions"]["code"]
    data = answer["data"][field]
    if isinstance(data, dict) and data.get("__typename") == "Refused":
        return data["reason"]
    picked = case.pick(answer["data"], victim)
    return data if picked is answer["data"] else picked


def replaced(value: Any, by: dict[str, str]) -> Any:
    """Variables with some of their members, at whatever depth, exchanged."""
    if isinstance(value, dict):
        return {name: by[name] if name in by else replaced(inner, by) for name, inner in value.items()}
    return [replaced(inner, by) for inner in value] if isinstance(value, list) else value


def test_no_root_field_is_without_a_case(network: Network) -> None:
    roots = network.operator.ask(
        "{ __schema { queryType { name fields { name } } mutationType { name fields { name } }"
        " subscriptionType { name fields { name } } } }"
    )["__schema"]
    fields = {f"{root['name']}.{field['name']}" for root in roots.values() for field in root["fields"]}
    assert fields == CASES.keys() | SUBSCRIPTIONS


@pytest.mark.parametrize("root", CASES)
def test_outsiders_get_nothing_and_move_nothing(victim: Victim, root: str) -> None:
    case, field = CASES[root], root.partition(".")[2]
    expected = {
        "stranger": case.stranger,
        "branch": case.stranger if case.branch == Case.branch else case.branch,
        "auditor": case.auditor,
        "anonymous": case.anonymous,
    }
    for name, caller in victim.callers.items():
        variables = case.variables(victim)
        wanted = expected[name]
        if wanted == AS_OPERATOR:
            wanted = verdict(victim.network.operator.post(case.document, variables).json(), field, case, victim)
            assert wanted not in (None, [], {"edges": []}), "the operator sees nothing to compare with"
        elif callable(wanted):
            wanted = wanted(victim)
        answer = caller.post(case.document, variables).json()
        assert verdict(answer, field, case, victim) == wanted, (name, answer)
        if case.absent is not None and name in ("stranger", "branch") and expected[name] == case.stranger:
            of_nothing = caller.post(case.document, replaced(case.variables(victim), case.absent)).json()
            assert of_nothing == answer, name
    victim.stands_as_it_stood()


KINDS = {  # attribute: (prefix, whether it is open to all members)
    "institution": ("in", True),
    "currency": ("pc", True),
    "customer": ("cu", True),
    "rate": ("rt", True),
    "window": ("sw", True),
    "credential": ("ck", False),
    "model": ("sm", False),
    "model_window": ("sw", False),
    "proposed": ("rt", False),
    "quote": ("qt", False),
    "binding": ("bd", False),
    "link": ("lk", False),
    "proposed_link": ("lk", False),
    "conversion": ("cv", False),
    "issued": ("is", False),
    "transfer": ("tr", False),
    "reversal": ("rv", False),
    "movement": ("mv", False),
    "clearing": ("cl", False),
    "relocation": ("rl", False),
    "report": ("sr", False),
    "run": ("rc", False),
    "broken": ("br", False),
    "dispute": ("dp", False),
    "freeze": ("fz", False),
    "restriction": ("rs", False),
    "write_off": ("wo", False),
    "cancellation": ("cn", False),
    "pool": ("pl", False),
    "contribution": ("pb", False),
    "webhook": ("wh", False),
    "delivery": ("we", False),
    "plan": ("sp", False),
    "prices": ("fs", False),
}
SHARED = {("branch", "model"), ("branch", "model_window")}  # its parent's model is its own, too
NODE = """query($id: ID!) { node(id: $id) { id __typename
  ... on Customer { reference balances { total } } ... on SettlementWindow { nets { net } }
  ... on Institution { children { code } positions { own } credentials { id } } } }"""
INNER = {"Customer": ("balances",), "SettlementWindow": ("nets",), "Institution": ("children", "positions")}


@pytest.mark.parametrize("attribute", KINDS)
def test_a_node_of_each_kind_is_the_members_or_does_not_exist(victim: Victim, attribute: str) -> None:
    prefix, is_open = KINDS[attribute]
    id = victim.report["id"] if attribute == "report" else getattr(victim, attribute)
    assert id.startswith(f"{prefix}_")
    auditor = victim.callers["auditor"].ask(NODE, id=id)["node"]
    assert auditor["id"] == id
    for name in ("stranger", "branch"):
        found = victim.callers[name].ask(NODE, id=id)["node"]
        if not is_open:
            assert (found is None) != ((name, attribute) in SHARED), name
            continue
        assert found["id"] == id
        own = [{"net": "0.50"}] if (name, attribute) == ("branch", "window") else []  # of the redemption there
        for inner in INNER.get(found["__typename"], ()):
            assert auditor[inner] != [], inner
            assert found[inner] == own, (name, inner)
    assert victim.anonymous.code(NODE, id=id) == "UNAUTHENTICATED"


def test_a_redemption_is_seen_by_its_merchant_and_not_by_strangers(victim: Victim) -> None:
    assert victim.callers["branch"].ask(NODE, id=victim.redemption)["node"]["id"] == victim.redemption
    assert victim.callers["stranger"].ask(NODE, id=victim.redemption)["node"] is None


def test_a_merchant_that_sees_a_redemption_may_not_reverse_it(victim: Victim) -> None:
    document = f"mutation($v: ReverseInput!) {{ reverse(input: $v) {{ __typename {REFUSED} }} }}"
    before = victim.state()
    assert victim.callers["branch"].code(document, v=_keyed(id=victim.redemption, reason="r")) == "FORBIDDEN"
    refused = victim.callers["stranger"].ask(document, v=_keyed(id=victim.redemption, reason="r"))["reverse"]
    assert refused["reason"] == "NOT_FOUND"
    assert victim.state() == before


def test_a_card_tells_strangers_nothing_of_who_has_it(victim: Victim) -> None:
    find = "query($v: String!, $r: String!) { customer(institution: $v, reference: $r) { reference } }"
    bound = 'query($v: String!) { customer(institution: $v, reference: "alice") { identifiers { identifier } } }'
    for name, caller in victim.callers.items():
        if name == "anonymous":
            continue
        owner = caller.ask(find, v=victim.bank, r=victim.card)["customer"]
        masks = caller.ask(bound, v=victim.bank)["customer"]["identifiers"]
        within = name == "auditor"
        assert owner == ({"reference": "alice"} if within else None), name
        assert masks == ([{"identifier": "****1111"}] if within else []), name


def test_guessed_identifiers_reveal_nothing(victim: Victim) -> None:
    """Numbers around those of the victim's, under every prefix: only what is open to all is ever found."""
    stranger, open_to_all = victim.callers["stranger"], {"in", "pc", "cu", "rt", "sw"}
    known = [victim.conversion, victim.transfer, victim.quote, victim.binding, victim.link]
    known += [victim.webhook, victim.delivery]
    near = [int(id.partition("_")[2], 16) for id in known]
    numbers = sorted({number + step for number in near for step in range(-2, 4)})
    found: set[str] = set()
    acts = ("is", "tr", "rd", "rv", "fz", "rs", "wo", "cn", "pl", "pb", "tk", "wh", "we", "mv")
    for prefix in ("bd", "lk", "ck", "qt", "cv", *acts, "rt", "cu"):
        ids = [f"{prefix}_{number:x}" for number in numbers]
        if prefix == "mv":  # a line's number is its movement's with the leg and the side
            ids += [f"mv_{number << 5 | side:x}" for number in numbers for side in range(4)]
        for start in range(0, len(ids), 30):
            part = ids[start : start + 30]
            document = "{" + " ".join(f'a{n}: node(id: "{id}") {{ id }}' for n, id in enumerate(part)) + "}"
            found |= {node["id"] for node in stranger.ask(document).values() if node is not None}
    assert {id.partition("_")[0] for id in found} <= open_to_all
    reports = [f"{victim.report['id'].partition('.')[0]}.{number:x}" for number in range(1 << 20, (1 << 20) + 3)]
    assert [stranger.ask(NODE, id=id)["node"] for id in reports] == [None] * 3


@pytest.mark.parametrize(
    ("file", "rows"),
    # Two redemptions' legs of money, or one net; CSV has a head, and camt.053 and others are made by the same path.
    [("lines.ndjson", 2), ("lines/1.json", 1), ("lines.csv", 3), ("report.csv", 2)],
)
def test_the_lines_of_another_s_report_do_not_exist(victim: Victim, file: str, rows: int) -> None:
    url = victim.network.operator.url
    own = victim.report["linesUrl"].replace("lines.ndjson", file)
    statuses, bodies = {}, {}
    for name, caller in victim.callers.items():
        headers = {} if caller.secret is None else {"authorization": f"Bearer {caller.secret}"}
        answer = httpx2.get(url + own, headers=headers)
        statuses[name], bodies[name] = answer.status_code, answer.text
    assert statuses == {"stranger": 404, "branch": 404, "auditor": 200, "anonymous": 401}
    assert len(bodies["auditor"].splitlines()) == rows
    stranger = {"authorization": f"Bearer {victim.callers['stranger'].secret}"}
    for absent in (own.replace(victim.window, f"sw_{ABSENT}"), own.replace(victim.bank, "nowhere")):
        assert httpx2.get(url + absent, headers=stranger).text == bodies["stranger"]
    assert httpx2.get(url + own, headers={"authorization": "Bearer phk_wrong"}).status_code == 401


def test_the_files_of_another_s_interim_statement_do_not_exist(victim: Victim) -> None:
    query = "query($w: ID!, $v: String!) { interimStatement(windowId: $w, institution: $v) { linesUrl } }"
    found = victim.callers["auditor"].ask(query, w=victim.model_window, v=victim.bank)["interimStatement"]
    for file, status in (("lines.ndjson", 200), ("statement.jws", 200), ("report.csv", 200), ("report.xml", 422)):
        statuses = {}
        for name, caller in victim.callers.items():
            headers = {} if caller.secret is None else {"authorization": f"Bearer {caller.secret}"}
            url = victim.network.operator.url + found["linesUrl"].replace("lines.ndjson", file)
            statuses[name] = httpx2.get(url, headers=headers).status_code
        assert statuses == {"stranger": 404, "branch": 404, "auditor": status, "anonymous": 401}


def test_the_statement_of_another_s_customer_does_not_exist(victim: Victim) -> None:
    url = victim.network.operator.url
    statuses, bodies = {}, {}
    for name, caller in victim.callers.items():
        headers = {} if caller.secret is None else {"authorization": f"Bearer {caller.secret}"}
        answer = httpx2.get(url + victim.csv, headers=headers)
        statuses[name], bodies[name] = answer.status_code, answer.text
    assert statuses == {"stranger": 404, "branch": 404, "auditor": 200, "anonymous": 401}
    assert "OPENING" in bodies["auditor"]
    stranger = {"authorization": f"Bearer {victim.callers['stranger'].secret}"}
    for absent in (victim.csv.replace(victim.customer, f"cu_{ABSENT}"), victim.csv.replace(f"/{victim.a}.", "/NOPE.")):
        assert absent != victim.csv
        assert httpx2.get(url + absent, headers=stranger).text == bodies["stranger"]
    assert victim.bank not in victim.csv
    assert "alice" not in victim.csv


def test_the_figures_of_another_s_currency_are_in_no_file(victim: Victim, tmp_path: Path) -> None:
    url = f"{victim.network.operator.url}/analysis.parquet"
    query = "query($a: String!) { pointsAnalysis(currency: $a) { issued } }"
    [said] = victim.network.operator.ask(query, a=victim.a)["pointsAnalysis"]
    found: dict[str, object] = {}
    for name, caller in victim.callers.items():
        headers = {} if caller.secret is None else {"authorization": f"Bearer {caller.secret}"}
        asked = {"by": ["PRODUCT", "MONTH"], "currency": victim.a}
        answer = httpx2.get(url, params=asked, headers=headers)
        found[name] = answer.status_code
        if answer.status_code == 200:
            path = tmp_path / f"{name}.parquet"
            path.write_bytes(answer.content)
            with duckdb.connect() as read:
                found[name] = read.execute(f"SELECT currency, issued FROM '{path}'").fetchall()
    assert found == {"stranger": [], "branch": [], "auditor": [(victim.a, Decimal(said["issued"]))], "anonymous": 401}
    headers = {"authorization": f"Bearer {victim.callers['auditor'].secret}"}
    for bad in ({"by": "WEATHER"}, {"from": "yesterday"}, {"by": ["DAY", "DAY"]}):
        assert httpx2.get(url, params=bad, headers=headers).status_code == 400


def test_the_books_are_the_operator_s_and_of_days_that_are_over(victim: Victim) -> None:
    operator = victim.network.operator
    today = date.fromisoformat(operator.ask("{ books { today } }")["books"]["today"])
    before = today - timedelta(days=1)
    url, statuses = f"{operator.url}/books/{before}.csv", {}
    for name, caller in victim.callers.items():
        headers = {} if caller.secret is None else {"authorization": f"Bearer {caller.secret}"}
        statuses[name] = httpx2.get(url, headers=headers).status_code
    assert statuses == {"stranger": 403, "branch": 403, "auditor": 403, "anonymous": 401}
    headers = {"authorization": f"Bearer {operator.secret}"}
    query = "query($d: String!) { trialBalance(day: $d) { balanced csvUrl } }"
    assert operator.ask(query, d=f"{before}")["trialBalance"] == {"balanced": True, "csvUrl": f"/books/{before}.csv"}
    assert operator.ask(query, d=f"{today}")["trialBalance"] == {"balanced": True, "csvUrl": None}
    head, total = httpx2.get(url, headers=headers).text.splitlines()  # nothing was done before today
    assert head.startswith("business_date,posted_at,value_date,act,")
    assert total == "TOTAL,,,0,,0"
    for day in (f"{today}", "yesterday", "20260131"):
        refused = httpx2.get(f"{operator.url}/books/{day}.csv", headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "BAD_INPUT"), day


def test_a_branch_gets_its_own_report_and_lines_and_not_the_operator_s(victim: Victim) -> None:
    branch = victim.callers["branch"]
    query = "query($w: ID!, $v: String!) { settlementReport(windowId: $w, institution: $v) { linesUrl nets { net } } }"
    own = branch.ask(query, w=victim.window, v=victim.branch)["settlementReport"]
    assert own["nets"] == [{"net": "0.50"}]
    headers = {"authorization": f"Bearer {branch.secret}"}
    assert httpx2.get(branch.url + own["linesUrl"], headers=headers).status_code == 200
    assert branch.ask(query, w=victim.window, v="HUB")["settlementReport"] is None
    assert httpx2.get(branch.url + own["linesUrl"].replace(victim.branch, "HUB"), headers=headers).status_code == 404


def test_the_open_window_s_figures_need_a_key(victim: Victim) -> None:
    assert victim.anonymous.code("{ hub { window { id } } }") == "UNAUTHENTICATED"
    window = "{ hub { window { status nets { net } } } }"
    assert victim.callers["stranger"].ask(window)["hub"]["window"] == {"status": "OPEN", "nets": []}


def test_a_cap_and_what_is_used_of_it_are_not_told_to_others(victim: Victim) -> None:
    """A stranger's customer spends the victim's points: the victim would owe 400 × 0.05 = 20.00, over a cap of 1.00."""
    network, operator = victim.network, victim.network.operator
    issuer = network.institution("CAPPED")
    points = network.currency("C", issuer)
    network.issue(points, victim.stranger, "mallory", "400")
    operator.do("setDebitCap", institution=issuer, currency="CNY", amount="1")
    spend = {
        "currency": points,
        "customer": {"institution": victim.stranger, "reference": "mallory"},
        "merchant": victim.stranger,
        "amount": "400",
    }
    refused = victim.callers["stranger"].do("redeemPoints", _keyed(**spend))
    assert (refused["reason"], refused["details"]) == ("LIMIT_EXCEEDED", [{"key": "currency", "value": "CNY"}])
    assert issuer not in refused["message"]
    told = operator.do("redeemPoints", _keyed(**spend))
    assert {detail["key"]: detail["value"] for detail in told["details"]} == {
        "institution": issuer,
        "currency": "CNY",
        "cap": "1.00",
        "exposure": "20.00",
    }


def test_a_refused_reversal_does_not_tell_what_another_s_customer_holds(victim: Victim) -> None:
    """The victim sends 300 to a stranger's customer, who spends 123: 177 are left, which is nobody's business."""
    network, stranger = victim.network, victim.callers["stranger"]
    bank = network.institution("SENDER")
    points = network.currency("P", bank)
    network.issue(points, bank, "sender", "300")
    trader, taker = network.person(bank, "INSTITUTION_TRADER"), {"institution": victim.stranger, "reference": "taker"}
    sent = trader.do(
        "transferPoints",
        _keyed(currency=points, amount="300", to=taker, **{"from": {"institution": bank, "reference": "sender"}}),
    )
    other = {"institution": victim.stranger, "reference": "other"}
    spent = stranger.do("transferPoints", _keyed(currency=points, amount="123", to=other, **{"from": taker}))
    assert spent["__typename"] == "Transfer", spent
    refused = trader.do("reverse", _keyed(id=sent["id"], reason="mistake"))
    assert refused["reason"] == "INSUFFICIENT_POINTS"
    assert refused["details"] == [{"key": "requested", "value": "300"}]
    assert "177" not in refused["message"]
    told = network.operator.do("reverse", _keyed(id=sent["id"], reason="mistake"))
    assert {"key": "available", "value": "177"} in told["details"]


def test_a_limit_that_binds_others_does_not_exist_for_a_stranger(victim: Victim) -> None:
    stranger, before = victim.callers["stranger"], victim.state()
    for document in (
        "query($id: ID!) { limit(id: $id) { id } }",
        "query($id: ID!) { node(id: $id) { id } }",
        f"mutation($id: ID!) {{ liftLimit(id: $id) {{ __typename {REFUSED} }} }}",
    ):
        answers = [stranger.post(document, {"id": id}).json() for id in (victim.limit, f"lm_{ABSENT}", "nonsense")]
        assert answers == [answers[0]] * 3
    assert victim.state() == before


def test_the_same_idempotency_key_of_another_institution_is_another_key(victim: Victim) -> None:
    stranger, before = victim.callers["stranger"], victim.state()
    taken = victim.converted["idempotencyKey"]
    victim.network.issue(victim.theirs, victim.stranger, "one", "10")
    own = {
        "idempotencyKey": taken,
        "currency": victim.theirs,
        "amount": "1",
        "from": {"institution": victim.stranger, "reference": "one"},
        "to": {"institution": victim.stranger, "reference": "two"},
    }
    assert stranger.do("transferPoints", own) | {"id": "any"} == {
        "__typename": "Transfer",
        "id": "any",
        "replayed": False,
        "points": {"amount": "1", "currency": victim.theirs},
    }
    document = "mutation($v: ConvertInput!) { convert(input: $v) { __typename } }"
    assert victim.callers["branch"].code(document, v=victim.converted) == "FORBIDDEN"  # and nothing is replayed
    assert victim.state() == before


def test_one_forbidden_row_stops_a_batch_before_any_row(victim: Victim) -> None:
    network, stranger = victim.network, victim.callers["stranger"]
    network.issue(victim.theirs, victim.stranger, "batch", "10")
    own = _keyed(
        currency=victim.theirs,
        amount="1",
        to={"institution": victim.stranger, "reference": "batch2"},
        **{"from": {"institution": victim.stranger, "reference": "batch"}},
    )
    before = victim.state()
    document = "mutation($v: [TransferPointsInput!]!) { transferPointsBatch(input: $v) { __typename } }"
    assert stranger.code(document, v=[own, _transfer(victim), own | {"idempotencyKey": key()}]) == "FORBIDDEN"
    assert network.operator.balance(victim.stranger, "batch", victim.theirs) == "10"
    assert victim.state() == before


def test_act_updates_are_for_those_who_see_the_act(victim: Victim) -> None:
    query = "subscription($id: ID!) { actUpdated(id: $id) { id status } }"
    heard = {}
    for name, caller in victim.callers.items():
        with Socket(caller) as socket:
            assert socket.hear() == {"type": "connection_ack"}
            socket.subscribe("act", query, id=victim.transfer)
            message = socket.hear()
            payload = message["payload"]
            errors = payload if message["type"] == "error" else payload.get("errors")
            heard[name] = errors[0]["extensions"]["code"] if errors else payload["data"]["actUpdated"]
    seen = {"id": victim.transfer, "status": "COMPLETED"}
    nothing = "NOT_FOUND"
    assert heard == {"stranger": nothing, "branch": nothing, "auditor": seen, "anonymous": "UNAUTHENTICATED"}


def test_conversion_updates_are_for_those_who_see_the_conversion(victim: Victim) -> None:
    query = "subscription($id: ID!) { conversionUpdated(id: $id) { id status } }"
    heard = {}
    for name, caller in victim.callers.items():
        with Socket(caller) as socket:
            assert socket.hear() == {"type": "connection_ack"}
            for id in (victim.conversion, f"cv_{ABSENT}"):
                socket.subscribe(id, query, id=id)
                message = socket.hear()
                payload = message["payload"]
                errors = payload if message["type"] == "error" else payload.get("errors")
                heard[name, id] = errors[0]["extensions"]["code"] if errors else payload["data"]["conversionUpdated"]
                assert not errors or message["id"] == id
    mine, nobody_s = victim.conversion, f"cv_{ABSENT}"
    assert heard == {
        ("stranger", mine): "NOT_FOUND",
        ("stranger", nobody_s): "NOT_FOUND",
        ("branch", mine): "NOT_FOUND",
        ("branch", nobody_s): "NOT_FOUND",
        ("auditor", mine): {"id": mine, "status": "COMPLETED"},
        ("auditor", nobody_s): "NOT_FOUND",
        ("anonymous", mine): "UNAUTHENTICATED",
        ("anonymous", nobody_s): "UNAUTHENTICATED",
    }


def test_window_updates_show_others_no_nets(victim: Victim) -> None:
    spend = {
        "currency": victim.a,
        "amount": "20",
        "merchant": victim.branch,
        "customer": {"institution": victim.bank, "reference": "bob"},
    }
    assert victim.trader.do("redeemPoints", _keyed(**spend))["__typename"] == "Redemption"
    query = "subscription { windowUpdated { number nets { institution { code } net } } }"
    number = victim.network.operator.ask("{ hub { window { number } } }")["hub"]["window"]["number"]
    closed = {}
    with Socket(victim.callers["stranger"]) as stranger, Socket(victim.callers["auditor"]) as auditor:
        sockets = {"stranger": stranger, "auditor": auditor}
        for socket in sockets.values():
            assert socket.hear() == {"type": "connection_ack"}
            socket.subscribe("w", query)
            socket.begun()
        victim.network.close_window()
        for name, socket in sockets.items():
            while (event := socket.hear()["payload"]["data"]["windowUpdated"])["number"] != number:
                pass
            closed[name] = event["nets"]
    assert closed["stranger"] == []
    assert closed["auditor"] == [  # 20 × 0.05 = 1.00, from the bank to its branch and so back to the bank
        {"institution": {"code": victim.bank}, "net": "0.00"},
        {"institution": {"code": victim.branch}, "net": "1.00"},
    ]
    with Socket(victim.anonymous) as socket:
        assert socket.hear() == {"type": "connection_ack"}
        socket.subscribe("w", query)
        assert socket.hear()["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
