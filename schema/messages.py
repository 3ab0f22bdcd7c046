"""What a refusal says to a person, in English and in simplified Chinese, and which of them a caller reads.

Keyed by the name of the refusal's reason. A template may use the refusal's details; where one of them is missing, the
plain sentence is said instead, so that a message never fails and never shows a gap. Invariant: every reason of the API
has both languages. Machines read ``reason`` and ``details``; nobody is to parse these sentences.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One language's wording: ``full``, ``special`` and ``cases`` need details, the first that has all of its own is
    said, the cases in their order, then the special one, then the full one; ``plain`` stands alone."""

    plain: str
    full: str | None = None
    special: str | None = None
    cases: tuple[str, ...] = ()

    def say(self, details: Mapping[str, str]) -> str:
        for template in (*self.cases, self.special, self.full):
            if template is not None:
                try:
                    return template.format_map(details)
                except KeyError:
                    continue
        return self.plain


def message(reason: str, language: str, details: Mapping[str, str]) -> str:
    """The sentence for ``reason`` in ``language`` ("zh" or else English).

    Besides the details a template may name all of their values as ``what`` and all of their keys as ``field``.

    Raises:
        KeyError: there is no such reason; a test holds that the API has none without a message.
    """
    english, chinese = MESSAGES[reason]
    whole = {"what": ", ".join(details.values()), "field": ", ".join(details)} if details else {}
    return (chinese if language == "zh" else english).say({**whole, **details})


@lru_cache(maxsize=256)
def language_of(accept_language: bytes | None) -> Language:
    """The language of an Accept-Language header: Chinese or English by weight, the first of equals, else English."""
    best: Language = "en"
    best_quality = 0.0
    for name, quality in weighed(accept_language or b""):
        primary = name.partition("-")[0]
        if primary in ("zh", "en", "*") and quality > best_quality:
            best, best_quality = "zh" if primary == "zh" else "en", quality
    return best


def weighed(header: bytes) -> list[tuple[str, float]]:
    """The members of an Accept-like header, lower case, with their weights; a malformed weight counts as none given."""
    members = []
    for member in header.decode("latin-1").lower().split(",")[:32]:
        name, *options = (part.strip() for part in member.split(";"))
        found = [match[1] for option in options if (match := re.fullmatch(r"q=\s*([01](?:\.[0-9]{0,3})?)", option))]
        members.append((name, float(found[0]) if found else 1.0))
    return members


MESSAGES: dict[str, tuple[Sentence, Sentence]] = {
    "INSUFFICIENT_POINTS": (
        Sentence(
            "The customer does not have enough points available.",
            "The customer has {available} points available, not enough.",
        ),
        Sentence("客户可用积分不足。", "客户可用积分为 {available}，余额不足。"),
    ),
    "INSUFFICIENT_LIQUIDITY": (
        Sentence(
            "The paying institution's cover is not enough for this.",
            "Less than has to be there would be left in {pot}, which holds {held} {currency} for {institution}.",
            "This would take {institution} to {exposure} {currency}, beyond its cover of {cover}.",
        ),
        Sentence(
            "付款机构的备付额度不足，无法办理。",
            "支取后 {institution} 在 {pot} 中的余额将低于要求，现有 {held} {currency}。",
            "该操作将使机构 {institution} 的敞口达到 {exposure} {currency}，超出其备付额度 {cover}。",
        ),
    ),
    "LIMIT_EXCEEDED": (
        Sentence(
            "This would go beyond a limit.",
            "This would go beyond the limit {limit} of {amount} {currency} ({period}).",
            "This would take {institution} to {exposure}, beyond its debit cap of {cap}.",
            (
                "{asked} {currency} would be above the cap of {institution}, which is {cap}.",
                "This rate credits {outflowLimit} {currency} in a window, {available} of it are left, not {requested}.",
            ),
        ),
        Sentence(
            "该操作将超出限额。",
            "该操作将超出限额 {limit}（{period}，{amount} {currency}）。",
            "该操作将使机构 {institution} 的敞口达到 {exposure}，超出净借记限额 {cap}。",
            (
                "{asked} {currency} 将高于机构 {institution} 的净借记限额 {cap}。",
                "本清算窗口内该比率的可兑出总量为 {outflowLimit} {currency}，剩余 {available}，本笔为 {requested}。",
            ),
        ),
    ),
    "BELOW_MINIMUM": (
        Sentence("The amount is below the minimum.", "The amount is below the minimum of {minimum}."),
        Sentence("数额低于最低限额。", "数额低于最低限额 {minimum}。"),
    ),
    "ABOVE_MAXIMUM": (
        Sentence("The amount is above the maximum.", "The amount is above the maximum of {maximum}."),
        Sentence("数额超过最高限额。", "数额超过最高限额 {maximum}。"),
    ),
    "NOT_A_MULTIPLE": (
        Sentence("The amount is not a multiple of the required step.", "The amount is not a multiple of {step}."),
        Sentence("数额不是规定单位的整数倍。", "数额须为 {step} 的整数倍。"),
    ),
    "AMOUNT_TOO_SMALL": (
        Sentence("The amount is too small to be worth anything in the target currency."),
        Sentence("数额过小，不足以兑换任何目标积分。"),
    ),
    "INVALID_AMOUNT": (
        Sentence(
            "The amount must be above zero, not too large, and have no more decimal places than its currency.",
            "The amount must be above zero, not too large, and have at most {scale} decimal places.",
            "The amount must be {expected} {currency}; {amount} was given.",
        ),
        Sentence(
            "数额必须大于零且不得过大，小数位数不得超过该币种的精度。",
            "数额必须大于零且不得过大，最多保留 {scale} 位小数。",
            "金额应为 {expected} {currency}，提交的是 {amount}。",
        ),
    ),
    "NO_RATE": (
        Sentence(
            "No rate is in force for this exchange.",
            "No rate is in force from {source} to {target}.",
        ),
        Sentence("当前没有生效的兑换比率。", "当前没有从 {source} 兑换为 {target} 的有效比率。"),
    ),
    "RATE_CYCLE": (
        Sentence(
            "With this rate, points could be multiplied by exchanging them in a circle.",
            "With this rate, points could be multiplied by exchanging them in a circle: {cycle}.",
        ),
        Sentence("该比率会使积分经循环兑换而增值，不予批准。", "该比率会使积分经循环兑换（{cycle}）而增值，不予批准。"),
    ),
    "RATE_OVERLAP": (
        Sentence("Another approved version of these terms starts at the same instant."),
        Sentence("已有同一时刻生效的获批版本。"),
    ),
    "NOT_ACCEPTED": (
        Sentence(
            "The consent of those concerned is still missing.",
            "The consent of {awaiting} is still missing.",
            "{merchant} does not take {currency}.",
        ),
        Sentence(
            "尚未取得相关各方同意。", "尚未取得以下各方同意：{awaiting}。", "商户 {merchant} 不受理积分 {currency}。"
        ),
    ),
    "SAME_APPROVER": (
        Sentence("Whoever proposed it may not approve it; another person must."),
        Sentence("提出人不得自行审批，须由他人复核。"),
    ),
    "QUOTE_EXPIRED": (
        Sentence("The quote has expired.", "The quote expired at {expiresAt}."),
        Sentence("报价已过期。", "报价已于 {expiresAt} 过期。"),
    ),
    "QUOTE_USED": (
        Sentence("The quote has been used already."),
        Sentence("该报价已被使用。"),
    ),
    "QUOTE_CANCELLED": (
        Sentence("The quote was cancelled because its rate was withdrawn."),
        Sentence("因兑换比率已撤回，该报价已取消。"),
    ),
    "TOO_MANY_QUOTES": (
        Sentence(
            "The customer has too many open quotes for this exchange.",
            "The customer already has {maximum} open quotes for this exchange.",
        ),
        Sentence("客户在该兑换对上未使用的报价过多。", "客户在该兑换对上未使用的报价已达上限 {maximum} 笔。"),
    ),
    "SLIPPAGE": (
        Sentence(
            "The exchange would yield less than the minimum asked for.",
            "The exchange would yield {target}, less than the {minimum} asked for.",
        ),
        Sentence("兑换所得低于要求的最低数额。", "兑换所得为 {target}，低于要求的最低数额 {minimum}。"),
    ),
    "TRANSFER_FORBIDDEN": (
        Sentence(
            "Points of this currency cannot be transferred between customers.",
            "Points of {currency} are converted for the same person only; what is missing is an active {requires}.",
        ),
        Sentence(
            "该积分不允许在客户之间转让。", "{currency} 仅限本人兑换，两个客户之间须先建立有效的关联（{requires}）。"
        ),
    ),
    "CASHOUT_FORBIDDEN": (
        Sentence("Points of this currency cannot be turned into money."),
        Sentence("该积分不允许兑换为现金。"),
    ),
    "FROZEN": (
        Sentence("The account is frozen."),
        Sentence("账户已冻结。"),
    ),
    "SUSPENDED": (
        Sentence("The institution is suspended or closed.", "{institution} cannot act: it is {status}."),
        Sentence("机构已暂停或终止业务。", "机构 {institution} 当前不可办理业务（{status}）。"),
    ),
    "POINTS_EXPIRED": (
        Sentence(
            "The points are over.",
            "The points would come back to {currency}, where their time was over at {expiresAt}.",
        ),
        Sentence("积分已过期。", "积分将回到 {currency},而其有效期已于 {expiresAt} 届满。"),
    ),
    "HOLD_EXPIRED": (
        Sentence("The hold has expired.", "The hold expired at {expiresAt}."),
        Sentence("预留已到期失效。", "预留已于 {expiresAt} 到期失效。"),
    ),
    "HOLD_RESOLVED": (
        Sentence("The hold has been captured or released already."),
        Sentence("该笔预留已扣划或已释放。"),
    ),
    "EXCEEDS_HELD": (
        Sentence("The amount is more than what is held.", "The amount is more than the {held} held."),
        Sentence("数额超过已预留的积分。", "数额超过已预留的积分 {held}。"),
    ),
    "FREEZE_RESOLVED": (
        Sentence("The freeze has been released, or its points removed, already."),
        Sentence("该笔冻结已解冻或已扣除。"),
    ),
    "EXCEEDS_DEBT": (
        Sentence("The amount is more than what is owed.", "The amount is more than the {debt} owed."),
        Sentence("数额超过客户所欠积分。", "数额超过客户所欠积分 {debt}。"),
    ),
    "POINTS_UNRESOLVED": (
        Sentence(
            "The customer holds points that have to be resolved first.",
            "The customer holds points of {currency} that have to be resolved first.",
        ),
        Sentence("客户尚有积分需先行处理。", "客户尚有 {currency} 积分需先行处理（预留、冻结、欠分或他方积分）。"),
    ),
    "CUSTOMER_CLOSED": (
        Sentence("The customer has left; nothing can be credited or debited any more."),
        Sentence("客户已销户，不可再入账或扣减积分。"),
    ),
    "NOT_A_MEMBER": (
        Sentence("Whoever acts in the pool must be a member of it.", "{member} is no member of the pool."),
        Sentence("须由积分池成员办理。", "{member} 不是该积分池的成员。"),
    ),
    "POOL_RIGHT_MISSING": (
        Sentence("The member does not have this right in the pool.", "{member} does not have the right {right} here."),
        Sentence("该成员在积分池中没有相应权限。", "成员 {member} 在该积分池中没有 {right} 权限。"),
    ),
    "EXCEEDS_ORIGINAL": (
        Sentence(
            "The reversals together would be more than the original.",
            "The reversals together would be more than the original; {left} is left to reverse.",
        ),
        Sentence("累计冲正数额超过原交易。", "累计冲正数额超过原交易，剩余可冲正数额为 {left}。"),
    ),
    "ALREADY_REVERSED": (
        Sentence("It has been reversed in full already."),
        Sentence("原交易已全额冲正。"),
    ),
    "NOT_FOUND": (
        Sentence(
            "There is no such thing, or it is not visible to the caller.",
            "Nothing that the caller may see is named {what}.",
            "Line {line} is none of the report.",
        ),
        Sentence("未找到所请求的对象，或无权查看。", "未找到 {what}，或无权查看。", "第 {line} 条不是该报告的明细。"),
    ),
    "DUPLICATE": (
        Sentence(
            "It exists already.",
            "{what} exists already.",
            cases=(
                "What {institution} owes or is owed in {currency} is paid, or declared unpaid, already.",
                "{institution} has accepted its report of window {window} already.",
                "Line {line} is disputed already.",
            ),
        ),
        Sentence(
            "记录已存在。",
            "{what} 已存在。",
            cases=(
                "机构 {institution} 的 {currency} 应收应付款已到账或已提请宣布违约。",
                "机构 {institution} 已确认清算窗口 {window} 的结算报告。",
                "第 {line} 条明细已提出异议。",
            ),
        ),
    ),
    "ALREADY_BOUND": (
        Sentence("The identifier is bound to a customer already.", "{identifier} is bound to a customer already."),
        Sentence("该标识已绑定客户。", "{identifier} 已绑定客户，请先解绑。"),
    ),
    "ORG_CYCLE": (
        Sentence("An institution cannot be placed below itself."),
        Sentence("机构不能隶属于其自身或其下级机构。"),
    ),
    "UNKNOWN_CURRENCY": (
        Sentence("There is no such currency.", "There is no currency {currency}."),
        Sentence("币种不存在。", "币种 {currency} 不存在。"),
    ),
    "INVALID_INPUT": (
        Sentence(
            "A value of the request is not valid.",
            "The value of {field} is not valid.",
            cases=(
                "{institution} does not settle with the hub by itself, but through {paysThrough}.",
                "It is not due before {dueAt}.",
                "{institution} owes nothing here: its net is {net}.",
                "{person} is there already, written {writtenBefore}.",
                "{institution} was declared unpaid in {unpaid}: what it pays now is a repayment.",
            ),
        ),
        Sentence(
            "请求中的参数无效。",
            "参数 {field} 无效。",
            cases=(
                "机构 {institution} 不直接与枢纽结算，而是通过 {paysThrough} 结算。",
                "该款项于 {dueAt} 方到期。",
                "机构 {institution} 在此无应付款，其净额为 {net}。",
                "{person} 已登记，写作 {writtenBefore}。",
                "机构 {institution} 的 {unpaid} 应付款已宣布违约，现付款应作为偿还登记。",
            ),
        ),
    ),
    "IDEMPOTENCY_CONFLICT": (
        Sentence("This idempotency key was used before for another request."),
        Sentence("该幂等键已用于另一笔不同的请求。"),
    ),
    "WINDOW_CLOSED": (
        Sentence("The settlement window is not open for this.", "The settlement window {number} is not open for this."),
        Sentence("清算窗口已关闭，无法办理。", "清算窗口 {number} 已关闭，无法办理。"),
    ),
    "WINDOW_ORDER": (
        Sentence(
            "An earlier settlement window has to be settled first.",
            "Settlement window {next} has to be settled first.",
        ),
        Sentence("须先完成前一清算窗口的结算。", "须先完成清算窗口 {next} 的结算。"),
    ),
    "PAY_OUT_WAITS": (
        Sentence(
            "Somebody has not paid in; pay-outs go on when it is settled who bears that.",
            "Somebody has not paid in {currency}; pay-outs go on when it is settled who bears that.",
            "{institution} has neither paid in {currency} nor been declared unpaid.",
        ),
        Sentence(
            "有付款方尚未付款，须先确定由谁承担，方可付出款项。",
            "{currency} 有付款方尚未付款，须先确定由谁承担，方可付出款项。",
            "{institution} 的 {currency} 应付款既未到账，也未宣布违约。",
        ),
    ),
    "FX_RATE_MISSING": (
        Sentence(
            "No FX rate is in force; the window closes when one is approved.",
            "No FX rate from {base} into {quote} is in force; the window closes when one is approved.",
        ),
        Sentence(
            "没有生效的汇率，须先批准汇率，方可关闭清算窗口。",
            "没有生效的 {base} 兑 {quote} 汇率，须先批准汇率，方可关闭清算窗口。",
        ),
    ),
    "PARTNER_REFUSED": (
        Sentence("The partner refused.", "The partner refused: {partnerReason}."),
        Sentence("合作方拒绝了该请求。", "合作方拒绝了该请求：{partnerReason}。"),
    ),
    "PARTNER_UNAVAILABLE": (
        Sentence("The partner cannot be reached now. Please try again later."),
        Sentence("合作方系统暂时不可用，请稍后再试。"),
    ),
    "NOT_HOSTED": (
        Sentence(
            "A partner keeps these points itself, and this cannot be done with them here.",
            "A partner keeps {currency} itself, and this cannot be done with it here.",
        ),
        Sentence("该积分由合作方自行管理，不支持此项操作。", "积分 {currency} 由合作方自行管理，不支持此项操作。"),
    ),
    "REVERSAL_PENDING": (
        Sentence("A reversal of this is under way. Please try again once it has ended."),
        Sentence("该笔业务的冲正正在处理中，请待其结束后再试。"),
    ),
    "REPORT_ACCEPTED": (
        Sentence("The report has been accepted with the institution's signature."),
        Sentence("该机构已签名确认此结算报告。"),
    ),
    "INSUFFICIENT_PREPAID": (
        Sentence(
            "What is left of the prepaid points does not reach.",
            "Of the prepaid points {left} {currency} are left, and {requested} are needed.",
        ),
        Sentence("预付积分余额不足。", "预付积分余额为 {left} {currency}，需要 {requested}。"),
    ),
    "DISPUTE_TOO_LATE": (
        Sentence(
            "The time in which lines of this window can be disputed is over.",
            "Lines of this window could be disputed until {deadline}.",
        ),
        Sentence("此结算窗口明细的异议期限已过。", "此结算窗口明细的异议期限为 {deadline}，现已过期。"),
    ),
    "CURRENCY_MOVING": (
        Sentence(
            "The currency's balances are being moved to another keeper. Please try again once that is done.",
            "The balances of {currency} are being moved to another keeper. Please try again once that is done.",
            "The balances of {currency} cannot be fixed yet: something is still under way ({waits}).",
        ),
        Sentence(
            "该积分的余额正在迁移，请在迁移完成后再试。",
            "{currency} 的余额正在迁移，请在迁移完成后再试。",
            "{currency} 仍有未完结的业务（{waits}），暂不能锁定余额。",
        ),
    ),
    "RETRY_LATER": (
        Sentence("The hub is busy. Please send the same request again, with the same key."),
        Sentence("系统繁忙，请稍后使用同一幂等键重试。"),
    ),
}
