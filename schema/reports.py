"""Settlement reports: what an institution's window came to, signed, with the lines behind it.

A report is for the institution itself, those above it and the operator; for anybody else it does not exist.
"""

import re
from typing import Annotated
from urllib.parse import urlencode

import strawberry

from hub import ids, lookups
from hub.acceptance import reading
from hub.institutions import Institution as Home
from hub.ledger import records
from schema.acceptances import ReportState, to_state
from schema.context import Context, Info
from schema.directory import Institution, to_institution
from schema.fields import field
from schema.inputs import Id
from schema.node import Node
from schema.ports import StoredReport
from schema.windows import EveryLevel, Net, SettlementWindow, settling, to_net, to_window
from settlement.renderings.formats import BILATERAL, FILES, FORMATS

Counterparty = Annotated[
    str | None,
    strawberry.argument(
        description="Another institution's code: bilateral statements of what the two owe each other by their acts."
    ),
]
_SHAPE = re.compile(rf"{ids.REPORT}_([0-9a-f]{{1,16}})\.([0-9a-f]{{1,16}})")


@strawberry.type(
    description="A settlement report, or its lines, as a file. It is made of what was signed and of nothing else, so "
    "`points-hub render` makes the same bytes without the hub."
)
class Rendering:
    name: str = strawberry.field(
        description="report.pdf, report.xlsx, report.csv (the nets), report.xml (camt.053), lines.csv or lines.parquet."
    )
    media_type: str = strawberry.field(description="Its media type.")
    url: str = strawberry.field(description="Where it is, with the same key; `language` is en or zh.")


@strawberry.type(description="What an institution owes and is owed in a closed window, signed by the hub.")
class SettlementReport(Node):
    window: SettlementWindow = strawberry.field(description="The window.")
    institution: Institution = strawberry.field(
        description="Whose report it is; the operator's is of all institutions."
    )
    payload: str = strawberry.field(description="What is signed: the report as canonical JSON (RFC 8785).")
    jws: str = strawberry.field(description="The signature with the payload, in compact serialization (RFC 7515).")
    digest: str = strawberry.field(description="SHA-256 of the payload, hexadecimal.")
    previous_digest: str | None = strawberry.field(
        description="The digest of the institution's report before this one."
    )
    lines_url: str = strawberry.field(description="Where its lines are: NDJSON, one line per money leg.")

    @field("Where one of its lines is, with the proof that the report holds it (RFC 9162); lines are numbered from 1.")
    async def line_url(self, number: Annotated[int, strawberry.argument(description="Which line, from 1.")]) -> str:
        return f"{self.lines_url.removesuffix('.ndjson')}/{number}.json"

    @field("The same as files for people and other programs, in the language of Accept-Language.")
    async def renderings(self, info: Info, counterparty: Counterparty = None) -> list[Rendering]:
        place = self.lines_url.removesuffix("lines.ndjson")
        other = "" if counterparty is None else f"&{urlencode({'with': counterparty})}"
        return [
            Rendering(name=name, media_type=FORMATS[file.format].media, url=f"{place}{name}?language={language}{other}")
            for language in (info.context.incoming.language,)
            for name, file in FILES.items()
            if counterparty is None or name in BILATERAL
        ]

    @field("The nets that it reports; the operator's: of all that settle with the hub.")
    async def nets(self, info: Info, every_level: EveryLevel = False) -> list[Net]:
        home = self.institution.record
        found = await info.context.loaders.nets.load(self.window.record.id)
        if home.parent is not None:
            return [to_net(one) for one in found if one.net.institution == home.id]
        return [to_net(one) for one in settling(info.context, found, every_level)]

    @field("The nets of its institution's children that it takes over; of the operator's none.")
    async def children(self, info: Info) -> list[Net]:
        home = self.institution.record
        found = await info.context.loaders.nets.load(self.window.record.id)
        return [to_net(one) for one in found if one.parent == home.id]

    @field("How it stands with its institution; of the operator's null.")
    async def acceptance(self, info: Info) -> ReportState | None:
        async with info.context.read() as reader:
            found = await reading.stands(reader, self.window.record, self.institution.record.id)
            return None if found is None else to_state(reader.configuration, found)


@strawberry.type
class ReportQuery:
    @field("An institution's report of a closed window; null if it has no part in it.")
    async def settlement_report(
        self,
        info: Info,
        window_id: Id,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
    ) -> SettlementReport | None:
        context = info.context
        async with context.read() as reader:
            home = reader.configuration.institution(institution)
        return await report_of(context, ids.number(window_id, ids.WINDOW), None if home is None else home.id)


async def report_of(context: Context, window: int | None, institution: int | None) -> SettlementReport | None:
    """An institution's report of a window, as far as the caller may see it."""
    async with context.read() as reader:
        home = reader.configuration.institutions.get(institution or 0)
        if window is None or home is None or not reader.sees(home.id):
            return None
        of = (await lookups.windows(reader, {window})).get(window)
        found = None if of is None else await context.reports.report(reader, of.id, home.id)
    if of is None or found is None:
        return None
    return to_report(found, of, home, context.settings.public_url)


def parse_report_id(value: str) -> tuple[int, int] | None:
    """Window and institution of a report's identifier; None when it is none of ours."""
    match = _SHAPE.fullmatch(value)
    if match is None:
        return None
    window, institution = int(match[1], 16), int(match[2], 16)
    return (window, institution) if max(window, institution) < 1 << 63 else None


def lines_url(public_url: str, window: int, institution: str) -> str:
    """Where the application serves the lines of an institution's report."""
    return f"{public_url.rstrip('/')}/settlement/{ids.text(ids.WINDOW, window)}/{institution}/lines.ndjson"


def to_report(stored: StoredReport, window: records.Window, home: Home, public_url: str) -> SettlementReport:
    return SettlementReport(
        id=strawberry.ID(f"{ids.text(ids.REPORT, stored.window)}.{stored.institution:x}"),
        window=to_window(window),
        institution=to_institution(home),
        payload=stored.payload.decode(),
        jws=stored.jws,
        digest=stored.digest,
        previous_digest=stored.previous_digest,
        lines_url=lines_url(public_url, window.id, home.code),
    )
