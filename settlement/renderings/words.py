"""Words: what labels are called in English and in simplified Chinese.

Invariant: every label has both languages. A kind or a purpose that is not known here is shown as it is spelled.
"""

from typing import Final, Literal

Language = Literal["en", "zh"]
LANGUAGES: Final[dict[Language, str]] = {"en": "en", "zh": "zh-Hans-CN"}  # and the locales by which amounts are written

WORDS: Final[dict[str, tuple[str, str]]] = {
    # titles
    "report": ("Settlement report", "结算报告"),
    "summary": ("Settlement summary", "结算汇总报告"),
    "bilateral": ("Bilateral statement", "双边结算单"),
    "interim_report": ("Interim statement", "期中结算单"),
    "interim_summary": ("Interim summary", "期中结算汇总"),
    "interim": (
        "INTERIM: the window is open, and nothing here is final",
        "期中（INTERIM）：清算窗口尚未关闭，内容并非最终结果",
    ),
    "interim_sheet": ("INTERIM", "期中"),
    "nets": ("Nets", "净额"),
    "obligations": ("Obligations, pair by pair", "逐对应付应收"),
    "balances": ("Balances", "往来余额"),
    "children": ("Nets of the institutions below", "下级机构净额"),
    "reports": ("Reports of the institutions", "各机构报告"),
    "lines": ("Lines", "明细"),
    "exchanges": ("Nets exchanged", "净额换汇"),
    "payables": ("To be paid", "应收付净额"),
    "balances_worth": ("Balances at the window's rates", "按窗口汇率折算的往来余额"),
    "line_totals": ("Totals of the lines", "明细合计"),
    # facts
    "institution": ("Institution", "机构"),
    "name": ("Name", "名称"),
    "counterparty": ("Counterparty", "对方机构"),
    "hub": ("Hub", "枢纽"),
    "model": ("Settlement model", "结算模式"),
    "window": ("Window", "清算窗口"),
    "window_id": ("Window's identifier", "窗口编号"),
    "opened_at": ("Opened at (UTC)", "开启时间 (UTC)"),
    "closed_at": ("Closed at (UTC)", "关闭时间 (UTC)"),
    "as_of": ("As of (UTC)", "截至时间 (UTC)"),
    "line_count": ("Number of lines", "明细笔数"),
    "line_root": ("Merkle root of the lines", "明细默克尔根"),
    "previous_digest": ("Digest of the report before", "上一份报告摘要"),
    "batch": ("Journal's batch", "日志批次"),
    "hash": ("Journal's hash", "日志哈希"),
    "digest": ("SHA-256 of the signed data", "签名数据的 SHA-256"),
    # columns
    "status": ("Status", "状态"),
    "number": ("No.", "序号"),
    "at": ("At (UTC)", "时间 (UTC)"),
    "movement": ("Movement", "交易编号"),
    "leg": ("Leg", "分录"),
    "kind": ("Act", "业务"),
    "purpose": ("Purpose", "用途"),
    "from": ("Owed by", "付款方"),
    "to": ("Owed to", "收款方"),
    "currency": ("Currency", "币种"),
    "amount": ("Amount", "金额"),
    "points_given": ("Points given", "付出积分"),
    "points_given_of": ("Currency given", "付出积分币种"),
    "points": ("Points", "积分"),
    "points_of": ("Currency of points", "积分币种"),
    "reverses": ("Reverses", "冲正的交易"),
    "terms": ("Terms", "条款"),
    "price": ("Price of a point", "积分单价"),
    "plan": ("Share plan", "分润方案"),
    "fee_of_act": ("Whole fee", "手续费总额"),
    "kept": ("Kept of it", "其中自留"),
    "invoice": ("Invoice", "发票"),
    "dispute": ("Dispute", "争议"),
    "corrects": ("Corrects the act", "更正的交易"),
    "corrects_leg": ("Its leg", "其分录"),
    "settles_with": ("Settles with", "结算对方"),
    "own_debit": ("Owes, own acts", "应付（自身）"),
    "own_credit": ("Is owed, own acts", "应收（自身）"),
    "below_debit": ("Owes, from below", "应付（下级）"),
    "below_credit": ("Is owed, from below", "应收（下级）"),
    "debit": ("Owes", "应付"),
    "credit": ("Is owed", "应收"),
    "net": ("Net", "净额"),
    "balance": ("Balance", "差额"),
    "payable": ("To be paid", "应收付"),
    "exchanged_into": ("Exchanged into", "折算币种"),
    "fx_rate": ("Rate", "汇率"),
    "fx_rate_id": ("Rate's version", "汇率版本"),
    "fx_source": ("Published by", "汇率发布方"),
    "quoted_on": ("Published for", "汇率日期"),
    "value": ("Value", "折算金额"),
    "count": ("Count", "笔数"),
    "report_digest": ("Digest of its report", "其报告摘要"),
    "total_hub": ("Settling with the hub", "与枢纽结算合计"),
    "total_all": ("All levels", "各级合计"),
    "the_hub": ("the hub", "枢纽"),
    "total": ("Total", "合计"),
    # acts
    "issue": ("Issue", "发放"),
    "transfer": ("Transfer", "转赠"),
    "redeem": ("Redemption", "核销"),
    "convert": ("Conversion", "兑换"),
    "reverse": ("Reversal", "冲正"),
    "capture": ("Capture", "扣划"),
    "bill": ("Invoice", "发票"),
    "credit_note": ("Credit note", "贷项通知"),
    "correct": ("Correction", "更正"),
    "prepay": ("Points paid ahead", "积分预付"),
    "prepay_refund": ("Points handed back", "预付积分退回"),
    # purposes
    "settlement": ("Settlement", "结算"),
    "fee": ("Fee", "手续费"),
    # remarks
    "page": ("Page {page} of {pages}", "第 {page} 页，共 {pages} 页"),
    "not_printed": (
        "{count} lines are not printed here; they are in the report's files of lines.",
        "此处不打印 {count} 笔明细，请见报告的明细文件。",
    ),
    "none": ("None.", "无。"),
}


# What of a line is put into words; other acts than these have never moved money.
ACTS: Final = {
    **{name: name for name in ("issue", "transfer", "redeem", "convert", "reverse", "capture", "bill", "correct")},
    **{name: name for name in ("prepay", "prepay_refund")},
    "credit": "credit_note",
}
PURPOSES: Final = frozenset({"settlement", "fee"})


def word(key: str, language: Language) -> str:
    """What ``key`` is called.

    Raises:
        KeyError: it is no label.
    """
    english, chinese = WORDS[key]
    return chinese if language == "zh" else english
