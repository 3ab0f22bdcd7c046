"""The GraphQL documents that the demo sends: each public name is one complete operation.

Every mutation asks for the refusal beside the result, because an expected refusal is data. `__typename` tells the two
apart. A test validates all of them against the committed SDL.
"""

_REFUSED = "fragment R on Refused { reason message retryable replayed details { key value } }"
_POINTS = "amount currency"

VIEWER = "query Viewer { viewer { credential { person } institution { code name } } }"

HUB = "query Hub { hub { name version jwksUrl window { id number status } } }"

CREATE_INSTITUTION = f"""
mutation CreateInstitution($input: CreateInstitutionInput!) {{
  createInstitution(input: $input) {{ __typename ... on Institution {{ code }} ...R }}
}}
{_REFUSED}"""

CREATE_CREDENTIAL = f"""
mutation CreateCredential($input: CreateCredentialInput!) {{
  createCredential(input: $input) {{ __typename ... on NewCredential {{ secret credential {{ person }} }} ...R }}
}}
{_REFUSED}"""

REGISTER_POINT_CURRENCY = f"""
mutation RegisterPointCurrency($input: RegisterPointCurrencyInput!) {{
  registerPointCurrency(input: $input) {{ __typename ... on PointCurrency {{ code }} ...R }}
}}
{_REFUSED}"""

_RATE = "... on Rate { id version status awaiting proposedBy acceptedBy decidedBy }"

PROPOSE_RATE = f"""
mutation ProposeRate($input: ProposeRateInput!) {{ proposeRate(input: $input) {{ __typename {_RATE} ...R }} }}
{_REFUSED}"""

ACCEPT_RATE = f"""
mutation AcceptRate($id: ID!) {{ acceptRate(id: $id) {{ __typename {_RATE} ...R }} }}
{_REFUSED}"""

APPROVE_RATE = f"""
mutation ApproveRate($id: ID!) {{ approveRate(id: $id) {{ __typename {_RATE} ...R }} }}
{_REFUSED}"""

REJECT_RATE = f"""
mutation RejectRate($id: ID!, $reason: String!) {{
  rejectRate(id: $id, reason: $reason) {{ __typename {_RATE} ...R }}
}}
{_REFUSED}"""

ENROLL_CUSTOMER = f"""
mutation EnrollCustomer($input: CustomerInput!) {{
  enrollCustomer(input: $input) {{ __typename ... on Customer {{ id }} ...R }}
}}
{_REFUSED}"""

PROPOSE_CUSTOMER_LINK = f"""
mutation ProposeCustomerLink($input: ProposeCustomerLinkInput!) {{
  proposeCustomerLink(input: $input) {{ __typename ... on CustomerLink {{ id status }} ...R }}
}}
{_REFUSED}"""

ACCEPT_CUSTOMER_LINK = f"""
mutation AcceptCustomerLink($id: ID!, $key: String!) {{
  acceptCustomerLink(id: $id, idempotencyKey: $key) {{ __typename ... on CustomerLink {{ id status }} ...R }}
}}
{_REFUSED}"""

ISSUE_POINTS = f"""
mutation IssuePoints($input: IssuePointsInput!) {{
  issuePoints(input: $input) {{ __typename ... on Issue {{ id points {{ {_POINTS} }} replayed }} ...R }}
}}
{_REFUSED}"""

ISSUE_POINTS_BATCH = f"""
mutation IssuePointsBatch($input: [IssuePointsInput!]!) {{
  issuePointsBatch(input: $input) {{ __typename ... on Issue {{ points {{ {_POINTS} }} replayed }} ...R }}
}}
{_REFUSED}"""

PREVIEW_CONVERSION = f"""
query PreviewConversion($input: RequestQuoteInput!) {{
  previewConversion(input: $input) {{
    __typename
    ... on Preview {{ target {{ amount }} bonus {{ amount }} fee {{ {_POINTS} }} settlement {{ {_POINTS} }} }}
    ...R
  }}
}}
{_REFUSED}"""

REQUEST_QUOTE = f"""
mutation RequestQuote($input: RequestQuoteInput!) {{
  requestQuote(input: $input) {{
    __typename
    ... on Quote {{ id expiresAt target {{ amount }} fee {{ {_POINTS} }} settlement {{ {_POINTS} }} }}
    ...R
  }}
}}
{_REFUSED}"""

_CONVERSION = f"""... on Conversion {{
      id status target {{ amount }} fee {{ {_POINTS} }} settlement {{ {_POINTS} }} replayed
    }}"""

EXECUTE_QUOTE = f"""
mutation ExecuteQuote($input: ExecuteQuoteInput!) {{
  executeQuote(input: $input) {{ __typename {_CONVERSION} ...R }}
}}
{_REFUSED}"""

CONVERT_BATCH = f"""
mutation ConvertBatch($input: [ConvertInput!]!) {{
  convertBatch(input: $input) {{ __typename {_CONVERSION} ...R }}
}}
{_REFUSED}"""


EXCHANGE = f"""
query Exchange($id: ID!) {{
  exchange(conversionId: $id) {{
    state inDoubt
    conversion {{
      id status source {{ {_POINTS} }} target {{ {_POINTS} }} fee {{ {_POINTS} }} settlement {{ {_POINTS} }}
      refusal {{ message details {{ key value }} }}
    }}
    orders {{ reference operation points {{ {_POINTS} }} status }}
    steps {{ state inDoubt reference status reason }}
  }}
}}"""

TRANSFER_POINTS = f"""
mutation TransferPoints($input: TransferPointsInput!) {{
  transferPoints(input: $input) {{ __typename ... on Transfer {{ id points {{ {_POINTS} }} replayed }} ...R }}
}}
{_REFUSED}"""

TRANSFER_POINTS_BATCH = f"""
mutation TransferPointsBatch($input: [TransferPointsInput!]!) {{
  transferPointsBatch(input: $input) {{ __typename ... on Transfer {{ points {{ {_POINTS} }} replayed }} ...R }}
}}
{_REFUSED}"""

REDEEM_POINTS = f"""
mutation RedeemPoints($input: RedeemPointsInput!) {{
  redeemPoints(input: $input) {{
    __typename
    ... on Redemption {{ id points {{ {_POINTS} }} value {{ {_POINTS} }} fee {{ {_POINTS} }} replayed }}
    ...R
  }}
}}
{_REFUSED}"""

REVERSE = f"""
mutation Reverse($input: ReverseInput!) {{
  reverse(input: $input) {{ __typename ... on Reversal {{ id points {{ {_POINTS} }} replayed }} ...R }}
}}
{_REFUSED}"""

CUSTOMER = """
query Customer($institution: String!, $reference: String!) {
  customer(institution: $institution, reference: $reference) { balances { currency { code } total available } }
}"""

HOLDINGS = """
query Holdings($institution: String!, $reference: String!) {
  customer(institution: $institution, reference: $reference) {
    balances { currency { code } available held frozen lots { amount expiresAt } }
  }
}"""

HOLD_POINTS = f"""
mutation HoldPoints($input: HoldPointsInput!) {{
  holdPoints(input: $input) {{ __typename ... on Hold {{ id status expiresAt }} ...R }}
}}
{_REFUSED}"""

CAPTURE_HOLD = f"""
mutation CaptureHold($input: CaptureHoldInput!) {{
  captureHold(input: $input) {{ __typename ... on Hold {{ id status captured }} ...R }}
}}
{_REFUSED}"""

FREEZE_POINTS = f"""
mutation FreezePoints($input: FreezePointsInput!) {{
  freezePoints(input: $input) {{ __typename ... on Freeze {{ id frozen shortfall }} ...R }}
}}
{_REFUSED}"""

RESOLVE_FREEZE = f"""
mutation ResolveFreeze($input: ResolveFreezeInput!) {{
  resolveFreeze(input: $input) {{ __typename ... on Freeze {{ id status }} ...R }}
}}
{_REFUSED}"""

CREATE_POOL = f"""
mutation CreatePool($input: CreatePoolInput!) {{
  createPool(input: $input) {{ __typename ... on Pool {{ id kind }} ...R }}
}}
{_REFUSED}"""

JOIN_POOL = f"""
mutation JoinPool($input: JoinPoolInput!) {{ joinPool(input: $input) {{ __typename ... on Pool {{ id }} ...R }} }}
{_REFUSED}"""

BIND_IDENTIFIER = f"""
mutation BindIdentifier($input: BindIdentifierInput!) {{
  bindIdentifier(input: $input) {{ __typename ... on Binding {{ id identifier }} ...R }}
}}
{_REFUSED}"""

SET_LIMIT = f"""
mutation SetLimit($input: SetLimitInput!) {{ setLimit(input: $input) {{ __typename ... on Limit {{ id }} ...R }} }}
{_REFUSED}"""

LIFT_LIMIT = f"""
mutation LiftLimit($id: ID!) {{ liftLimit(id: $id) {{ __typename ... on Limit {{ id }} ...R }} }}
{_REFUSED}"""

STATEMENT = """
query Statement($customer: CustomerInput!, $currency: String!, $since: DateTime!, $until: DateTime!) {
  statement(customer: $customer, currency: $currency, from: $since, until: $until) { opening credits debits closing }
}"""

POSITIONS = """
query Positions($code: String!) { institution(code: $code) { positions { currency own subtree } } }"""

CIRCULATION = """
query Circulation($code: String!) { pointCurrency(code: $code) { circulation { amount currency } } }"""

_NETS = "nets { institution { code } currency debit credit net confirmed }"

CLOSE_WINDOW = f"""
mutation CloseSettlementWindow($input: CloseWindowInput!) {{
  closeSettlementWindow(input: $input) {{
    __typename ... on SettlementWindow {{ id number status closedAt {_NETS} }} ...R
  }}
}}
{_REFUSED}"""

CONFIRM_SETTLEMENT = f"""
mutation ConfirmSettlement($input: ConfirmSettlementInput!) {{
  confirmSettlement(input: $input) {{ __typename ... on SettlementWindow {{ status settledAt }} ...R }}
}}
{_REFUSED}"""

SETTLEMENT_REPORT = f"""
query SettlementReport($windowId: ID!, $institution: String!) {{
  settlementReport(windowId: $windowId, institution: $institution) {{
    payload jws digest previousDigest linesUrl {_NETS}
  }}
}}"""
