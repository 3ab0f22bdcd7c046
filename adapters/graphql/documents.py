"""What another hub is asked, in GraphQL. What is asked for is called ``found`` in every answer."""

from typing import Final

from hub.partners import Operation

_POINTS: Final = "points { amount currency }"
_NO: Final = "... on Refused { reason message details { key value } }"
_HOLD: Final = f"... on Hold {{ id status captured createdAt {_POINTS} }}"


def _mutation(name: str, kind: str, selection: str) -> str:
    return f"mutation($input: {kind}!) {{ found: {name}(input: $input) {{ __typename {selection} {_NO} }} }}"


_TRANSFER: Final = _mutation(
    "transferPoints", "TransferPointsInput", f"... on Transfer {{ id status postedAt {_POINTS} }}"
)

MUTATIONS: Final = {
    Operation.DEBIT: _TRANSFER,
    Operation.CREDIT: _TRANSFER,
    Operation.REVERSE: _mutation("reverse", "ReverseInput", f"... on Reversal {{ id status postedAt {_POINTS} }}"),
    Operation.HOLD: _mutation("holdPoints", "HoldPointsInput", _HOLD),
    Operation.CAPTURE: _mutation("captureHold", "CaptureHoldInput", _HOLD),
    Operation.RELEASE: _mutation("releaseHold", "ReleaseHoldInput", _HOLD),
}

HOLD: Final = f"query($id: ID!) {{ found: hold(id: $id) {{ {_POINTS} }} }}"

CUSTOMER: Final = """query($institution: String!, $reference: String!) {
  found: customer(institution: $institution, reference: $reference) {
    reference balances { available currency { code } }
  }
}"""

STATEMENT: Final = """query($customer: CustomerInput!, $currency: String!, $from: DateTime!, $until: DateTime!,
  $after: String) {
  found: movements(customer: $customer, currency: $currency, from: $from, until: $until, first: 200, after: $after) {
    edges { node { kind direction points { amount currency } postedAt memo } }
    pageInfo { hasNextPage endCursor }
  }
}"""
