"""What the client asks: four GraphQL mutations, their rows, and what counts as a right answer.

The rows are the baseline's: five points between two of 10,000 customers drawn uniformly, under a random 128-bit key.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import msgspec

from bench.client import Load

CUSTOMERS = 10_000
AMOUNT = "5"
SINGLE_CONNECTIONS = 64
BATCH_CONNECTIONS = 4
BATCH_ROWS = 500
SINGLE_SHARE, BATCH_SHARE = 0.35, 1.5

BANK, AIRLINE = "BENCH-BANK", "BENCH-AIRLINE"
POINTS, MILES = "BENCHPOINTS", "BENCHMILES"

TRANSFERRED = "{ __typename ... on Transfer { id replayed } ... on Refused { reason message } }"
CONVERTED = "{ __typename ... on Conversion { id replayed status } ... on Refused { reason message } }"


def _document(field: str, kind: str, selection: str) -> str:
    return f"mutation Bench($input: {kind}) {{ {field}(input: $input) {selection} }}"


class Customer(msgspec.Struct, frozen=True):
    """A CustomerInput."""

    institution: str
    reference: str


class Transfer(msgspec.Struct, rename="camel"):
    """A TransferPointsInput."""

    idempotency_key: str
    currency: str
    from_: Customer = msgspec.field(name="from")
    to: Customer
    amount: str


class Conversion(msgspec.Struct, rename="camel"):
    """A ConvertInput."""

    idempotency_key: str
    source: Customer
    target: Customer
    source_currency: str
    target_currency: str
    source_amount: str


class Row(msgspec.Struct):
    """One row's result, whichever member of the union it is."""

    typename: str = msgspec.field(name="__typename")
    id: str = ""
    replayed: bool = False
    status: str = ""
    reason: str = ""
    message: str = ""


class Answer(msgspec.Struct):
    """A GraphQL response with one field: a row, or a list of them."""

    data: dict[str, Row | list[Row] | None] | None = None
    errors: list[dict[str, msgspec.Raw]] | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A load with the share of the baseline's rate that it is to reach."""

    load: Load
    share_to_reach: float


ANSWER = msgspec.json.Decoder(Answer)


def faults(body: bytes, field: str, typename: str, rows: int, status: str = "") -> Counter[str]:
    """Why rows of an answer are not right, one count per row; an answer that is wrong as a whole counts all its rows.

    Right is: no errors, ``rows`` results, each a ``typename`` with an id of its own, in ``status`` and not replayed.
    """
    try:
        answer = ANSWER.decode(body)
    except msgspec.DecodeError as error:
        return Counter({f"unreadable answer: {error}": rows})
    if answer.errors:
        message = bytes(answer.errors[0].get("message", msgspec.Raw(b"?"))).decode(errors="replace")
        return Counter({f"errors: {message[:120]}": rows})
    result = (answer.data or {}).get(field)
    results = result if isinstance(result, list) else [result] if result is not None else []
    if len(results) != rows:
        return Counter({f"{len(results)} results for {rows} rows": rows})
    if len({row.id for row in results}) != rows and all(row.id for row in results):
        return Counter({"the same id for several rows": rows})
    found = Counter[str]()
    for row in results:
        if row.typename == "Refused":
            found[f"refused: {row.reason}"] += 1
        elif row.typename != typename:
            found[f"a {row.typename} instead of a {typename}"] += 1
        elif not row.id:
            found["no id"] += 1
        elif row.replayed:
            found["replayed"] += 1
        elif row.status != status:
            found[f"status {row.status}"] += 1
    return found


def customers(institution: str) -> list[Customer]:
    """The customers of one institution, in the order of their references."""
    return [Customer(institution, f"c{number}") for number in range(1, CUSTOMERS + 1)]


def _transfers(draw: random.Random) -> Iterator[Transfer]:
    everyone = customers(BANK)
    while True:
        debit, step = int(draw.random() * CUSTOMERS), 1 + int(draw.random() * (CUSTOMERS - 1))
        credit = (debit + step) % CUSTOMERS  # anyone but the payer, uniformly
        yield Transfer(f"{draw.getrandbits(128):032x}", POINTS, everyone[debit], everyone[credit], AMOUNT)


def _conversions(draw: random.Random) -> Iterator[Conversion]:
    sources, targets = customers(BANK), customers(AIRLINE)
    while True:
        source, target = sources[int(draw.random() * CUSTOMERS)], targets[int(draw.random() * CUSTOMERS)]
        yield Conversion(f"{draw.getrandbits(128):032x}", source, target, POINTS, MILES, AMOUNT)


def _bodies(document: str, inputs: Iterator[Transfer] | Iterator[Conversion], rows: int | None) -> Callable[[], bytes]:
    """The maker of request bodies: ``rows`` inputs as a list, or one by itself."""
    start = b'{"query":' + msgspec.json.encode(document) + b',"variables":{"input":'
    encode = msgspec.json.Encoder().encode
    if rows is None:
        return lambda: start + encode(next(inputs)) + b"}}"
    return lambda: start + encode([next(inputs) for _ in range(rows)]) + b"}}"


def workloads(key: str, draw: random.Random) -> dict[str, Workload]:
    """The four workloads by name, asked with the trader's ``key``."""
    headers = {"content-type": "application/json", "accept": "application/json", "authorization": f"Bearer {key}"}
    transfers, conversions = _transfers(draw), _conversions(draw)

    def transfer(name: str, field: str, kind: str, rows: int | None) -> Load:
        body = _bodies(_document(field, kind, TRANSFERRED), transfers, rows)
        check = partial(faults, field=field, typename="Transfer", rows=rows or 1)
        return Load(name, _connections(rows), rows or 1, headers, body, check)

    def conversion(name: str, field: str, kind: str, rows: int | None) -> Load:
        body = _bodies(_document(field, kind, CONVERTED), conversions, rows)
        check = partial(faults, field=field, typename="Conversion", rows=rows or 1, status="COMPLETED")
        return Load(name, _connections(rows), rows or 1, headers, body, check)

    single, batch = "TransferPointsInput!", "[TransferPointsInput!]!"
    convert, converts = "ConvertInput!", "[ConvertInput!]!"
    return {
        "single": Workload(transfer("single", "transferPoints", single, None), SINGLE_SHARE),
        "batch": Workload(transfer("batch", "transferPointsBatch", batch, BATCH_ROWS), BATCH_SHARE),
        "convert": Workload(conversion("convert", "convert", convert, None), SINGLE_SHARE),
        "convert-batch": Workload(conversion("convert-batch", "convertBatch", converts, BATCH_ROWS), BATCH_SHARE),
    }


def _connections(rows: int | None) -> int:
    return SINGLE_CONNECTIONS if rows is None else BATCH_CONNECTIONS
