"""Issues: points that their issuer gives to customers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import strawberry

from hub import grant_terms, ids, issues
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger import commands, records
from hub.ledger.decide import Outcome
from hub.points import normalise
from schema.act_limits import Limit, is_visible, to_limit
from schema.acts import Act
from schema.amounts import Money, Points, to_money, to_points
from schema.batches import submit_rows
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.customers import Customer, to_customer
from schema.directory import Institution, institution_of
from schema.fields import field, mutation
from schema.inputs import CHANNEL, KEY, PRODUCT, After, CustomerInput, First, party
from schema.refusals import Refused, refusal_of, result_of
from schema.scalars import Decimal
from schema.terms import GrantTerms, seen, to_grant


@strawberry.type(description="Points that were issued to a customer.")
class Issue(Act):
    currency: strawberry.Private[PointCurrency]

    @field("What was issued.")
    def points(self) -> Points:
        return to_points(self.record.amount, self.currency)

    @field("What was asked for: more than was issued, if a limit clipped it.")
    async def requested(self, info: Info) -> Points:
        clipping = await info.context.loaders.clippings.load(self.record.id)
        return to_points(self.record.amount if clipping is None else clipping.requested, self.currency)

    @field("What a limit clipped; null if all that was asked for was issued.")
    async def clipped(self, info: Info) -> Points | None:
        clipping = await info.context.loaders.clippings.load(self.record.id)
        return None if clipping is None else to_points(clipping.requested - self.record.amount, self.currency)

    @field("The limit that clipped it, if one did and it is the caller's affair.")
    async def clipped_by(self, info: Info) -> Limit | None:
        clipping = await info.context.loaders.clippings.load(self.record.id)
        if clipping is None:
            return None
        configuration = info.context.configuration
        versions = configuration.limits[configuration.limit_versions[clipping.version]]
        return (
            to_limit(configuration, versions) if is_visible(configuration, info.context.viewer, versions[0]) else None
        )

    @field("Who issued them: the issuer, or who grants them by terms with it.")
    def grantor(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.for_institution)

    @field("What the grantor pays the issuer for them; null where the issuer issued them itself.")
    def value(self) -> Money | None:
        money, value = self.record.money, self.record.value
        return None if money is None or value is None else to_money(value, money)

    @field("The grant terms that say so; null for who is no party to them.")
    def terms(self, info: Info) -> GrantTerms | None:
        found = seen(info, self.record.terms)
        return to_grant(found) if isinstance(found, grant_terms.GrantTerms) else None

    @field("Who received them.")
    def customer(self) -> Customer:
        return to_customer(known(self.record.target))

    @field("What they were issued for; null for whoever does not see the issuer from within.", name="record")
    async def made_for(self, info: Info) -> str | None:
        return await info.context.loaders.records.load((self.record.id, self.currency.issuer))


IssuePointsResult = Annotated[
    Issue | Refused, strawberry.union("IssuePointsResult", description="What was issued, or why nothing was.")
]


@strawberry.input(description="Points to issue to a customer.")
class IssuePointsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    currency: str = strawberry.field(description="The point currency's code.")
    to: CustomerInput = strawberry.field(description="Who receives them; enrolled if the institution has that so.")
    amount: Decimal = strawberry.field(description="How many.")
    earned_at: datetime | None = strawberry.field(
        default=None, description="When they were earned, not in the future. Default: now."
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="The first instant at which they are gone. Default: by the currency's policy."
    )
    memo: str | None = strawberry.field(default=None, description="A note for the customer's statement.")
    record: str | None = strawberry.field(
        default=None,
        description="What they are issued for, in your words, as an order's or a case's number; at most 200 "
        "characters. It finds the issue again, and with others of the same record it is cancelled by it.",
    )
    channel: str | None = strawberry.field(default=None, description=CHANNEL)
    product: str | None = strawberry.field(default=None, description=PRODUCT)
    grantor: str | None = strawberry.field(
        default=None,
        description="The code of the institution that issues them by grant terms and pays the issuer; without a "
        "record. Default: the issuer.",
    )


@strawberry.type
class IssueQuery:
    @field("What was issued for a record, the oldest first, for those who see the currency's issuer.")
    async def issues(
        self,
        info: Info,
        currency: Annotated[str, strawberry.argument(description="The point currency's code.")],
        record: Annotated[str, strawberry.argument(description="What the points were issued for.")],
        first: First = 50,
        after: After = None,
    ) -> Connection[Issue]:
        wanted = page(first, after, "issues", tuple[int])
        found: list[records.Movement] = []
        async with info.context.read() as reader:
            configuration = reader.configuration
            of = configuration.currency(currency)
            if of is not None and reader.sees(of.issuer):
                last = None if wanted.after is None else wanted.after[0]
                found = await issues.issues(reader, of.code, record, last, wanted.rows)
        return connect(found, wanted, lambda one: to_issue(configuration, one), lambda one: (one.id,))


@strawberry.type
class IssueMutation:
    @mutation(
        "Issue points, or the part of them that limits leave. By a trader of the currency's issuer or of the grantor "
        "that is named, or by the operator."
    )
    async def issue_points(
        self, info: Info, input: Annotated[IssuePointsInput, strawberry.argument(description="The points.")]
    ) -> IssuePointsResult:
        outcome = await info.context.submit(issue_command(info.context.actor, input))
        return to_issue_result(info.context, outcome)

    @mutation("Issue points to many: at most 10,000 rows, each standing alone, one result per row in order.")
    async def issue_points_batch(
        self, info: Info, input: Annotated[list[IssuePointsInput], strawberry.argument(description="The rows.")]
    ) -> list[IssuePointsResult]:
        context = info.context
        actor = context.actor
        rows = [issue_command(actor, row) for row in input]
        return [to_issue_result(context, outcome) for outcome in await submit_rows(context, rows, issuers, exact=True)]


def issue_command(actor: int, input: IssuePointsInput) -> commands.Issue:
    return commands.Issue(
        actor=actor,
        key=input.idempotency_key,
        currency=input.currency,
        to=party(input.to),
        amount=normalise(input.amount),
        earned_at=input.earned_at,
        expires_at=input.expires_at,
        memo=input.memo,
        record=input.record,
        channel=input.channel,
        product=input.product,
        grantor=input.grantor,
    )


def issuers(configuration: Configuration, rows: Iterable[commands.Issue]) -> set[int]:
    """For whom rows trade: a currency's issuer, or who grants."""
    named = {(row.currency, row.grantor) for row in rows}
    grantors = (configuration.institution(grantor) for _, grantor in named if grantor is not None)
    found = (configuration.currency(code) for code, grantor in named if grantor is None)
    return {of.issuer for of in found if of is not None} | {one.id for one in grantors if one is not None}


def known(customer: records.Customer | None) -> records.Customer:
    """A customer that every act of its kind has.

    Raises:
        LookupError: the act has none.
    """
    if customer is None:
        raise LookupError("the act has no such customer")
    return customer


def to_issue_result(context: Context, outcome: Outcome) -> Issue | Refused:
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    return to_issue(context.configuration, result_of(outcome, records.Movement), outcome.replayed)


def to_issue(configuration: Configuration, movement: records.Movement, replayed: bool = False) -> Issue:
    return Issue(
        record=movement,
        id=strawberry.ID(ids.text(ids.ISSUE, movement.id)),
        currency=configuration.currencies[configuration.currency_codes[movement.currency]],
        posted_at=movement.at,
        replayed=replayed,
        sequence=str(movement.id),
    )
