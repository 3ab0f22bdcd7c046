"""What the words of a statement are called when it is for people, in English and in simplified Chinese.

Machines read the words themselves. Invariant: every column, kind and direction has both languages.
"""

from typing import Final

from schema.messages import Language

LABELS: Final[dict[str, tuple[str, str]]] = {
    # columns
    "posted_at": ("Posted at", "入账时间"),
    "id": ("Line", "明细编号"),
    "kind": ("Kind", "类型"),
    "direction": ("Direction", "方向"),
    "amount": ("Amount", "积分数"),
    "balance_after": ("Balance after", "余额"),
    "memo": ("Memo", "备注"),
    "sequence": ("Sequence", "序号"),
    # kinds
    "OPENING": ("Opening balance", "期初余额"),
    "CLOSING": ("Closing balance", "期末余额"),
    "ISSUE": ("Issue", "发放"),
    "TRANSFER": ("Transfer", "转赠"),
    "REDEEM": ("Redemption", "核销"),
    "CONVERT": ("Conversion", "兑换"),
    "REVERSE": ("Reversal", "冲正"),
    "HOLD": ("Hold", "预留"),
    "CAPTURE": ("Capture", "扣划"),
    "RELEASE": ("Release", "释放"),
    "EXPIRE": ("Expiry", "到期失效"),
    "FREEZE": ("Freeze", "冻结"),
    "REMOVE": ("Removal", "扣除"),
    "WRITE_OFF": ("Write-off", "欠分核销"),
    "CLEAR": ("Clearing", "清零"),
    "CONTRIBUTE": ("Put into a pool", "转入积分池"),
    "WITHDRAW": ("Taken back out of a pool", "退出积分池取回"),
    "ACCEPT": ("Conversion under way", "兑换处理中"),
    "ARRIVE": ("Taken by the partner", "合作方已扣减"),
    "DECLINE": ("Refused by the partner", "合作方已拒绝"),
    "REFUND": ("Given back by the partner", "合作方已退回"),
    "ACCEPT_REDEEM": ("Redemption under way", "核销处理中"),
    "ACCEPT_REVERSE": ("Reversal under way", "冲正处理中"),
    "ACCEPT_TRANSFER": ("Transfer under way", "转赠处理中"),
    "ACCEPT_ISSUE": ("Issue under way", "发放处理中"),
    "ADJUST": ("Adjustment at a reconciliation", "对账调整"),
    "RESERVE": ("Held by the partner", "合作方已预留"),
    "DELIVER": ("Given by the partner", "合作方已发放"),
    "RELOCATE": ("Moved to another keeper", "余额迁移"),
    "RECOGNISE": ("Recognised at the partner", "合作方余额确认"),
    "DERECOGNISE": ("Not found at the partner", "合作方余额核减"),
    "CLOSE": ("Window closing", "清算窗口关闭"),
    "SETTLE": ("Settlement", "结算"),
    "BILL": ("Invoice", "发票"),
    "EXCHANGE_NET": ("Net exchanged", "净额换汇"),
    "REPAY": ("Repayment of a default", "违约后偿付"),
    "PREPAY": ("Points paid ahead", "积分预付"),
    "PREPAY_REFUND": ("Points handed back", "预付积分退回"),
    "CUT": ("Pay-out cut", "削减付款"),
    "DRAW_FUND": ("Default fund drawn on", "动用违约基金"),
    "DRAW_COLLATERAL": ("Collateral drawn on", "动用抵押金"),
    "UNPAID": ("Net not paid", "净额未付"),
    "COVER": ("Cover", "保障金"),
    "PAY": ("Payment at once", "即时付款"),
    "CORRECT": ("Correction of a line", "更正明细"),
    # directions
    "CREDIT": ("Credit", "收入"),
    "DEBIT": ("Debit", "支出"),
}


def label(word: str, language: Language) -> str:
    """What ``word`` is called.

    Raises:
        KeyError: nothing; a test holds that no word of a statement is missing.
    """
    english, chinese = LABELS[word]
    return chinese if language == "zh" else english
