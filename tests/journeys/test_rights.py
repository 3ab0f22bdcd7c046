"""Who may do what: roles, the tree, revocation on every worker, consent to rates, and institutions that are stopped."""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.hub.programs import Served
from tests.hub.reconciliation.writing import Row, write
from tests.journeys.client import REFUSED, Client, Failed, key
from tests.journeys.network import Network, unique

TRADER, ADMIN, AUDITOR = "INSTITUTION_TRADER", "INSTITUTION_ADMIN", "INSTITUTION_AUDITOR"
MOVE = f"mutation($c: String!, $p: String!) {{ moveInstitution(code: $c, parent: $p) {{ __typename {REFUSED} }} }}"
STATUS = (
    'mutation($c: String!, $s: InstitutionStatus!) { setInstitutionStatus(code: $c, status: $s, reason: "test")'
    f" {{ __typename ... on Institution {{ status }} {REFUSED} }} }}"
)
REVOKE = f"mutation($id: ID!) {{ revokeCredential(id: $id) {{ __typename ... on Credential {{ id }} {REFUSED} }} }}"


class Tree:
    """An alliance over two banks; the first has a branch. Each bank issues a currency."""

    def __init__(self, network: Network) -> None:
        self.network, self.operator = network, network.operator
        self.alliance = network.institution("ALLIANCE", "ALLIANCE")
        self.bank = network.institution("BANK", parent=self.alliance)
        self.branch = network.institution("BRANCH", "BRANCH", self.bank)
        self.aside = network.institution("ASIDE", parent=self.alliance)
        self.points, self.others = network.currency("P", self.bank), network.currency("Q", self.aside)

    def levels(self, *roles: str) -> dict[str, Client]:
        """A person with these roles at every level."""
        names = ("alliance", "bank", "branch", "aside")
        return {name: self.network.person(getattr(self, name), *roles, name=name) for name in names}


@pytest.fixture(scope="module")
def tree(network: Network) -> Tree:
    return Tree(network)


def outcome(client: Client, mutation: str, value: dict[str, Any]) -> str:
    """A type's name, a refusal's reason, or an error's code."""
    try:
        answer = client.do(mutation, value)
    except Failed as failed:
        return str(failed.codes[0])
    return str(answer["reason"] if answer["__typename"] == "Refused" else answer["__typename"])


def rated(client: Client, mutation: str, rate: str, **more: Any) -> str:
    """The same of what is done with a rate."""
    try:
        answer = client.rate(mutation, rate, **more)
    except Failed as failed:
        return str(failed.codes[0])
    return str(answer["reason"] if answer["__typename"] == "Refused" else answer["status"])


def reason(answer: Any) -> str:
    """The reason of a refusal."""
    assert answer["__typename"] == "Refused", answer
    return str(answer["reason"])


def party(institution: str, reference: str) -> dict[str, str]:
    """A customer."""
    return {"institution": institution, "reference": reference}


def issue(tree: Tree, institution: str, reference: str = "c", amount: str = "5") -> dict[str, Any]:
    """The bank's points for a customer."""
    return {
        "idempotencyKey": key(),
        "currency": tree.points,
        "to": party(institution, reference),
        "amount": amount,
    }


def transfer(tree: Tree, giver: str, taker: str) -> dict[str, Any]:
    """One of the bank's points from one institution's customer to another's."""
    return {
        "idempotencyKey": key(),
        "currency": tree.points,
        "from": party(giver, "c"),
        "to": party(taker, "d"),
        "amount": "1",
    }


def bind(institution: str, reference: str) -> dict[str, Any]:
    """A new card of a customer's."""
    return {
        "idempotencyKey": key(),
        "institution": institution,
        "identifier": unique("card-"),
        "customer": party(institution, reference),
    }


def propose_link(tree: Tree, mine: str, other: str) -> dict[str, Any]:
    """Two new customers, who are said to be one person."""
    a, b = party(mine, unique("a")), party(other, unique("b"))
    for one in (a, b):
        assert tree.operator.do("enrollCustomer", one)["__typename"] == "Customer"
    return {"idempotencyKey": key(), "a": a, "b": b}


def currency(issuer: str) -> dict[str, Any]:
    """A new currency."""
    return {
        "code": unique("N"),
        "name": "new",
        "issuer": issuer,
        "unitValue": {"amount": "0.05", "currency": "CNY"},
    }


def limit(currency: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    """A new limit that nobody meets."""
    terms = {"act": "RECEIVE", "period": "DAY"}
    return {"currency": currency, "code": code or unique("l"), "amount": "1000000", "terms": terms} | more


def relocation(tree: Tree) -> dict[str, Any]:
    """Points of a new currency, which a partner keeps, are to come home."""
    call = {"path": "/orders", "body": {"r": "{reference}"}}
    kept = {
        "baseUrl": "https://partner.example", "unit": "P", "scale": 0, "auth": {"scheme": "none"},
        "orders": [{"operations": ["DEBIT", "CREDIT"], "call": call}],
        "answer": {"status": "s", "statuses": {"OK": "SUCCEEDED"}, "reference": "r"},
    }  # fmt: skip
    away = tree.network.currency("AWAY", tree.bank, adapter="http_json", adapterConfig=kept)
    return {"currency": away, "adapter": "hosted", "reason": "home"}


def credential(institution: str, *roles: str) -> dict[str, Any]:
    """A new key."""
    return {"institution": institution, "person": "new", "label": "new", "roles": list(roles)}


# --- roles ------------------------------------------------------------------------------------------------------------


def test_each_role_does_its_own_work_and_no_other(tree: Tree) -> None:
    tree.network.issue(tree.points, tree.bank, "c", "100")
    monthly = {"amount": "1", "currency": "CNY"}
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "issuePoints": lambda: issue(tree, tree.bank),
        "transferPoints": lambda: transfer(tree, tree.bank, tree.bank),
        "enrollCustomer": lambda: party(tree.bank, unique("e")),
        "bindIdentifier": lambda: bind(tree.bank, "c"),
        "proposeCustomerLink": lambda: propose_link(tree, tree.bank, tree.aside),
        "registerPointCurrency": lambda: currency(tree.bank),
        "createCredential": lambda: credential(tree.bank, AUDITOR),
        "setLimit": lambda: limit(tree.points),
        "proposeRelocation": lambda: relocation(tree),
        "createInstitution": lambda: {"code": unique("I"), "name": "new", "kind": "BRANCH", "parent": tree.bank},
        "setDebitCap": lambda: {"institution": tree.bank, "currency": "CNY", "amount": "1000"},
        "setCover": lambda: {"institution": tree.alliance, "currency": "CNY", "needed": False},
        "proposeSettlementModel": lambda: {
            "code": unique("M"),
            "name": "new",
            "members": [tree.alliance],
            "currencies": ["CNY"],
        },
        "proposeFxRate": lambda: {
            "base": "ISK",
            "quote": "CNY",
            "rate": "0.05",
            "source": "CFETS",
            "quotedOn": "2026-01-05",
        },
        "proposeSharePlan": lambda: {"institution": tree.bank, "shares": [{"level": 0, "percent": "100"}]},
        "proposeFeeSchedule": lambda: {"institution": tree.bank, "vatPercent": "6", "membership": monthly},
        "setPrepaidNotice": lambda: {"currency": tree.points, "holder": tree.bank, "threshold": "5"},
        "offerPrepaidBlock": lambda: {"currency": tree.points, "holder": "HUB", "points": "5", "price": monthly},
    }
    persons = {
        TRADER: tree.network.person(tree.bank, TRADER),
        ADMIN: tree.network.person(tree.bank, ADMIN),
        AUDITOR: tree.network.person(tree.bank, AUDITOR),
        "OPERATOR_AUDITOR": tree.network.person("HUB", "OPERATOR_AUDITOR"),
        "OPERATOR_ADMIN": tree.operator,
    }
    trades, configures = (
        ["Issue", "Transfer", "Customer", "Binding"],
        ["PointCurrency", "NewCredential", "Limit", "Relocation"],
    )
    vouches, no = ["CustomerLink"], "FORBIDDEN"
    operates = ["Position", "Cover", "SettlementModel", "FxRate", "SharePlan", "FeeSchedule"]
    found = {role: [outcome(person, name, make()) for name, make in work.items()] for role, person in persons.items()}
    assert found == {
        TRADER: [*trades, *vouches, *[no] * 13],
        ADMIN: [no, no, no, no, *vouches, *configures, *[no] * 7, "PrepaidStock", "PrepaidBlock"],
        AUDITOR: [no] * 18,
        "OPERATOR_AUDITOR": [no] * 18,
        # The operator sets a notice for anybody, and speaks for no issuer.
        "OPERATOR_ADMIN": [*trades, *vouches, *configures, "Institution", *operates, "PrepaidStock", no],
    }


def test_a_cap_is_set_by_the_level_above_and_eased_by_two_persons(tree: Tree) -> None:
    branch = tree.network.institution("BRANCH", "BRANCH", parent=tree.bank)
    above, own = tree.network.person(tree.bank, ADMIN), tree.network.person(branch, ADMIN)
    cap = {"institution": branch, "currency": "CNY", "amount": "5"}
    assert outcome(own, "setDebitCap", cap) == "FORBIDDEN"
    assert above.do("setDebitCap", cap)["debitCap"] == "5.00"
    asked = above.do("setDebitCap", cap | {"amount": "9"})
    assert asked["debitCap"] == "5.00"
    query = "query($c: String!) { institution(code: $c) { positions { debitCap proposedCap { id amount } } } }"
    [found] = own.ask(query, c=branch)["institution"]["positions"]
    assert (found["debitCap"], found["proposedCap"]["amount"]) == ("5.00", "9.00")
    approve = (
        f"mutation($id: ID!) {{ approveDebitCap(id: $id) {{ __typename ... on Position {{ debitCap }} {REFUSED} }} }}"
    )
    id = found["proposedCap"]["id"]
    assert reason(above.ask(approve, id=id)["approveDebitCap"]) == "SAME_APPROVER"
    with pytest.raises(Failed) as failed:
        own.ask(approve, id=id)
    assert failed.value.codes == ["FORBIDDEN"]
    second = tree.network.person(tree.bank, ADMIN, name="second")
    assert second.ask(approve, id=id)["approveDebitCap"]["debitCap"] == "9.00"


def test_a_link_takes_the_word_of_both_sides_and_the_operator_s_is_none_of_them(tree: Tree) -> None:
    bank, aside = tree.network.person(tree.bank, TRADER), tree.network.person(tree.aside, ADMIN)
    above = tree.network.person(tree.alliance, TRADER)
    made = bank.do("proposeCustomerLink", propose_link(tree, tree.bank, tree.aside))["id"]
    for person in (tree.operator, bank):
        with pytest.raises(Failed) as failed:
            person.link("acceptCustomerLink", made)
        assert failed.value.codes == ["FORBIDDEN"]
    assert aside.link("acceptCustomerLink", made)["status"] == "ACTIVE"
    assert above.link("endCustomerLink", made, reason="for the bank below")["status"] == "ENDED"
    assert reason(aside.link("acceptCustomerLink", made)) == "INVALID_INPUT"


def test_the_operator_s_auditor_sees_all_and_does_nothing(tree: Tree) -> None:
    auditor = tree.network.person("HUB", "OPERATOR_AUDITOR")
    tree.network.issue(tree.points, tree.branch, "seen", "7")
    assert auditor.balance(tree.branch, "seen", tree.points) == "7"
    tree.operator.do("setDebitCap", institution=tree.branch, currency="CNY", amount="50")
    query = "query($c: String!) { institution(code: $c) { positions { debitCap } credentials { person } } }"
    assert auditor.ask(query, c=tree.branch) == tree.operator.ask(query, c=tree.branch)
    assert auditor.ask(query, c=tree.branch)["institution"]["positions"] == [{"debitCap": "50.00"}]
    rate = tree.network.propose(tree.points, tree.others, 1, 2)["id"]
    assert {
        name: rated(auditor, name, rate, **more)
        for name, more in (("acceptRate", {}), ("approveRate", {}), ("rejectRate", {"reason": "r"}))
    } == {"acceptRate": "FORBIDDEN", "approveRate": "FORBIDDEN", "rejectRate": "FORBIDDEN"}
    close = {"idempotencyKey": key(), "windowId": tree.network.open_window()}
    assert outcome(auditor, "closeSettlementWindow", close) == "FORBIDDEN"


def test_operator_roles_are_for_the_operator_s_people_and_given_by_its_admin(tree: Tree) -> None:
    for role in ("OPERATOR_ADMIN", "OPERATOR_AUDITOR"):
        assert outcome(tree.operator, "createCredential", credential(tree.bank, TRADER, role)) == "INVALID_INPUT"
        admin = tree.network.person(tree.bank, ADMIN)
        assert outcome(admin, "createCredential", credential(tree.bank, role)) == "INVALID_INPUT"
        assert outcome(admin, "createCredential", credential("HUB", role)) == "FORBIDDEN"
        inside = tree.network.person("HUB", ADMIN)  # at the operator, but not its administrator
        assert outcome(inside, "createCredential", credential("HUB", role)) == "FORBIDDEN"
    assert outcome(tree.operator, "createCredential", credential(tree.bank)) == "INVALID_INPUT"  # no role at all


# --- the tree ---------------------------------------------------------------------------------------------------------


def test_traders_act_for_customers_of_their_own_and_below_and_of_nobody_else(tree: Tree) -> None:
    for institution in (tree.alliance, tree.bank, tree.branch, tree.aside):
        tree.network.issue(tree.points, institution, "c", "20")
    traders = tree.levels(TRADER)
    found = {
        name: {
            home: outcome(trader, "transferPoints", transfer(tree, getattr(tree, home), tree.aside))
            for home in ("alliance", "bank", "branch", "aside")
        }
        for name, trader in traders.items()
    }
    yes, no = "Transfer", "FORBIDDEN"
    assert found == {
        "alliance": {"alliance": yes, "bank": yes, "branch": yes, "aside": yes},
        "bank": {"alliance": no, "bank": yes, "branch": yes, "aside": no},
        "branch": {"alliance": no, "bank": no, "branch": yes, "aside": no},
        "aside": {"alliance": no, "bank": no, "branch": no, "aside": yes},
    }


def test_a_limit_is_changed_by_who_set_it_and_those_above(tree: Tree) -> None:
    admins = tree.levels(ADMIN) | {"operator": tree.operator}
    made = {name: outcome(admin, "setLimit", limit(tree.points)) for name, admin in admins.items()}
    yes, no = "Limit", "FORBIDDEN"
    assert made == {"alliance": yes, "bank": yes, "branch": no, "aside": no, "operator": yes}
    changed = {}
    for owner in ("alliance", "bank", "operator"):  # the operator sets a limit for the issuer
        code = unique("l")
        assert outcome(admins[owner], "setLimit", limit(tree.points, code)) == yes
        again = limit(tree.points, code, terms=None)
        changed[owner] = [name for name, admin in admins.items() if outcome(admin, "setLimit", again) == yes]
    everybody = ["alliance", "bank", "operator"]
    assert changed == {"alliance": ["alliance", "operator"], "bank": everybody, "operator": everybody}


def test_administrators_configure_their_own_and_below_and_nobody_else(tree: Tree) -> None:
    admins = tree.levels(ADMIN)
    homes = ("alliance", "bank", "branch", "aside")
    for mutation, made in (("createCredential", "NewCredential"), ("registerPointCurrency", "PointCurrency")):
        found = {}
        for name, admin in admins.items():
            for home in homes:
                code = getattr(tree, home)
                value = credential(code, TRADER) if mutation == "createCredential" else currency(code)
                found[name, home] = outcome(admin, mutation, value) == made
        reach = {"alliance": set(homes), "bank": {"bank", "branch"}, "branch": {"branch"}, "aside": {"aside"}}
        assert found == {(name, home): home in reach[name] for name in admins for home in homes}


def test_only_the_issuer_issues_or_the_operator_for_it(tree: Tree) -> None:
    found = {
        name: outcome(trader, "issuePoints", issue(tree, tree.branch)) for name, trader in tree.levels(TRADER).items()
    }
    assert found == {"alliance": "FORBIDDEN", "bank": "Issue", "branch": "FORBIDDEN", "aside": "FORBIDDEN"}
    assert outcome(tree.operator, "issuePoints", issue(tree, tree.branch)) == "Issue"
    batch = "mutation($v: [IssuePointsInput!]!) { issuePointsBatch(input: $v) { __typename } }"
    assert tree.network.person(tree.alliance, TRADER).code(batch, v=[issue(tree, tree.bank)]) == "FORBIDDEN"


def test_a_moved_institution_leaves_the_hands_of_those_above_it_at_once(tree: Tree) -> None:
    network = tree.network
    bank, other = network.institution("BANK"), network.institution("OTHER")
    branch = network.institution("BRANCH", "BRANCH", bank)
    points = network.currency("P", branch)
    network.issue(points, branch, "c", "10")
    before, after = network.person(bank, TRADER), network.person(other, TRADER)
    spend = {"currency": points, "from": party(branch, "c"), "to": party(branch, "d"), "amount": "1"}
    assert outcome(before, "transferPoints", spend | {"idempotencyKey": key()}) == "Transfer"
    assert outcome(after, "transferPoints", spend | {"idempotencyKey": key()}) == "FORBIDDEN"
    assert tree.operator.ask(MOVE, c=branch, p=other)["moveInstitution"]["__typename"] == "Institution"
    for _ in range(2):  # on either worker
        assert outcome(before, "transferPoints", spend | {"idempotencyKey": key()}) == "FORBIDDEN"
        assert outcome(after, "transferPoints", spend | {"idempotencyKey": key()}) == "Transfer"
    assert before.ask("query($c: String!) { institution(code: $c) { children { code } } }", c=bank) == {
        "institution": {"children": []}
    }


def test_who_acted_can_reverse_and_name_a_conversion_of_an_institution_that_has_moved_away(tree: Tree) -> None:
    network = tree.network
    bank = network.institution("BANK")
    branch = network.institution("BRANCH", "BRANCH", bank)
    source, target = network.currency("P", branch), network.currency("Q", branch)
    network.rate(source, target, 1, 1)
    network.issue(source, branch, "c", "10")
    trader = network.person(bank, TRADER)
    exchange = {
        "source": party(branch, "c"),
        "target": party(branch, "c"),
        "sourceCurrency": source,
        "targetCurrency": target,
        "sourceAmount": "10",
    }
    made = trader.do("convert", exchange | {"idempotencyKey": key()})
    tree.operator.ask(MOVE, c=branch, p="HUB")
    document = "mutation($v: ReverseInput!) { reverse(input: $v) { ... on Reversal { points { amount } of { id } } } }"
    reversed_ = trader.ask(document, v={"idempotencyKey": key(), "id": made["id"], "reason": "returned"})["reverse"]
    assert reversed_ == {"points": {"amount": "10"}, "of": {"id": made["id"]}}
    assert tree.operator.balance(branch, "c", source) == "10"


def test_an_institution_never_stands_below_itself(tree: Tree) -> None:
    for code, parent in (
        (tree.bank, tree.bank),
        (tree.bank, tree.branch),
        (tree.alliance, tree.branch),
        ("HUB", tree.bank),
    ):
        assert reason(tree.operator.ask(MOVE, c=code, p=parent)["moveInstitution"]) == "ORG_CYCLE"


def test_what_is_there_already_is_refused_as_a_duplicate(tree: Tree) -> None:
    operator = tree.operator
    twice = {"code": tree.bank, "name": "again", "kind": "BANK"}
    assert outcome(operator, "createInstitution", twice) == "DUPLICATE"
    assert outcome(operator, "registerPointCurrency", currency(tree.bank) | {"code": tree.points}) == "DUPLICATE"
    customer = party(tree.bank, unique("twice"))
    assert outcome(operator, "enrollCustomer", customer) == "Customer"
    assert outcome(operator, "enrollCustomer", customer) == "DUPLICATE"


# --- keys -------------------------------------------------------------------------------------------------------------


def mutation(field: str, kind: str) -> str:
    """A mutation's shortest document."""
    return f"mutation($v: {kind}!) {{ {field}(input: $v) {{ __typename }} }}"


QUOTED = {
    "source": party("nowhere", "c"),
    "target": party("nowhere", "c"),
    "sourceCurrency": "nothing",
    "targetCurrency": "nothing",
    "sourceAmount": "1",
}


@pytest.mark.parametrize(
    ("document", "value"),
    [
        ("{ viewer { roles } }", {}),
        ("{ institutions { edges { node { code } } } }", {}),
        # What does not exist must not be answered as such: a key that is over learns nothing.
        (mutation("enrollCustomer", "CustomerInput"), party("nowhere", "c")),
        (mutation("createCredential", "CreateCredentialInput"), credential("nowhere", AUDITOR)),
        (mutation("registerPointCurrency", "RegisterPointCurrencyInput"), currency("nowhere")),
        (mutation("requestQuote", "RequestQuoteInput"), QUOTED),
        (mutation("convert", "ConvertInput"), QUOTED | {"idempotencyKey": "k"}),
        (mutation("executeQuote", "ExecuteQuoteInput"), {"idempotencyKey": "k", "quoteId": "qt_1"}),
    ],
)
def test_a_revoked_key_opens_nothing_from_the_next_request_on_whichever_worker_it_meets(
    tree: Tree, document: str, value: dict[str, Any]
) -> None:
    made = tree.operator.do("createCredential", credential(tree.bank, TRADER, ADMIN))
    url, headers = f"{tree.operator.url}/graphql", {"authorization": f"Bearer {made['secret']}"}
    with ExitStack() as stack:
        # Kept connections are handed to the workers in turn: with four, either has two of them.
        connections = [stack.enter_context(httpx2.Client(headers=headers, verify=False)) for _ in range(4)]
        for connection in connections:
            live = connection.post(url, json={"query": "{ viewer { roles } }"}).json()
            assert live == {"data": {"viewer": {"roles": [TRADER, ADMIN]}}}
        ended = tree.operator.ask(REVOKE, id=made["credential"]["id"])["revokeCredential"]
        assert ended["__typename"] == "Credential"
        body = {"query": document, "variables": {"v": value}}
        answers = [connection.post(url, json=body).json() for connection in connections]
    codes = [[error["extensions"]["code"] for error in answer.get("errors", ())] for answer in answers]
    assert codes == [["UNAUTHENTICATED"]] * 4, answers


def test_a_key_ends_at_its_expiry(tree: Tree) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=3)
    made = tree.operator.do("createCredential", credential(tree.bank, AUDITOR) | {"expiresAt": ends.isoformat()})
    client = Client(tree.operator.url, made["secret"])
    assert client.ask("{ viewer { roles } }") == {"viewer": {"roles": [AUDITOR]}}
    time.sleep((ends - datetime.now(UTC)).total_seconds() + 0.05)
    for _ in range(4):
        assert client.code("{ viewer { roles } }") == "UNAUTHENTICATED"
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert (
        outcome(tree.operator, "createCredential", credential(tree.bank, AUDITOR) | {"expiresAt": past})
        == "INVALID_INPUT"
    )


def test_everybody_may_end_their_own_key_and_only_administrators_others(tree: Tree) -> None:
    made = {role: tree.operator.do("createCredential", credential(tree.bank, role)) for role in (AUDITOR, TRADER)}
    clients = {role: Client(tree.operator.url, one["secret"]) for role, one in made.items()}
    ids = {role: one["credential"]["id"] for role, one in made.items()}
    assert clients[TRADER].code(REVOKE, id=ids[AUDITOR]) == "FORBIDDEN"
    for caller in (tree.network.person(tree.aside, ADMIN), tree.network.person(tree.branch, ADMIN)):
        assert reason(caller.ask(REVOKE, id=ids[AUDITOR])["revokeCredential"]) == "NOT_FOUND"
    assert clients[AUDITOR].ask(REVOKE, id=ids[AUDITOR])["revokeCredential"] == {
        "__typename": "Credential",
        "id": ids[AUDITOR],
    }
    assert clients[AUDITOR].code("{ viewer { roles } }") == "UNAUTHENTICATED"
    above = tree.network.person(tree.alliance, ADMIN)
    assert above.ask(REVOKE, id=ids[TRADER])["revokeCredential"]["id"] == ids[TRADER]
    assert clients[TRADER].code("{ viewer { roles } }") == "UNAUTHENTICATED"


# --- reversals --------------------------------------------------------------------------------------------------------


def test_a_reversal_is_for_who_acted_those_above_and_the_operator(tree: Tree) -> None:
    traders = tree.levels(TRADER)
    traders["operator"] = tree.operator
    tree.network.issue(tree.points, tree.branch, "c", "50")
    found = {}
    for name, trader in traders.items():
        sent = traders["branch"].do("transferPoints", transfer(tree, tree.branch, tree.bank))
        found[name] = outcome(trader, "reverse", {"idempotencyKey": key(), "id": sent["id"], "reason": "mistake"})
    yes = "Reversal"
    assert found == {"alliance": yes, "bank": yes, "branch": yes, "aside": "NOT_FOUND", "operator": yes}
    sent = traders["bank"].do("transferPoints", transfer(tree, tree.branch, tree.aside))  # the bank acts for its branch
    back = {"id": sent["id"], "reason": "mistake"}
    assert outcome(traders["branch"], "reverse", back | {"idempotencyKey": key()}) == "FORBIDDEN"
    assert outcome(traders["aside"], "reverse", back | {"idempotencyKey": key()}) == "FORBIDDEN"  # it sees its own end
    assert outcome(traders["bank"], "reverse", back | {"idempotencyKey": key()}) == yes


def test_an_auditor_of_the_issuer_sees_an_issue_to_others_and_may_not_reverse_it(tree: Tree) -> None:
    issued = tree.network.issue(tree.points, tree.aside, "c", "5")
    auditor = tree.network.person(tree.bank, AUDITOR)
    assert auditor.ask("query($id: ID!) { node(id: $id) { id } }", id=issued) == {"node": {"id": issued}}
    assert outcome(auditor, "reverse", {"idempotencyKey": key(), "id": issued, "reason": "r"}) == "FORBIDDEN"


def test_a_reversal_is_final(tree: Tree) -> None:
    issued = tree.network.issue(tree.points, tree.bank, "c", "5")
    back = tree.operator.do("reverse", {"idempotencyKey": key(), "id": issued, "reason": "r"})
    assert outcome(tree.operator, "reverse", {"idempotencyKey": key(), "id": back["id"], "reason": "r"}) == "NOT_FOUND"


# --- rates ------------------------------------------------------------------------------------------------------------


class Consents:
    """Two issuers that accept rates themselves, and one that leaves it to the operator."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.one, self.two = network.institution("ONE"), network.institution("TWO")
        self.a = network.currency("A", self.one, rateConsent="ISSUER")
        self.b = network.currency("B", self.two, rateConsent="ISSUER")
        self.left = network.currency("L", self.two)  # rateConsent: OPERATOR
        self.first, self.second = (
            network.person(self.one, ADMIN, name="ann"),
            network.person(self.two, ADMIN, name="bob"),
        )

    def proposal(self, source: str, target: str, **terms: Any) -> dict[str, Any]:
        return {"source": source, "target": target, "ratio": {"numerator": "1", "denominator": "2"}, **terms}


@pytest.fixture(scope="module")
def consents(network: Network) -> Consents:
    return Consents(network)


def test_a_rate_waits_for_the_other_issuer_and_then_for_the_operator(consents: Consents) -> None:
    proposed = consents.first.do("proposeRate", consents.proposal(consents.a, consents.b))
    assert proposed["awaiting"] == ["TARGET_ISSUER", "OPERATOR"]  # who proposes agrees
    rate, operator = proposed["id"], consents.network.operator
    assert rated(operator, "approveRate", rate) == "NOT_ACCEPTED"
    assert rated(consents.first, "acceptRate", rate) == "INVALID_INPUT"  # it does not await the proposer
    assert rated(operator, "acceptRate", rate) == "FORBIDDEN"  # a currency that keeps its consent keeps it from all
    assert rated(consents.network.person(consents.two, TRADER, AUDITOR), "acceptRate", rate) == "FORBIDDEN"
    stranger = consents.network.person(consents.network.institution("STRANGER"), ADMIN)
    assert rated(stranger, "acceptRate", rate) == "NOT_FOUND"
    assert consents.second.rate("acceptRate", rate) == {
        "__typename": "Rate",
        "id": rate,
        "status": "PROPOSED",
        "awaiting": ["OPERATOR"],
        "acceptedBy": ["bob"],
        "decidedBy": None,
    }
    assert rated(consents.second, "approveRate", rate) == "FORBIDDEN"
    approved = operator.rate("approveRate", rate)
    assert (approved["status"], approved["awaiting"], approved["decidedBy"]) == ("APPROVED", [], "first")
    assert rated(operator, "approveRate", rate) == "INVALID_INPUT"  # once


def test_an_issuer_that_left_its_consent_to_the_operator_is_not_waited_for(consents: Consents) -> None:
    proposed = consents.first.do("proposeRate", consents.proposal(consents.a, consents.left))
    assert proposed["awaiting"] == ["OPERATOR"]
    assert rated(consents.network.operator, "approveRate", proposed["id"]) == "APPROVED"


def test_the_operator_s_proposal_still_needs_the_issuers_that_keep_their_consent(consents: Consents) -> None:
    proposed = consents.network.operator.do("proposeRate", consents.proposal(consents.b, consents.a))
    assert proposed["awaiting"] == ["SOURCE_ISSUER", "TARGET_ISSUER", "OPERATOR"]
    assert rated(consents.network.second, "approveRate", proposed["id"]) == "NOT_ACCEPTED"
    assert rated(consents.first, "rejectRate", proposed["id"], reason="no") == "REJECTED"
    assert rated(consents.second, "acceptRate", proposed["id"]) == "INVALID_INPUT"


def test_nobody_approves_what_the_same_person_proposed_even_with_another_key(consents: Consents) -> None:
    network = consents.network
    proposed = network.propose(consents.left, network.currency("M", consents.two), 1, 2)["id"]
    assert rated(network.operator, "approveRate", proposed) == "SAME_APPROVER"
    again = network.person("HUB", "OPERATOR_ADMIN", name="first")  # the same person's other key
    assert rated(again, "approveRate", proposed) == "SAME_APPROVER"
    assert rated(network.second, "approveRate", proposed) == "APPROVED"


def test_two_versions_of_a_pair_never_start_at_the_same_instant(consents: Consents) -> None:
    network = consents.network
    source, target = network.currency("A", consents.one), network.currency("B", consents.two)
    starts = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    rates = [network.propose(source, target, 1, n, effectiveFrom=starts)["id"] for n in (2, 3)]
    assert [rated(network.second, "approveRate", rate) for rate in rates] == ["APPROVED", "RATE_OVERLAP"]


def test_a_start_in_the_past_is_refused_when_proposed_and_when_approved(consents: Consents) -> None:
    network = consents.network
    source, target = network.currency("A", consents.one), network.currency("B", consents.two)
    past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
    assert reason(network.propose(source, target, 1, 2, effectiveFrom=past)) == "INVALID_INPUT"
    soon = datetime.now(UTC) + timedelta(seconds=2)
    late = network.propose(source, target, 1, 2, effectiveFrom=soon.isoformat())["id"]
    time.sleep((soon - datetime.now(UTC)).total_seconds() + 0.05)
    assert rated(network.second, "approveRate", late) == "INVALID_INPUT"


# --- institutions that are stopped ------------------------------------------------------------------------------------


class Stopped:
    """A bank with a branch and a customer with points, a rate, a running quote and an act to reverse."""

    def __init__(self, network: Network) -> None:
        self.network, self.operator = network, network.operator
        self.bank = network.institution("BANK")
        self.branch = network.institution("BRANCH", "BRANCH", self.bank)
        self.a, self.b = network.currency("A", self.bank), network.currency("B", self.bank)
        network.rate(self.a, self.b, 1, 1)
        self.issued = network.issue(self.a, self.branch, "c", "100")
        self.trader = network.person(self.branch, TRADER)
        self.exchange = {
            "source": party(self.branch, "c"),
            "target": party(self.branch, "c"),
            "sourceCurrency": self.a,
            "targetCurrency": self.b,
            "sourceAmount": "10",
        }
        self.quote = self.trader.do("requestQuote", self.exchange)["id"]

    def set(self, status: str) -> None:
        """The bank's new status; its branch stands below it."""
        answer = self.operator.ask(STATUS, c=self.bank, s=status)["setInstitutionStatus"]
        assert answer == {"__typename": "Institution", "status": status}

    def outcomes(self) -> dict[str, str]:
        """What comes of everything that a trader of the branch may ask."""
        give = {"currency": self.a, "amount": "1", "from": party(self.branch, "c"), "to": party(self.branch, "d")}
        spend = {"currency": self.a, "amount": "1", "customer": party(self.branch, "c"), "merchant": "HUB"}
        asked: dict[str, dict[str, Any]] = {
            "enrollCustomer": party(self.branch, unique("e")),
            "transferPoints": give | {"idempotencyKey": key()},
            "redeemPoints": spend | {"idempotencyKey": key()},
            "requestQuote": self.exchange,
            "convert": self.exchange | {"idempotencyKey": key()},
            "executeQuote": {"idempotencyKey": key(), "quoteId": self.quote},
        }
        return {name: outcome(self.trader, name, value) for name, value in asked.items()} | {
            "reverse": outcome(
                self.operator, "reverse", {"idempotencyKey": key(), "id": self.issued, "amount": "1", "reason": "r"}
            )
        }


def test_nothing_is_done_with_a_suspended_institution_or_below_it(network: Network) -> None:
    stopped = Stopped(network)
    stopped.set("SUSPENDED")
    names = ("enrollCustomer", "transferPoints", "redeemPoints", "requestQuote", "convert", "executeQuote", "reverse")
    assert stopped.outcomes() == dict.fromkeys(names, "SUSPENDED")
    assert stopped.operator.balance(stopped.branch, "c", stopped.a) == "100"
    stopped.set("ACTIVE")
    assert outcome(stopped.trader, "convert", stopped.exchange | {"idempotencyKey": key()}) == "Conversion"


def test_a_closed_institution_begins_nothing_and_keeps_its_promises(network: Network) -> None:
    stopped = Stopped(network)
    stopped.set("CLOSED")
    new = ("enrollCustomer", "transferPoints", "redeemPoints", "requestQuote", "convert")
    promised = {"executeQuote": "Conversion", "reverse": "Reversal"}
    assert stopped.outcomes() == dict.fromkeys(new, "SUSPENDED") | promised
    assert stopped.operator.balance(stopped.branch, "c", stopped.a) == "89"  # 100 - 10 converted - 1 reversed


# --- breaks -----------------------------------------------------------------------------------------------------------


def test_the_operator_looks_after_breaks_and_the_issuer_sees_and_comments(
    network: Network, running: Served, tmp_path: Path
) -> None:
    bank = network.institution("BANK")
    branch = network.institution("BRANCH", "BRANCH", bank)
    answer = {"status": "s", "statuses": {"OK": "SUCCEEDED"}, "reference": "r", "amount": "a"}
    orders = [{"operations": ["CREDIT"], "call": {"path": "/orders", "body": {"r": "{reference}", "a": "{amount}"}}}]
    kept = {"baseUrl": "http://127.0.0.1:9", "allowPlainHttp": True, "unit": "R", "orders": orders, "answer": answer}
    code = network.currency("R", bank, adapter="http_json", adapterConfig=kept)
    then = datetime.now(UTC) - timedelta(days=1)
    path = write(tmp_path / "day.csv", [Row("OTHER-1", then, amount="7", unit="R")], code, then.date())
    words = ("reconcile", "--currency", code, "--day", then.date().isoformat())
    first, again = running.run(*words, "--file", str(path)), running.run(*words)  # it is on the shelf now
    assert (first.returncode, again.returncode) == (1, 1), first.stderr + again.stderr
    assert "1 break open, of which 1 new" in first.stdout
    assert "1 break open, of which 0 new" in again.stdout
    listed = "query($c: String!) { breaks(currency: $c) { edges { node { id reference difference } } } }"
    [edge] = network.operator.ask(listed, c=code)["breaks"]["edges"]
    assert (edge["node"]["reference"], edge["node"]["difference"]) == ("OTHER-1", "7")
    persons = {
        "operator": network.operator,
        "operator's auditor": network.person("HUB", "OPERATOR_AUDITOR"),
        "issuer's admin": network.person(bank, ADMIN),
        "issuer's trader": network.person(bank, TRADER),
        "issuer's auditor": network.person(bank, AUDITOR),
        "branch": network.person(branch, ADMIN),
    }

    def tried(person: Client, field: str, extra: str) -> str:
        document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
        answered = person.post(document, {"id": edge["node"]["id"]}).json()
        if answered.get("errors"):
            return str(answered["errors"][0]["extensions"]["code"])
        done = answered["data"][field]
        return str(done["reason"] if done["__typename"] == "Refused" else done["__typename"])

    found = {
        name: (
            len(person.ask(listed, c=code)["breaks"]["edges"]),
            tried(person, "noteBreak", ', text: "t"'),
            tried(person, "assignBreak", ""),
            tried(person, "proposeBreakEnd", ', ending: ACCEPT, text: "t"'),
            tried(person, "approveBreakEnd", ', proposalId: "bs_1"'),
        )
        for name, person in persons.items()
    }
    no = "FORBIDDEN"
    assert found == {
        "operator": (1, "Break", "Break", "Break", "NOT_FOUND"),
        "operator's auditor": (1, no, no, no, no),
        "issuer's admin": (1, "Break", no, no, no),
        "issuer's trader": (1, no, no, no, no),
        "issuer's auditor": (1, no, no, no, no),
        "branch": (0, "NOT_FOUND", no, no, no),
    }


# --- disputes ---------------------------------------------------------------------------------------------------------


def test_disputes_are_an_institution_s_own_word_and_two_persons_of_the_operator_s_end_them(network: Network) -> None:
    bank, shop = network.institution("BANK"), network.institution("SHOP")
    points = network.currency("P", bank)
    network.issue(points, bank, "c", "100")
    redeem = {"currency": points, "customer": party(bank, "c"), "merchant": shop, "amount": "100"}
    assert network.operator.do("redeemPoints", {"idempotencyKey": key()} | redeem)["__typename"] == "Redemption"
    persons = {
        "bank's admin": network.person(bank, ADMIN),
        "bank's trader": network.person(bank, TRADER),
        "shop's admin": network.person(shop, ADMIN),
        "operator": network.operator,
        "operator's auditor": network.person("HUB", "OPERATOR_AUDITOR"),
    }
    # While the window is open, the bank's figures are for whoever reads for it, and for the operator.
    asked = """query($w: ID!, $v: String!) { interimStatement(windowId: $w, institution: $v) { nets { net } }
        bilateralFigures(windowId: $w, institution: $v) { balance } }"""
    shown = {name: person.ask(asked, w=network.open_window(), v=bank) for name, person in persons.items()}
    for name, found in shown.items():
        is_theirs = name != "shop's admin"
        assert (found["interimStatement"] is not None, found["bilateralFigures"] is not None) == (is_theirs,) * 2
    window = network.close_window()["id"]
    report = "query($w: ID!, $v: String!) { settlementReport(windowId: $w, institution: $v) { linesUrl } }"
    url = network.operator.ask(report, w=window, v=bank)["settlementReport"]["linesUrl"]
    secret = persons["bank's admin"].secret
    bearer = {"authorization": f"Bearer {secret}"}
    [line] = [json.loads(one) for one in httpx2.get(network.operator.url + url, headers=bearer).text.splitlines()]
    named = {"movement": line["movement"], "leg": line["leg"], "reason": "UNKNOWN", "evidence": {"text": "t"}}
    opening = {"windowId": window, "institution": bank, "lines": [named]}
    no = "FORBIDDEN"
    assert {name: outcome(person, "openDisputes", opening) for name, person in reversed(persons.items())} == {
        "bank's admin": "OpenedDisputes", "bank's trader": no, "shop's admin": no, "operator": no,
        "operator's auditor": no,
    }  # fmt: skip
    listed = "query($w: ID!) { disputes(windowId: $w, status: OPEN) { edges { node { id } } } }"
    for person in persons.values():
        assert len(person.ask(listed, w=window)["disputes"]["edges"]) == 1
    id = network.operator.ask(listed, w=window)["disputes"]["edges"][0]["node"]["id"]

    def tried(person: Client, field: str, extra: str) -> str:
        document = f"mutation($id: ID!) {{ {field}(id: $id{extra}) {{ __typename {REFUSED} }} }}"
        answered = person.post(document, {"id": id}).json()
        if answered.get("errors"):
            return str(answered["errors"][0]["extensions"]["code"])
        done = answered["data"][field]
        return str(done["reason"] if done["__typename"] == "Refused" else done["__typename"])

    said = ', evidence: {text: "t"}'
    assert {name: tried(person, "answerDispute", said) for name, person in reversed(persons.items())} == {
        "bank's admin": no, "bank's trader": no, "shop's admin": "INVALID_INPUT", "operator": "Dispute",
        "operator's auditor": no,
    }  # fmt: skip
    ending = {"id": id, "outcome": "UPHELD", "amount": "2", "evidence": {"text": "t"}}
    found = {name: outcome(person, "proposeDisputeEnd", ending) for name, person in persons.items()}
    assert found == dict.fromkeys(persons, no) | {"operator": "Dispute"}
    last = network.operator.do("proposeDisputeEnd", ending)["history"][-1]["id"]
    approval = f', proposalId: "{last}"'
    for person in (persons["bank's admin"], persons["shop's admin"], persons["operator's auditor"]):
        assert tried(person, "approveDisputeEnd", approval) == no
    assert tried(network.operator, "approveDisputeEnd", approval) == "SAME_APPROVER"
    assert tried(network.second, "approveDisputeEnd", approval) == "Dispute"
    assert tried(persons["bank's admin"], "withdrawDispute", ', reason: "r"') == "INVALID_INPUT"
    assert outcome(persons["bank's admin"], "openDisputes", opening) == "DUPLICATE"


def test_the_operator_itself_stays_active(network: Network) -> None:
    assert reason(network.operator.ask(STATUS, c="HUB", s="SUSPENDED")["setInstitutionStatus"]) == "INVALID_INPUT"
