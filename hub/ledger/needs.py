"""Needs: what the commands of a batch touch, found beforehand, so that one statement loads it for all.

Nothing is read for it but the configuration and what the process remembers, so most of it is done before the journal's
lock is held, while another batch commits. It holds for that configuration only.
"""

from hub.configuration import Configuration
from hub.currencies import HOSTED
from hub.institutions import OPERATOR_CODE, ancestry
from hub.ledger import commands
from hub.ledger.memory import Memory, PartyKey
from hub.ledger.orders import exchange_of
from hub.ledger.records import Customer

# These post no money and configure nothing, so that no window concerns them.
_LINKING = frozenset({commands.ProposeLink, commands.AcceptLink, commands.EndLink})
_TIMELESS = frozenset(
    {
        commands.Issue,
        commands.Transfer,
        commands.EnrollCustomer,
        commands.SetCustomerProfile,
        commands.CreatePool,
        commands.JoinPool,
        commands.SetPoolRights,
        commands.LeavePool,
        commands.ContributeToPool,
        commands.HoldPoints,
        commands.ReleaseHold,
        commands.FreezePoints,
        commands.ResolveFreeze,
        commands.FreezeAccount,
        commands.UnfreezeAccount,
        commands.CloseCustomer,
        commands.WriteOffDebt,
        commands.CancelRecord,
        commands.Lapse,
        commands.BindIdentifier,
        commands.UnbindIdentifier,
        commands.ClearPoints,
        commands.CancelClearing,
        commands.Clear,
        commands.ProposeRelocation,
        commands.ApproveRelocation,
        commands.CancelRelocation,
        commands.FixBalances,
        commands.RecordBalances,
        commands.AcceptDifferences,
        commands.CompleteRelocation,
        commands.Relocate,
        commands.Reconcile,
        commands.AssignBreak,
        commands.NoteBreak,
        commands.OfferBlock,
        commands.DeclineBlock,
        commands.ProposeRefund,
        commands.DeclineRefund,
        commands.SetPrepaidNotice,
        commands.TakeBankFile,
    }
    | _LINKING
)


class Needs:
    """Keys of rows to load. Institutions are identifiers; a code that names nothing needs nothing, and is refused."""

    def __init__(self, configuration: Configuration, memory: Memory) -> None:
        self.configuration = configuration
        self.memory = memory
        self.keys: set[tuple[int, str]] = set()
        # Institution, reference and currency; with the customer and its account, if they are remembered.
        self.parties: dict[PartyKey, tuple[Customer, int] | None] = {}
        self.spenders: set[tuple[int, str]] = set()  # customers whose quotes and bonus uses count, by reference
        self.people: set[int] = set()  # the same, by identifier
        self.institutions: set[int] = set()  # whose own accounts and positions
        self.owners: set[int] = set()  # customers whose accounts of all currencies
        self.quotes: set[int] = set()
        self.quotes_of_rates: set[int] = set()
        self.originals: set[int] = set()
        self.exchanges: set[int] = set()
        self.reconciled: set[tuple[str, str]] = set()  # currencies and days
        self.breaks: set[int] = set()
        self.disputes: set[int] = set()
        self.disputed: set[tuple[int, int]] = set()  # lines, by movement and leg
        self.reported: set[tuple[int, int]] = set()  # reports, by window and institution
        self.cover_references: set[tuple[str, str]] = set()  # currencies and a bank's references
        self.cover_entries: set[int] = set()
        self.defaults: set[int] = set()
        self.default_currencies: set[str] = set()  # in which defaults matter
        self.holds: set[int] = set()
        self.accounts: set[int] = set()  # customers' accounts by identifier
        self.emptied: set[int] = set()  # of these, those of which everything may go
        self.clearings: set[int] = set()
        self.relocations: set[int] = set()
        self.waiting: set[int] = set()  # of these, those that need to know what is under way
        self.holders: dict[int, set[int]] = {}  # by relocation, customers whose balances are recorded
        self.relocating: dict[int, tuple[int, int]] = {}  # by relocation, after and up to which customer it moves
        self.takers: set[tuple[int, str]] = set()  # to whom holds may be captured, by reference
        self.spends: list[tuple[commands.Party, str, str]] = []  # who spends how much of which currency
        self.apart: list[tuple[commands.Party, str]] = []  # who may spend of one part of it
        self.quotes_apart: set[int] = set()
        self.members: set[tuple[int, str]] = set()  # who acts in pools, by reference
        self.givers: set[int] = set()  # who may get back what they put into a pool
        self.parting: set[tuple[int, str]] = set()  # pools that members leave, and these, by reference
        self.policies: set[str] = set()  # currencies whose policy the batch sets
        self.whole: set[tuple[int, str]] = set()  # customers with all their accounts and restrictions, by reference
        self.leaving: set[tuple[int, str]] = set()  # of them, those who leave
        self.records: set[tuple[str, str]] = set()  # currency and record, whose issues are reversed
        self.recorded: list[tuple[commands.Party, str, str, str]] = []  # what is issued for a record
        self.has_shortfall = False  # whether what is reversed may become a debt
        self.windows: set[int] = set()  # whose nets
        self.files: set[str] = set()  # of confirmations, by digest
        self.owners_named: set[tuple[int, str]] = set()  # customers that an identifier will name, by reference
        self.linked_named: set[tuple[int, str]] = set()  # customers whose links, by reference
        self.linked: set[int] = set()  # the same, by identifier
        self.links: set[int] = set()
        self.binding = False  # whether a command binds or unbinds
        self.linking = False  # whether one links
        self.windowed = False  # whether the open window matters
        self.money = False
        self.closing = False
        self.opening = False  # whether a window may be opened, for which whoever moved stands below others
        self.billing = False  # whether invoices are made
        self.invoices: set[int] = set()  # that are credited
        self.blocks: set[int] = set()  # prepaid ones, that something is done about
        self.stocks: set[tuple[int, str]] = set()  # holders and currencies whose prepaid blocks matter
        self.bank_files: set[str] = set()  # of statements, by digest
        self.moving = False  # whether an institution moves
        self.sharing = False  # whether a command makes a plan by which fees are split

    def add(self, command: commands.Command) -> None:
        """Add what one command touches."""
        if isinstance(command, commands.Keyed):
            credential = self.configuration.credentials.get(command.actor)
            if credential is not None:
                self.keys.add((credential.institution, command.key))
        self.windowed = self.windowed or type(command) not in _TIMELESS
        by = getattr(command, "by", None)
        if by is not None:
            self._member(by)
        match command:
            case commands.Transfer():
                self._spend(command.source, command.currency, command.amount, command.channel)
                self._party(command.target, command.currency)
                self._may_ask(command.currency)
            case commands.Issue():
                self._may_ask(command.currency)
                self._party(command.to, command.currency)
                self.issuer(command.currency)
                if command.grantor is not None:
                    self._institution(command.grantor)
                    self._stock(command.grantor, command.currency)
                    self.windowed = self.money = True
                if command.record is not None:
                    self.recorded.append((command.to, command.currency, command.amount, command.record))
            case commands.Convert() | commands.RequestQuote():
                channel = command.channel if isinstance(command, commands.Convert) else None
                self._spend(command.source, command.source_currency, command.amount, channel)
                self._party(command.target, command.target_currency)
                self.issuer(command.source_currency)
                self.issuer(command.target_currency)
                if isinstance(command, commands.RequestQuote) or self._has_caps(command):
                    self._name(self.spenders, command.source)
                self.money = True
                if not self._is_transferable(command.source_currency) and command.source != command.target:
                    self._name(self.linked_named, command.source)
            case commands.HoldPoints() | commands.FreezePoints():
                channel = command.channel if isinstance(command, commands.HoldPoints) else None
                self._spend(command.customer, command.currency, command.amount, channel)
                self.issuer(command.currency)
            case commands.CaptureHold():
                self._id(self.holds, command.hold)
                if command.target is not None:
                    self._whole(command.target, self.takers)
                if command.merchant is not None:
                    self._institution(command.merchant)
                self.money = True
            case commands.ReleaseHold():
                self._id(self.holds, command.hold)
            case commands.ResolveFreeze():
                self._id(self.holds, command.freeze)
            case commands.FreezeAccount() | commands.UnfreezeAccount() | commands.CloseCustomer():
                self._whole(command.customer, self.whole)
                if isinstance(command, commands.CloseCustomer):
                    self._whole(command.customer, self.leaving)
            case commands.WriteOffDebt():
                self._party(command.customer, command.currency)
                self.issuer(command.currency)
            case commands.CancelRecord():
                self.records.add((command.currency, command.record))
                self.has_shortfall = True
            case commands.Lapse():
                self.accounts.update(command.accounts)
            case commands.CancelClearing():
                self._id(self.clearings, command.id)
            case commands.Clear():
                self.clearings.add(command.clearing)
                self.accounts.update(command.accounts)
                self.emptied.update(command.accounts)
            case (
                commands.ApproveRelocation()
                | commands.CancelRelocation()
                | commands.AcceptDifferences()
                | commands.FixBalances()
                | commands.CompleteRelocation()
            ):
                self._id(self.relocations, command.id)
                if isinstance(command, commands.FixBalances | commands.CompleteRelocation):
                    self._id(self.waiting, command.id)
            case commands.RecordBalances():
                self.relocations.add(command.relocation)
                self.holders.setdefault(command.relocation, set()).update(one.customer for one in command.holders)
            case commands.Relocate():
                self.relocations.add(command.relocation)
                self.relocating[command.relocation] = (command.after, command.through)
            case commands.Redeem():
                self._spend(command.customer, command.currency, command.amount, command.channel)
                self.issuer(command.currency)
                self._institution(command.merchant)
                self.money = True
            case commands.RedeemBasket():
                for currency in command.currencies:  # how many points of each is not known before the terms are
                    self._spend(command.customer, currency, "1", None)
                    self.apart.append((command.customer, currency))
                    self.issuer(currency)
                self._institution(command.merchant)
                self.money = True
            case commands.ExecuteQuote():
                self._id(self.quotes, command.quote)
                if command.channel is not None:
                    self._id(self.quotes_apart, command.quote)
                self.money = True
            case commands.ReportOrder():
                self._id(self.exchanges, exchange_of(command.reference))
                self.money = True
            case commands.AddEvidence() | commands.ApproveEvidence():
                self._id(self.exchanges, command.exchange)
                self.money = True
            case commands.Reconcile():
                self.reconciled.add((command.currency, command.day))
            case commands.AssignBreak() | commands.NoteBreak():
                self._id(self.breaks, command.id)
            case commands.ProposeBreakEnd() | commands.ApproveBreakEnd():
                self._id(self.breaks, command.id)
                self.money = True
            case commands.AcceptReport() | commands.OpenDisputes():
                self._id(self.windows, command.window)
                home = self.configuration.institution_codes.get(command.institution)
                if home is not None and command.window is not None:
                    self.reported.add((command.window, home))
                if isinstance(command, commands.OpenDisputes):
                    named = ((one.movement, one.leg) for one in command.lines)
                    self.disputed.update((movement, leg) for movement, leg in named if movement is not None)
            case commands.AnswerDispute() | commands.NoteDispute() | commands.WithdrawDispute():
                self._id(self.disputes, command.id)
            case commands.ProposeDisputeEnd() | commands.ApproveDisputeEnd():
                self._id(self.disputes, command.id)
                self.money = True
            case commands.Reverse():
                self._id(self.originals, command.id)
                self.has_shortfall = self.has_shortfall or command.shortfall is not commands.ReversalShortfall.REFUSE
                self.money = True
            case commands.WithdrawRate():
                if command.cancel_quotes:
                    self._id(self.quotes_of_rates, command.id)
            case commands.CreatePool():
                self._party(command.pool, "")
                self._party(command.owner, "")
            case commands.JoinPool() | commands.SetPoolRights() | commands.LeavePool():
                self._party(command.pool, "")
                self._member(command.member)
                if isinstance(command, commands.LeavePool):
                    self._name(self.parting, command.pool)
                    self._name(self.parting, command.member)
            case commands.ContributeToPool():
                self._spend(command.member, command.currency, command.amount, command.channel)
                self._party(command.pool, command.currency)
                self._member(command.member)
            case commands.EnrollCustomer() | commands.SetCustomerProfile():
                self._party(command.customer, "")
            case commands.BindIdentifier():
                self.binding = True
                self._party(command.identifier, "")
                self._party(command.customer, "")
                # Whatever a later command of the batch does under the identifier, it does with this customer.
                for names in (self.owners_named, self.spenders, self.linked_named):
                    self._name(names, command.customer)
            case commands.UnbindIdentifier():
                self.binding = True
                self._party(command.identifier, "")
            case commands.ProposeLink():
                self.linking = True
                for party in (command.a, command.b):
                    self._party(party, "")
                    self._name(self.linked_named, party)
            case commands.AcceptLink() | commands.EndLink():
                self.linking = True
                self._id(self.links, command.id)
            case commands.CloseWindow():
                self._id(self.windows, command.window)
                self.money = self.closing = self.opening = True
            case commands.ConfirmSettlement():
                self._id(self.windows, command.window)
                self._institution(command.institution)
                if command.counterparty is not None:
                    self._institution(command.counterparty)
                self.money = True
            case commands.Bill():
                self.money = self.billing = True
                self.institutions.update(self.configuration.charging)
            case commands.CreditInvoice():
                self.money = self.billing = True
                self._id(self.invoices, command.invoice)
            case commands.ConfirmFile():
                self.windows.update(payment.window for payment in command.payments)
                for payment in command.payments:
                    self._institution(payment.institution)
                    if payment.counterparty is not None:
                        self._institution(payment.counterparty)
                self.files.add(command.digest)
                self.money = True
            case commands.TakeBankFile():
                self.bank_files.add(command.digest)
            case commands.AcceptBlock() | commands.AcceptRefund():
                self._id(self.blocks, command.id)
                self.money = True
            case commands.DeclineBlock() | commands.ProposeRefund() | commands.DeclineRefund():
                self._id(self.blocks, command.id)
            case commands.SetPrepaidNotice():
                self._stock(command.holder, command.currency)
            case commands.ApproveModel():
                self.opening = True
            case commands.MoveInstitution():
                self.moving = True
                self._institution(command.parent)
            case commands.SetDebitCap() | commands.SetCover():
                self._institution(command.institution)
                self.money = True
            case commands.ProposeDefault() | commands.CoverDefaults():
                self._id(self.windows, command.window)
                self.default_currencies.add(command.currency)
                self.money = True
            case commands.ApproveDefault() | commands.RejectDefault() | commands.RepayDefault():
                self._id(self.defaults, command.id)
                self.money = True
            case commands.RecordCoverEntry():
                self._institution(command.institution)
                self.cover_references.add((command.currency, command.reference))
                self.default_currencies.add(command.currency)
                self.money = True
            case commands.ApproveCoverEntry() | commands.RejectCoverEntry():
                self._id(self.cover_entries, command.id)
                self.money = True
            case commands.ApproveCover():  # what is proposed in this batch is loaded for who proposes it
                for cover in self.configuration.covers.values():
                    if cover.proposal is not None and cover.proposal.id == command.id:
                        self.institutions.add(cover.institution)
                self.money = True
            # What these make may be used by a later command of the batch, which touches who was there before.
            case commands.CreateInstitution():
                self._institution(OPERATOR_CODE if command.parent is None else command.parent)
            case commands.ProposeSharePlan():
                self.sharing = True
                for share in command.shares:
                    if share.institution is not None:
                        self._institution(share.institution)
            case commands.RegisterPointCurrency():
                self._institution(command.issuer)
                self.policies.add(command.code)
            case commands.SetPointsPolicy():
                self.policies.add(command.currency)
            case _:
                pass

    def _stock(self, holder: str, currency: str) -> None:
        """The prepaid blocks of an institution and of all above it, by whose terms it may grant."""
        nodes = self.configuration.institutions
        home = self.configuration.institution_codes.get(holder)
        if home is not None:
            self.stocks.update((node.id, currency) for node in ancestry(nodes, home))

    def _party(self, party: commands.Party, currency: str) -> None:
        home = self.configuration.institution_codes.get(party.institution)
        if home is None:
            return
        key = (home, party.reference, currency)
        if key not in self.parties:
            self.parties[key] = self.memory.recall(key)

    def _spend(self, party: commands.Party, currency: str, amount: str, channel: str | None) -> None:
        self._party(party, currency)
        self.spends.append((party, currency, amount))
        if channel is not None:
            self.apart.append((party, currency))

    def _whole(self, party: commands.Party, into: set[tuple[int, str]]) -> None:
        self._party(party, "")
        self._name(into, party)

    def _member(self, party: commands.Party) -> None:
        self._party(party, "")
        self._name(self.members, party)

    def _name(self, into: set[tuple[int, str]], party: commands.Party) -> None:
        home = self.configuration.institution_codes.get(party.institution)
        if home is not None:
            into.add((home, party.reference))

    def _is_transferable(self, currency: str) -> bool:
        """Whether anybody's points may go to anybody. Those of a currency that this batch makes have no rate yet."""
        of = self.configuration.currency(currency)
        return of is None or of.transferable

    def _may_ask(self, currency: str) -> None:
        """What a partner keeps is accepted in a window. Who keeps a currency that this batch makes is not known yet."""
        of = self.configuration.currency(currency)
        self.windowed = self.windowed or of is None or of.adapter != HOSTED

    def _has_caps(self, command: commands.Convert) -> bool:
        """Whether what the customer converted before may matter: only bonuses with a cap remember it."""
        source = self.configuration.currency(command.source_currency)
        target = self.configuration.currency(command.target_currency)
        if source is None or target is None:
            return False
        versions = self.configuration.versions_of(source.id, target.id)
        return any(bonus.cap is not None for rate in versions for bonus in rate.bonuses)

    def issuer(self, currency: str) -> None:
        """Add the issuer of a currency, with its accounts."""
        of = self.configuration.currency(currency)
        if of is not None:
            self.institutions.add(of.issuer)

    def _institution(self, code: str) -> None:
        home = self.configuration.institution_codes.get(code)
        if home is not None:
            self.institutions.add(home)

    @staticmethod
    def _id(into: set[int], number: int | None) -> None:
        if number is not None:
            into.add(number)
