"""What tests of the API do through it again and again."""

from typing import Any

from tests.schema.conftest import Caller, Client

REFUSED = "... on Refused { reason message retryable replayed details { key value } }"


async def act(caller: Caller, field: str, kind: str, selection: str, /, **input: Any) -> Any:
    """The answer to a mutation that takes one input object."""
    document = f"mutation M($input: {kind}!) {{ {field}(input: $input) {{ __typename {selection} {REFUSED} }} }}"
    return await caller.ask(document, input=input)


async def institution(caller: Caller, code: str, kind: str = "BANK", **more: Any) -> Any:
    return await act(
        caller,
        "createInstitution",
        "CreateInstitutionInput",
        "... on Institution { id code kind status zones parent { code } }",
        **{"code": code, "name": f"The {code}", "kind": kind, **more},
    )


async def key(caller: Caller, code: str, person: str, *roles: str) -> Any:
    return await act(
        caller,
        "createCredential",
        "CreateCredentialInput",
        "... on NewCredential { secret credential { id person label roles createdAt institution { code } } }",
        institution=code,
        person=person,
        label="test",
        roles=list(roles),
    )


async def holder(client: Client, caller: Caller, code: str, person: str, *roles: str) -> Caller:
    """Whoever presents a fresh key."""
    made = await key(caller, code, person, *roles)
    assert made["__typename"] == "NewCredential", made
    return client.caller(await client.hub.reading.authenticate(made["secret"]))


async def currency(caller: Caller, code: str, issuer: str, **more: Any) -> Any:
    return await act(
        caller,
        "registerPointCurrency",
        "RegisterPointCurrencyInput",
        "... on PointCurrency { id code scale unitValue { amount currency } expiry { kind months } "
        "transferable cashable rateConsent adapter issuer { code } circulation { amount currency } }",
        **{"code": code, "name": code, "issuer": issuer, "unitValue": {"amount": "0.050", "currency": "CNY"}, **more},
    )


CUSTOMER = """query C($institution: String!, $reference: String!) {
  customer(institution: $institution, reference: $reference) {
    id reference institution { code } balances { currency { code } total available held lots { amount } } } }"""
CONVERSION = """... on Conversion { id status source { amount currency } target { amount currency } bonus { amount }
  fee { amount currency } settlement { amount currency } replayed sequence createdAt completedAt refusal { reason }
  rate { version } window { number status } }"""
