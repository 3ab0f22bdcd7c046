"""Interim statements: what an open window comes to so far, signed, and plainly no report.

One is for the institution itself, those above it and the operator; for anybody else it does not exist.
"""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlencode

import strawberry

from hub import ids, lookups
from hub.institutions import Institution as Home
from schema.context import Info
from schema.directory import Institution, to_institution
from schema.fields import field
from schema.inputs import Id
from schema.reports import Counterparty, Rendering
from schema.windows import EveryLevel, Net, SettlementWindow, settling, to_net, to_window
from settlement.interim import InterimStatement as Made
from settlement.interim import ask, views
from settlement.renderings.formats import BILATERAL, FILES, FORMATS, has_interim


@strawberry.type(
    description="What an institution owes and is owed in an open window so far, signed by the hub. Nothing of it is "
    "final: it is in no chain of reports, its signature says so, and `points-hub verify --interim` verifies it."
)
class InterimStatement:
    record: strawberry.Private[Made]
    home: strawberry.Private[Home]
    window: SettlementWindow = strawberry.field(description="The window.")
    institution: Institution = strawberry.field(
        description="Whose statement it is; the operator's is of all institutions."
    )
    as_of: datetime = strawberry.field(description="When the batch was made up to which it counts.")
    batch: str = strawberry.field(description="The journal's batch up to which it counts; the payload has its hash.")
    payload: str = strawberry.field(description="What is signed: the statement as canonical JSON (RFC 8785).")
    digest: str = strawberry.field(description="SHA-256 of the payload, hexadecimal.")
    lines_url: str = strawberry.field(
        description="Where its lines are, up to the same batch, also later: NDJSON, one line per money leg."
    )
    jws: str = strawberry.field(description="The signature with the payload, in compact serialization (RFC 7515).")

    @field("The same as files for people and other programs, each marked, in the language of Accept-Language.")
    async def renderings(self, info: Info, counterparty: Counterparty = None) -> list[Rendering]:
        place = self.lines_url.removesuffix("lines.ndjson")
        other = "" if counterparty is None else f"&{urlencode({'with': counterparty})}"
        return [
            Rendering(name=name, media_type=FORMATS[file.format].media, url=f"{place}{name}?language={language}{other}")
            for language in (info.context.incoming.language,)
            for name, file in FILES.items()
            if has_interim(file.format) and (counterparty is None or name in BILATERAL)
        ]

    @field("The nets as they stand; the operator's: of all that would settle with the hub.")
    async def nets(self, info: Info, every_level: EveryLevel = False) -> list[Net]:
        found = views(self.record.asked, self.record.nets, self.record.pairs)
        if self.home.parent is not None:
            return [to_net(one) for one in found]
        return [to_net(one) for one in settling(info.context, found, every_level)]

    @field("The nets of its institution's children that it would take over; of the operator's none.")
    def children(self) -> list[Net]:
        return [to_net(one) for one in views(self.record.asked, self.record.children)]


@strawberry.type
class InterimQuery:
    @field(
        "A statement of an open window as it stands; null if the window is not open, or the institution has no part "
        "in it so far."
    )
    async def interim_statement(
        self,
        info: Info,
        window_id: Id,
        institution: Annotated[str, strawberry.argument(description="The institution's code.")],
    ) -> InterimStatement | None:
        context, number = info.context, ids.number(window_id, ids.WINDOW)
        async with context.read() as reader:
            home = reader.configuration.institution(institution)
            if number is None or home is None or not reader.sees(home.id):
                return None
            window = (await lookups.windows(reader, {number})).get(number)
            asked = None if window is None else await ask(reader, window, home.id)
        made = None if asked is None else await context.interims.make(asked)
        if made is None:
            return None
        return InterimStatement(
            record=made,
            home=home,
            window=to_window(made.asked.window),
            institution=to_institution(home),
            as_of=made.asked.at,
            batch=str(made.asked.head.batch),
            payload=made.payload.decode(),
            digest=made.digest,
            lines_url=_lines_url(context.settings.public_url, made, home.code),
            jws=await context.interims.sign(made),
        )


def _lines_url(public_url: str, made: Made, institution: str) -> str:
    """Where the application serves the lines of an institution's statement."""
    window = ids.text(ids.WINDOW, made.asked.window.id)
    return f"{public_url.rstrip('/')}/settlement/{window}/{institution}/interim/{made.asked.head.batch}/lines.ndjson"
