"""A partner's client over real HTTP: it speaks the API's names and nothing else."""

import json
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx2
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

REFUSED = "... on Refused { reason message retryable replayed details { key value } }"

# What is asked of each mutation's answer, and how its argument is typed.
ANSWERS = {
    "createInstitution": ("input", "CreateInstitutionInput!", "... on Institution { id code name kind status }"),
    "setDebitCap": ("input", "SetDebitCapInput!", "... on Position { own subtree exposure debitCap available }"),
    "setCover": ("input", "SetCoverInput!", "... on Cover { collateral proposal { id } }"),
    "proposeDefault": ("input", "ProposeDefaultInput!", "... on Default { id status }"),
    "recordCoverEntry": ("input", "RecordCoverEntryInput!", "... on CoverEntry { id status }"),
    "offerPrepaidBlock": ("input", "OfferPrepaidBlockInput!", "... on PrepaidBlock { id status }"),
    "setPrepaidNotice": ("input", "SetPrepaidNoticeInput!", "... on PrepaidStock { low }"),
    "createCredential": (
        "input",
        "CreateCredentialInput!",
        "... on NewCredential { secret credential { id person roles } }",
    ),
    "registerPointCurrency": ("input", "RegisterPointCurrencyInput!", "... on PointCurrency { id code scale }"),
    "proposeAcceptanceTerms": (
        "input",
        "ProposeAcceptanceTermsInput!",
        "... on AcceptanceTerms { id status awaiting }",
    ),
    "proposeUnitValue": ("input", "ProposeUnitValueInput!", "... on UnitValue { id awaiting }"),
    "proposeRate": ("input", "ProposeRateInput!", "... on Rate { id status version awaiting effectiveFrom }"),
    "proposeSharePlan": ("input", "ProposeSharePlanInput!", "... on SharePlan { id status version }"),
    "proposeFeeSchedule": ("input", "ProposeFeeScheduleInput!", "... on FeeSchedule { id status awaiting }"),
    "proposeSettlementModel": ("input", "ProposeSettlementModelInput!", "... on SettlementModel { id status }"),
    "proposeFxRate": ("input", "ProposeFxRateInput!", "... on FxRate { id status version }"),
    "setLimit": ("input", "SetLimitInput!", "... on Limit { id code amount versions { version amount } }"),
    "enrollCustomer": ("input", "CustomerInput!", "... on Customer { id reference }"),
    "bindIdentifier": (
        "input",
        "BindIdentifierInput!",
        "... on Binding { id identifier from until replayed customer { reference } }",
    ),
    "unbindIdentifier": ("input", "UnbindIdentifierInput!", "... on Binding { id identifier until memo replayed }"),
    "proposeCustomerLink": ("input", "ProposeCustomerLinkInput!", "... on CustomerLink { id status replayed }"),
    "issuePoints": ("input", "IssuePointsInput!", "... on Issue { id replayed points { amount currency } }"),
    "issuePointsBatch": ("input", "[IssuePointsInput!]!", "... on Issue { id replayed }"),
    "transferPoints": ("input", "TransferPointsInput!", "... on Transfer { id replayed points { amount currency } }"),
    "transferPointsBatch": ("input", "[TransferPointsInput!]!", "... on Transfer { id replayed }"),
    "requestQuote": (
        "input",
        "RequestQuoteInput!",
        "... on Quote { id expiresAt target { amount } bonus { amount } fee { amount } settlement { amount } }",
    ),
    "executeQuote": ("input", "ExecuteQuoteInput!", "... on Conversion { id status replayed target { amount } }"),
    "convert": (
        "input",
        "ConvertInput!",
        "... on Conversion { id status replayed source { amount } target { amount } bonus { amount }"
        " fee { amount currency } settlement { amount currency } }",
    ),
    "convertBatch": ("input", "[ConvertInput!]!", "... on Conversion { id status replayed target { amount } }"),
    "redeemPoints": ("input", "RedeemPointsInput!", "... on Redemption { id replayed value { amount currency } }"),
    "holdPoints": ("input", "HoldPointsInput!", "... on Hold { id status captured replayed }"),
    "captureHold": ("input", "CaptureHoldInput!", "... on Hold { id status captured replayed }"),
    "releaseHold": ("input", "ReleaseHoldInput!", "... on Hold { id status captured replayed }"),
    "freezePoints": ("input", "FreezePointsInput!", "... on Freeze { id replayed frozen shortfall status }"),
    "resolveFreeze": ("input", "ResolveFreezeInput!", "... on Freeze { id replayed removed debt status }"),
    "freezeAccount": ("input", "FreezeAccountInput!", "... on Restriction { id replayed kind }"),
    "unfreezeAccount": ("input", "FreezeAccountInput!", "... on Restriction { id replayed kind }"),
    "closeCustomer": ("input", "CloseCustomerInput!", "... on Restriction { id replayed kind }"),
    "writeOffDebt": ("input", "WriteOffDebtInput!", "... on DebtWriteOff { id replayed points { amount } }"),
    "cancelRecord": ("input", "CancelRecordInput!", "... on RecordCancellation { id replayed issues debt }"),
    "createPool": ("input", "CreatePoolInput!", "... on Pool { id replayed }"),
    "joinPool": ("input", "JoinPoolInput!", "... on Pool { id }"),
    "contributeToPool": (
        "input",
        "ContributeToPoolInput!",
        "... on PoolContribution { id replayed points { amount currency } }",
    ),
    "reverse": ("input", "ReverseInput!", "... on Reversal { id replayed points { amount currency } }"),
    "clearPoints": ("input", "ClearPointsInput!", "... on PointsClearing { id status earnedBefore replayed }"),
    "proposeRelocation": ("input", "ProposeRelocationInput!", "... on Relocation { id status }"),
    "closeSettlementWindow": (
        "input",
        "CloseWindowInput!",
        "... on SettlementWindow { id number status"
        " nets { institution { code } currency debit credit net confirmed } }",
    ),
    "setWebhook": ("input", "SetWebhookInput!", "... on NewWebhook { secret webhook { id url types status } }"),
    "replayWebhook": ("input", "ReplayWebhookInput!", "... on WebhookReplay { events }"),
    "registerAcceptanceKey": ("input", "RegisterAcceptanceKeyInput!", "... on AcceptanceKey { id kid replacedAt }"),
    "acceptReport": ("input", "AcceptReportInput!", "... on ReportAcceptance { id kid digest person }"),
    "openDisputes": (
        "input",
        "OpenDisputesInput!",
        "... on OpenedDisputes { disputes { id status line { movement leg amount } } }",
    ),
    "proposeDisputeEnd": ("input", "ProposeDisputeEndInput!", "... on Dispute { id status history { id kind } }"),
    "confirmSettlement": ("input", "ConfirmSettlementInput!", "... on SettlementWindow { id number status }"),
}


# Every request takes a connection of its own, so that the server's workers take turns.
_http = httpx2.Client(limits=httpx2.Limits(max_keepalive_connections=0), timeout=60)


class Failed(Exception):
    """The request ended in GraphQL errors."""

    def __init__(self, errors: list[dict[str, Any]], status: int) -> None:
        super().__init__(str(errors))
        self.codes = [error.get("extensions", {}).get("code") for error in errors]
        self.status = status


def key() -> str:
    """A fresh idempotency key."""
    return uuid.uuid4().hex


@dataclass
class Client:
    """One person's key at one hub."""

    url: str
    secret: str | None
    language: str = "en"

    def post(self, query: str, variables: dict[str, Any] | None = None) -> httpx2.Response:
        """The raw answer to a document."""
        headers = {"accept": "application/json", "accept-language": self.language}
        if self.secret is not None:
            headers["authorization"] = f"Bearer {self.secret}"
        body = {"query": query, "variables": variables or {}}
        return _http.post(f"{self.url}/graphql", json=body, headers=headers)

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer.

        Raises:
            Failed: it has errors.
        """
        response = self.post(query, variables)
        answer = response.json()
        if answer.get("errors"):
            raise Failed(answer["errors"], response.status_code)
        return answer["data"]

    def do(self, mutation: str, value: Any = None, **fields: Any) -> Any:
        """A mutation's answer, with ``__typename``; its input is ``value`` or the fields."""
        argument, kind, selection = ANSWERS[mutation]
        document = f"mutation($v: {kind}) {{ {mutation}({argument}: $v) {{ __typename {selection} {REFUSED} }} }}"
        return self.ask(document, v=fields if value is None else value)[mutation]

    def rate(self, mutation: str, id: str, **more: Any) -> Any:
        """acceptRate, approveRate, rejectRate or withdrawRate."""
        extra = "".join(
            f", {name}: {str(v).lower() if isinstance(v, bool) else repr_text(v)}" for name, v in more.items()
        )
        document = (
            f"mutation($id: ID!) {{ {mutation}(id: $id{extra}) {{ __typename"
            f" ... on Rate {{ id status awaiting acceptedBy decidedBy }} {REFUSED} }} }}"
        )
        return self.ask(document, id=id)[mutation]

    def link(self, mutation: str, id: str, idempotency_key: str | None = None, reason: str | None = None) -> Any:
        """acceptCustomerLink or endCustomerLink."""
        extra = "" if reason is None else f", reason: {repr_text(reason)}"
        document = (
            f"mutation($id: ID!, $k: String!) {{ {mutation}(id: $id, idempotencyKey: $k{extra}) {{ __typename"
            f" ... on CustomerLink {{ id status replayed }} {REFUSED} }} }}"
        )
        return self.ask(document, id=id, k=idempotency_key or key())[mutation]

    def code(self, query: str, **variables: Any) -> str | None:
        """The code of the first error that a document ends in; None without one."""
        errors = self.post(query, variables).json().get("errors")
        return None if not errors else str(errors[0]["extensions"]["code"])

    def balance(self, institution: str, reference: str, currency: str) -> str:
        """A customer's total of one currency; "0" without an account."""
        document = (
            "query($i: String!, $r: String!) { customer(institution: $i, reference: $r)"
            " { balances { currency { code } total available } } }"
        )
        customer = self.ask(document, i=institution, r=reference)["customer"]
        totals = {row["currency"]["code"]: row["total"] for row in customer["balances"]}
        return str(totals.get(currency, "0"))


class Socket:
    """A connection that speaks graphql-transport-ws, introduced with a client's key, if it has one."""

    def __init__(self, client: Client, *, origin: str | None = None, payload: dict[str, Any] | None = None) -> None:
        url = client.url.replace("http", "ws", 1) + "/graphql"
        protocol = Subprotocol("graphql-transport-ws")
        said = None if origin is None else Origin(origin)
        self._connecting = connect(url, subprotocols=[protocol], origin=said, proxy=None)
        if payload is None:
            payload = {} if client.secret is None else {"Authorization": f"Bearer {client.secret}"}
        self._payload = payload

    def __enter__(self) -> "Socket":
        self.connection = self._connecting.__enter__()
        self.send({"type": "connection_init", "payload": self._payload})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connecting.__exit__(kind, error, trace)

    def send(self, message: dict[str, Any]) -> None:
        """A message of the protocol."""
        self.connection.send(json.dumps(message))

    def hear(self, seconds: float = 60) -> dict[str, Any]:
        """The next message.

        Raises:
            TimeoutError: none comes.
        """
        found: dict[str, Any] = json.loads(self.connection.recv(timeout=seconds))
        return found

    def subscribe(self, name: str, query: str, /, **variables: Any) -> None:
        """Ask for an operation's results, once the connection is acknowledged."""
        self.send({"id": name, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    def begun(self) -> None:
        """Wait until what was subscribed to before has begun: looks that were asked for later are answered."""
        for n in range(3):
            self.subscribe(f"look{n}", "{ viewer { roles } }")
            assert [self.hear()["id"], self.hear()["type"]] == [f"look{n}", "complete"]


def repr_text(value: object) -> str:
    """A GraphQL string literal."""
    return '"' + str(value).replace('"', '\\"') + '"'
