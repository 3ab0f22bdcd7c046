// The sandbox's page: shows what /sandbox/state says, every two seconds, and sends what its forms say.
const REFRESH_MS = 2000;

const LABELS = {
  en: {
    title: "Partner simulator", night: "Do what is pending now", other: "中文", script: "Misbehave",
    scriptHint: "The next orders that fit are answered as chosen. Amounts can ask for it too, see below.",
    next: "next how many", operation: "operation", member: "member", any: "any", behaviour: "what happens",
    reason: "reason", ms: "milliseconds", set: "Set", left: "left", clear: "Behave again",
    members: "Members", familyName: "family name", available: "available", held: "held", standing: "may",
    blocked: "blocked", enroll: "Enroll or change", spend: "spend", earn: "earn", nothing: "nothing: blocked",
    orders: "Orders", at: "at (UTC)", reference: "reference", amount: "amount", status: "status", detail: "detail",
    incidents: "Incidents", what: "what", callbacks: "Callbacks", tries: "tries", magic: "Magic amounts",
    magicHint: "The last three digits of an amount, decimals included, script the first try of an order:",
    noCallbacks: "None are sent: start with --callback URL.", sentTo: "Sent to", waiting: "waiting", of: "of",
    noMembers: "Nobody yet; enroll someone.", noOrders: "No orders yet.", noIncidents: "Nothing odd has happened.",
    noScripts: "It behaves.", noCalls: "None yet.", fresh: "up to date", lost: "The simulator does not answer.",
    nightly: "nightly", anyOrder: "any order", authentication: "authentication", due: "due",
    comma: ", ", SUCCEEDED: "done", REFUSED: "refused", PENDING: "pending", asked: "when asked",
    DEBIT: "debit", CREDIT: "credit", HOLD: "hold", CAPTURE: "capture", RELEASE: "release", REVERSE: "reverse",
    STATUS: "status question", LOOKUP: "member question", JOURNAL: "journal question",
    INSUFFICIENT_POINTS: "too few points", NO_SUCH_MEMBER: "no such member", MEMBER_BLOCKED: "member blocked",
    LIMIT_EXCEEDED: "limit exceeded", INVALID_AMOUNT: "invalid amount", NOT_SUPPORTED: "not supported",
    EXCEEDS_ORIGINAL: "exceeds the original", OTHER: "other", CALLBACK: "Callback not accepted",
  },
  zh: {
    title: "合作方模拟器", night: "立即处理挂起订单", other: "English", script: "设定异常",
    scriptHint: "后续符合条件的订单将按所选方式应答。也可用特殊金额触发，见下方。",
    next: "次数", operation: "操作", member: "会员号", any: "任意", behaviour: "行为",
    reason: "原因", ms: "毫秒", set: "设定", left: "剩余", clear: "恢复正常",
    members: "会员", familyName: "姓", available: "可用积分", held: "预留", standing: "允许",
    blocked: "冻结", enroll: "新增或修改", spend: "消费", earn: "累积", nothing: "无：已冻结",
    orders: "订单", at: "时间 (UTC)", reference: "编号", amount: "数额", status: "状态", detail: "说明",
    incidents: "异常记录", what: "内容", callbacks: "回调", tries: "次数", magic: "特殊金额",
    magicHint: "金额（含小数）的最后三位数字决定订单首次请求的结果：",
    noCallbacks: "未发送：请用 --callback URL 启动。", sentTo: "发送至", waiting: "等待中", of: "原订单",
    noMembers: "暂无会员，请新增。", noOrders: "暂无订单。", noIncidents: "暂无异常。",
    noScripts: "当前行为正常。", noCalls: "暂无。", fresh: "已更新", lost: "模拟器没有响应。",
    nightly: "夜间批处理", anyOrder: "任意订单", authentication: "认证", due: "预计",
    comma: "，", SUCCEEDED: "成功", REFUSED: "拒绝", PENDING: "处理中", asked: "手动触发",
    DEBIT: "扣减", CREDIT: "增加", HOLD: "预留", CAPTURE: "扣划", RELEASE: "释放", REVERSE: "冲正",
    STATUS: "状态查询", LOOKUP: "会员查询", JOURNAL: "流水查询",
    INSUFFICIENT_POINTS: "积分不足", NO_SUCH_MEMBER: "会员不存在", MEMBER_BLOCKED: "会员已冻结",
    LIMIT_EXCEEDED: "超出限额", INVALID_AMOUNT: "数额无效", NOT_SUPPORTED: "不支持",
    EXCEEDS_ORIGINAL: "超出原订单", OTHER: "其他", CALLBACK: "回调未被接受",
  },
};

const find = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem("language") ?? navigator.language;
let language = asked.startsWith("zh") ? "zh" : "en";
let shown = null;
const label = (key) => LABELS[language][key] ?? key;

function cell(content, kind = "") {
  const made = document.createElement("td");
  made.className = kind;
  made.append(content ?? "");
  return made;
}

function fill(id, rows, empty) {
  const body = find(id);
  const columns = body.parentElement.querySelectorAll("th").length;
  const made = rows.map((cells) => {
    const row = document.createElement("tr");
    row.append(...cells);
    return row;
  });
  if (!made.length) {
    const row = document.createElement("tr");
    row.className = "empty";
    row.append(cell(label(empty)));
    row.firstChild.colSpan = columns;
    made.push(row);
  }
  body.replaceChildren(...made);
}

function options(select, values, first) {
  const before = select.value;
  const made = values.map(([value, text]) => new Option(text, value));
  if (first) made.unshift(new Option(first, ""));
  select.replaceChildren(...made);
  if (before) select.value = before;
}

const today = () => new Date().toISOString().slice(0, 10);
const instant = (text) => (text.startsWith(today()) ? text.slice(11, 19) : text.slice(0, 19).replace("T", " "));
const named = (behaviour) => shown.behaviours.find((one) => one.name === behaviour)?.[language] ?? label(behaviour);
const played = (play) => [named(play.behaviour), play.reason && label(play.reason), play.ms && `${play.ms} ms`].filter(Boolean).join(label("comma"));

function badge(status) {
  const made = document.createElement("span");
  made.className = `badge ${status}`;
  made.append(label(status));
  return made;
}

function detail(order) {
  const words = [order.code === "00" ? "" : label(order.code), order.message];
  if (order.of) words.push(`${label("of")} ${order.of}`);
  if (order.status === "PENDING") words.push(`${label("due")} ${order.dueAt ? instant(order.dueAt) : label("asked")}`);
  return words.filter(Boolean).join(" · ");
}

function rights(member) {
  const may = [member.maySpend && label("spend"), member.mayEarn && label("earn")].filter(Boolean);
  return may.join(" · ") || label("nothing");
}

function words() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = label("title");
  for (const one of document.querySelectorAll("[data-label]")) one.textContent = label(one.dataset.label);
  for (const one of document.querySelectorAll("[data-placeholder]")) one.placeholder = label(one.dataset.placeholder);
  find("language").textContent = label("other");
}

function choices() {
  const form = find("script-form");
  options(form.operation, shown.targets.map((name) => [name, label(name)]), label("anyOrder"));
  options(form.behaviour, shown.behaviours.map((one) => [one.name, one[language]]));
  options(form.reason, shown.reasons.map((name) => [name, label(name)]));
  needed();
}

function needed() {
  const behaviour = find("script-form").behaviour.value;
  find("reason").hidden = !["REFUSED", "PENDING_THEN_FAILURE"].includes(behaviour);
  find("ms").hidden = !(behaviour === "SLOW" || behaviour.startsWith("PENDING") || behaviour.endsWith("CALLBACK"));
}

function show() {
  const { programme } = shown;
  const facts = [programme.unit, `${label("authentication")}: ${programme.authentication}`];
  if (programme.nightly) facts.push(`${label("nightly")}: ${label(programme.nightly)}`);
  find("facts").textContent = facts.join(" · ");
  find("night").hidden = !programme.nightly && !shown.orders.some((order) => order.status === "PENDING");
  find("magic-section").hidden = !programme.magic;
  find("clear").hidden = !shown.scripts.length;
  find("callback-url").textContent = programme.callbacks ? `${label("sentTo")} ${programme.callbacks}` : label("noCallbacks");
  fill("members", shown.members.map((one) => [
    cell(one.member, "mono"), cell(one.familyName), cell(one.available, "number"), cell(one.held, "number"), cell(rights(one)),
  ]), "noMembers");
  fill("orders", shown.orders.map((one) => [
    cell(instant(one.at), "brief"), cell(one.reference, "mono"), cell(label(one.operation), "brief"), cell(one.member, "mono"),
    cell(one.amount, "number"), cell(badge(one.status), "brief"), cell(detail(one)),
  ]), "noOrders");
  fill("scripts", shown.scripts.map((one) => [
    cell(String(one.left), "number"), cell(one.operation ? label(one.operation) : label("anyOrder")),
    cell(one.member ?? label("any")), cell(played(one)),
  ]), "noScripts");
  fill("incidents", shown.incidents.map((one) => [
    cell(instant(one.at), "brief"), cell(one.reference, "mono"),
    cell(one.kind === "CALLBACK" ? one.sentence : named(one.kind)),
  ]), "noIncidents");
  fill("callbacks", shown.callbacks.map((one) => [
    cell(one.reference, "mono"), cell(String(one.tries), "number"),
    cell([one.outcome, one.dueAt && `${label("due")} ${instant(one.dueAt)}`].filter(Boolean).join(" · ")),
  ]), "noCalls");
  find("magic").replaceChildren(...shown.magic.map((one) => {
    const row = document.createElement("li"), digits = document.createElement("code");
    digits.append(`…${one.digits}`);
    row.append(digits, played(one));
    return row;
  }));
}

async function refresh() {
  try {
    const answer = await fetch("/sandbox/state");
    const first = shown === null;
    shown = await answer.json();
    if (first) choices();
    show();
    find("connection").className = "";
    find("connection").textContent = label("fresh");
  } catch {
    find("connection").className = "lost";
    find("connection").textContent = label("lost");
  }
}

async function send(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  find("problem").textContent = answer.ok ? "" : (await answer.json()).message;
  await refresh();
}

find("script-form").addEventListener("change", needed);
find("script-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { next, operation, member, behaviour, reason, ms } = event.target;
  const body = { next: Number(next.value), behaviour: behaviour.value };
  if (operation.value) body.operation = operation.value;
  if (member.value) body.member = member.value;
  if (!find("reason").hidden) body.reason = reason.value;
  if (!find("ms").hidden) body.ms = Number(ms.value);
  send("POST", "/sandbox/script", body);
});
find("member-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { member, familyName, available, blocked } = event.target;
  const free = !blocked.checked;
  const body = { member: member.value, familyName: familyName.value, available: available.value, maySpend: free, mayEarn: free };
  send("POST", "/sandbox/members", body);
});
find("night").addEventListener("click", () => send("POST", "/sandbox/night"));
find("clear").addEventListener("click", () => send("DELETE", "/sandbox/script"));
find("language").addEventListener("click", () => {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem("language", language);
  words();
  choices();
  show();
});

words();
await refresh();
setInterval(refresh, REFRESH_MS);
