"""The API: every noun's queries, mutations and subscriptions as one schema.

Invariant: no schema extension, because ``schema.operations`` runs none.
"""

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.acceptances import AcceptanceMutation, AcceptanceQuery
from schema.act_limits import LimitMutation, LimitQuery
from schema.adapters import AdapterQuery
from schema.agreements import TermsMutation, TermsQuery
from schema.analysis import AnalysisQuery
from schema.baskets import BasketMutation
from schema.bilateral_figures import BilateralQuery
from schema.bindings import BindingMutation, BindingQuery
from schema.books import BooksMutation, BooksQuery
from schema.cancellations import CancellationMutation
from schema.caps import CapMutation, CapQuery
from schema.certificates import CertificateMutation
from schema.clearings import ClearingMutation, ClearingQuery
from schema.conversions import ConversionMutation, ConversionQuery
from schema.cover import CoverMutation, CoverQuery
from schema.credentials import CredentialMutation, CredentialQuery
from schema.currencies import CurrencyMutation, CurrencyQuery
from schema.customers import CustomerMutation, CustomerQuery
from schema.cuts import CutQuery
from schema.debts import DebtMutation
from schema.defaults import DefaultMutation, DefaultQuery
from schema.disputes import DisputeMutation, DisputeQuery
from schema.exchanges import ExchangeMutation, ExchangeQuery
from schema.fee_schedules import FeeScheduleMutation, FeeScheduleQuery
from schema.freezes import FreezeMutation, FreezeQuery
from schema.fx import FxMutation, FxQuery
from schema.holds import HoldMutation, HoldQuery
from schema.hubs import HubQuery
from schema.institutions import InstitutionMutation, InstitutionQuery
from schema.interim import InterimQuery
from schema.invoices import InvoiceMutation, InvoiceQuery
from schema.issues import IssueMutation, IssueQuery
from schema.links import LinkMutation, LinkQuery
from schema.losses import LossQuery
from schema.members import MemberQuery
from schema.models import ModelMutation, ModelQuery
from schema.movements import MovementQuery
from schema.nodes import NodeQuery
from schema.notices import NoticeQuery
from schema.pools import PoolMutation, PoolQuery
from schema.prepaid import PrepaidMutation, PrepaidQuery
from schema.proposals import RateMutation, RateQuery
from schema.quotes import QuoteMutation, QuoteQuery
from schema.reconciliations import ReconciliationMutation, ReconciliationQuery
from schema.redemptions import RedemptionMutation
from schema.relocations import RelocationMutation, RelocationQuery
from schema.reports import ReportQuery
from schema.restrictions import RestrictionMutation, RestrictionQuery
from schema.reversals import ReversalMutation
from schema.rows import Executor
from schema.scalars import SCALARS
from schema.segregated import SegregatedQuery
from schema.shares import ShareMutation, ShareQuery
from schema.shortcuts import shorten
from schema.statements import StatementQuery
from schema.subscriptions import Subscription as Updates
from schema.supplements import SupplementQuery
from schema.transfers import TransferMutation
from schema.webhooks import WebhookMutation, WebhookQuery
from schema.windows import WindowMutation, WindowQuery


@strawberry.type(description="What can be asked. All but `hub` needs a key.")
class Query(
    HubQuery,
    CredentialQuery,
    NodeQuery,
    InstitutionQuery,
    CutQuery,
    CapQuery,
    CurrencyQuery,
    AdapterQuery,
    MemberQuery,
    RateQuery,
    LossQuery,
    TermsQuery,
    LimitQuery,
    QuoteQuery,
    CustomerQuery,
    BindingQuery,
    LinkQuery,
    ConversionQuery,
    ExchangeQuery,
    ReconciliationQuery,
    MovementQuery,
    HoldQuery,
    PoolQuery,
    StatementQuery,
    NoticeQuery,
    ClearingQuery,
    RelocationQuery,
    FreezeQuery,
    RestrictionQuery,
    IssueQuery,
    WindowQuery,
    ModelQuery,
    FxQuery,
    ReportQuery,
    InterimQuery,
    SupplementQuery,
    BilateralQuery,
    AnalysisQuery,
    BooksQuery,
    AcceptanceQuery,
    DisputeQuery,
    CoverQuery,
    DefaultQuery,
    WebhookQuery,
    ShareQuery,
    FeeScheduleQuery,
    InvoiceQuery,
    PrepaidQuery,
    SegregatedQuery,
):
    pass


@strawberry.type(
    description="What can be done. A refusal is data, in each result's union; errors are malformed requests, missing "
    "rights and faults."
)
class Mutation(
    InstitutionMutation,
    CapMutation,
    CredentialMutation,
    CurrencyMutation,
    RateMutation,
    TermsMutation,
    LimitMutation,
    CustomerMutation,
    BindingMutation,
    LinkMutation,
    IssueMutation,
    TransferMutation,
    HoldMutation,
    ClearingMutation,
    RelocationMutation,
    FreezeMutation,
    RestrictionMutation,
    DebtMutation,
    PoolMutation,
    QuoteMutation,
    ConversionMutation,
    ExchangeMutation,
    ReconciliationMutation,
    CertificateMutation,
    RedemptionMutation,
    BasketMutation,
    ReversalMutation,
    CancellationMutation,
    WindowMutation,
    BooksMutation,
    CoverMutation,
    DefaultMutation,
    ModelMutation,
    FxMutation,
    AcceptanceMutation,
    DisputeMutation,
    WebhookMutation,
    ShareMutation,
    FeeScheduleMutation,
    InvoiceMutation,
    PrepaidMutation,
):
    pass


@strawberry.type(description="What goes on answering.")
class Subscription(Updates):
    pass


api = strawberry.Schema(
    Query, Mutation, Subscription, execution_context_class=Executor, config=StrawberryConfig(scalar_map=SCALARS)
)
shorten(api)


def sdl() -> str:
    """The API in GraphQL's schema definition language."""
    return f"{api.as_str()}\n"
