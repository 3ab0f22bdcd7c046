"""Webhooks: where an institution is told what happened, and how that went."""

from datetime import datetime
from typing import Annotated

import strawberry

from hub import ids
from hub.access import Right, require
from hub.configuration import Configuration
from hub.errors import InvalidInput, NotFound
from hub.ledger import commands
from hub.reading import Reader
from hub.webhooks import deliveries, endpoints
from hub.webhooks.deliveries import DeliveryStatus
from hub.webhooks.endpoints import ALL, EventType, WebhookStatus, new_secret
from schema.connection import Connection, connect, page
from schema.context import Context, Info
from schema.directory import Institution, institution_of
from schema.enums import publish
from schema.fields import field, mutation
from schema.inputs import After, First
from schema.node import Node
from schema.refusals import Refused, refusal_of, refused, result_of

publish(
    WebhookStatus,
    "WebhookStatus",
    "Whether an institution is told.",
    ACTIVE="It is.",
    GONE="Its endpoint has answered 410 Gone, so nothing is sent until it is set again; what happens meanwhile waits.",
    DISABLED="It is not, and of what happens meanwhile it never will be.",
)
publish(
    DeliveryStatus,
    "WebhookDeliveryStatus",
    "Where an event is on its way.",
    PENDING="It was not taken in yet: it is sent when it is due, after those before it.",
    DELIVERED="The endpoint has answered with success.",
    DEAD="All attempts have failed; it is sent again only by replayWebhook.",
)

_TYPES = ", ".join(type.value for type in EventType)
OF = Annotated[str, strawberry.argument(description="The code of the institution whose endpoint it is.")]


@strawberry.type(description="Where an institution is told what happened, after the Standard Webhooks specification.")
class Webhook(Node):
    record: strawberry.Private[endpoints.Webhook]
    url: str = strawberry.field(description="Where events are sent.")
    types: list[str] = strawberry.field(description="Of what it is told; `*`: of everything.")
    status: WebhookStatus = strawberry.field(description="Whether it is told.")
    created_at: datetime = strawberry.field(description="When it was set first.")
    previous_secret_until: datetime | None = strawberry.field(
        description="Until when the secret before the last rotation signs as well."
    )

    @field("Whose it is.")
    def institution(self, info: Info) -> Institution:
        return institution_of(info.context.configuration, self.record.institution)


@strawberry.type(description="An endpoint, with its secret where there is a new one.")
class NewWebhook:
    webhook: Webhook = strawberry.field(description="The endpoint.")
    secret: str | None = strawberry.field(
        description="What signs, in the form `whsec_…`. It is shown this once; null: the secret is the one before."
    )


@strawberry.type(description="An event on its way to an endpoint.")
class WebhookDelivery(Node):
    type: str = strawberry.field(description="What happened.")
    payload: str = strawberry.field(description="The body that is sent, as text.")
    happened_at: datetime = strawberry.field(description="When it happened.")
    status: DeliveryStatus = strawberry.field(description="Where it is.")
    attempts: int = strawberry.field(description="How often it was sent, since it was last replayed.")
    attempted_at: datetime | None = strawberry.field(description="When it was sent last.")
    next_attempt_at: datetime | None = strawberry.field(description="When it is due, while it waits.")
    http_status: int | None = strawberry.field(description="What the endpoint answered last; null: it did not.")
    error: str | None = strawberry.field(description="Why the last attempt failed, if it did.")


@strawberry.type(description="Events that are sent again.")
class WebhookReplay:
    events: int = strawberry.field(description="How many.")


NewWebhookResult = Annotated[
    NewWebhook | Refused, strawberry.union("NewWebhookResult", description="The endpoint, or why there is none.")
]
WebhookResult = Annotated[
    Webhook | Refused, strawberry.union("WebhookResult", description="The endpoint, or why there is none.")
]
WebhookReplayResult = Annotated[
    WebhookReplay | Refused,
    strawberry.union("WebhookReplayResult", description="What is sent again, or why nothing is."),
]


@strawberry.input(description="An endpoint, or another URL or other types for one.")
class SetWebhookInput:
    institution: str = strawberry.field(description="The code of the institution that is told.")
    url: str = strawberry.field(description="Where: https, at an address that is public.")
    types: list[str] = strawberry.field(
        default_factory=lambda: [ALL], description=f"Of what: {_TYPES}; or `*`, of everything, also of what may come."
    )


@strawberry.input(description="Events to send again: one, or all that happened since an instant.")
class ReplayWebhookInput:
    institution: str = strawberry.field(description="The code of the institution whose endpoint it is.")
    id: strawberry.ID | None = strawberry.field(default=None, description="One event's identifier, its `webhook-id`.")
    since: datetime | None = strawberry.field(default=None, description="All that happened from then on.")


@strawberry.type
class WebhookQuery:
    @field("An institution's endpoint, for those who see the institution from within; null: there is none for them.")
    async def webhook(self, info: Info, institution: OF) -> Webhook | None:
        async with info.context.read() as reader:
            found = _seen(reader, institution)
        return None if found is None else to_webhook(found)

    @field("What an institution's endpoint was and is sent, the newest first, for those who see it from within.")
    async def webhook_deliveries(
        self,
        info: Info,
        institution: OF,
        status: Annotated[DeliveryStatus | None, strawberry.argument(description="Only these.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[WebhookDelivery]:
        wanted = page(first, after, "webhook_deliveries", tuple[int])
        found: list[deliveries.Delivery] = []
        async with info.context.read() as reader:
            of = _seen(reader, institution)
            if of is not None:
                before = None if wanted.after is None else wanted.after[0]
                found = await deliveries.page(reader.connection, of.id, status, before, wanted.rows)
        return connect(found, wanted, to_delivery, lambda one: (one.id,))


@strawberry.type
class WebhookMutation:
    @mutation(
        "Have an institution told what happens, from now on, or change where and of what. By an administrator of the "
        "institution or of one above it, or by the operator."
    )
    async def set_webhook(
        self, info: Info, input: Annotated[SetWebhookInput, strawberry.argument(description="The endpoint.")]
    ) -> NewWebhookResult:
        context, secret = info.context, new_secret()
        command = commands.SetWebhook(
            actor=context.actor,
            institution=input.institution,
            url=input.url,
            types=tuple(input.types),
            secret=context.sealer.seal(secret),
            plain=context.settings.development,
        )
        return await _configure(context, command, secret)

    @mutation(
        "Give an endpoint another secret. The one before signs as well for 24 hours: receivers take the new one in by "
        "then. As setWebhook."
    )
    async def rotate_webhook_secret(self, info: Info, institution: OF) -> NewWebhookResult:
        context, secret = info.context, new_secret()
        command = commands.RotateWebhookSecret(
            actor=context.actor, institution=institution, secret=context.sealer.seal(secret)
        )
        return await _configure(context, command, secret)

    @mutation("Have an institution told nothing any more, until its endpoint is set again. As setWebhook.")
    async def disable_webhook(self, info: Info, institution: OF) -> WebhookResult:
        command = commands.DisableWebhook(actor=info.context.actor, institution=institution)
        outcome = await info.context.submit(command)
        if (no := refusal_of(outcome, info.context.incoming.language)) is not None:
            return no
        return to_webhook(result_of(outcome, endpoints.Webhook))

    @mutation(
        "Send events again, delivered or not, under the identifiers that they had; what was delivered is kept for 30 "
        "days. As setWebhook."
    )
    async def replay_webhook(
        self, info: Info, input: Annotated[ReplayWebhookInput, strawberry.argument(description="Which events.")]
    ) -> WebhookReplayResult:
        context = info.context
        try:
            webhook, id = await _replayed(context, input)
        except (InvalidInput, NotFound) as refusal:
            return refused(refusal, context.incoming.language)
        return WebhookReplay(events=await context.deliveries.replay(webhook.id, id, input.since))


async def _configure(
    context: Context, command: commands.SetWebhook | commands.RotateWebhookSecret, secret: str
) -> NewWebhook | Refused:
    outcome = await context.submit(command)
    if (no := refusal_of(outcome, context.incoming.language)) is not None:
        return no
    made = result_of(outcome, endpoints.Webhook)
    return NewWebhook(webhook=to_webhook(made), secret=secret if made.secret == command.secret else None)


async def _replayed(context: Context, input: ReplayWebhookInput) -> tuple[endpoints.Webhook, int | None]:
    """The endpoint, and the event if it is one.

    Raises:
        InvalidInput: neither or both ways of naming events are used.
        NotFound: there is no such institution, endpoint or event.
        Forbidden: the caller may not configure the institution.
    """
    async with context.read() as reader:
        configuration, home = reader.configuration, reader.configuration.institution(input.institution)
        if home is None:
            raise NotFound(institution=input.institution)
        require(reader.viewer, Right.CONFIGURE, configuration.institutions, home.id, reader.at)
        if (input.id is None) == (input.since is None):
            raise InvalidInput(id="this, or since")
        found = configuration.webhooks.get(home.id)
        if found is None:
            raise NotFound(institution=home.code)
        if input.id is None:
            return found, None
        id = ids.number(input.id, ids.EVENT)
        event = None if id is None else await deliveries.delivery(reader, id)
        if event is None or event.webhook != found.id:
            raise NotFound(id=input.id)
        return found, id


def _seen(reader: Reader, code: str) -> endpoints.Webhook | None:
    """An institution's endpoint, if the viewer sees the institution from within."""
    home = reader.configuration.institution(code)
    return None if home is None or not reader.sees(home.id) else reader.configuration.webhooks.get(home.id)


def of_id(configuration: Configuration, id: int) -> endpoints.Webhook | None:
    """The endpoint with this identifier."""
    return next((one for one in configuration.webhooks.values() if one.id == id), None)


async def webhook_by_id(context: Context, id: int) -> Webhook | None:
    """An endpoint, as far as it exists for the caller."""
    async with context.read() as reader:
        found = of_id(reader.configuration, id)
        return None if found is None or not reader.sees(found.institution) else to_webhook(found)


async def delivery_by_id(context: Context, id: int) -> WebhookDelivery | None:
    """An event, as far as it exists for the caller."""
    async with context.read() as reader:
        found = await deliveries.delivery(reader, id)
        of = None if found is None else of_id(reader.configuration, found.webhook)
        return None if found is None or of is None or not reader.sees(of.institution) else to_delivery(found)


def to_webhook(made: endpoints.Webhook) -> Webhook:
    return Webhook(
        record=made,
        id=strawberry.ID(ids.text(ids.WEBHOOK, made.id)),
        url=made.url,
        types=list(made.types),
        status=made.status,
        created_at=made.created_at,
        previous_secret_until=made.previous_until,
    )


def to_delivery(found: deliveries.Delivery) -> WebhookDelivery:
    return WebhookDelivery(
        id=strawberry.ID(ids.text(ids.EVENT, found.id)),
        type=found.type,
        payload=found.payload,
        happened_at=found.happened_at,
        status=found.status,
        attempts=found.attempts,
        attempted_at=found.attempted_at,
        next_attempt_at=found.due_at if found.status is DeliveryStatus.PENDING else None,
        http_status=found.http_status,
        error=found.error,
    )
