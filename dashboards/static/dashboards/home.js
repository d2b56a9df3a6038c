// Asks for the overview again and again and writes it into the page. Texts only ever become text nodes.
"use strict";

const refresh = Number(document.body.dataset.refresh);
const number = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 8, useGrouping: false });
const rounded = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const byId = (id) => document.getElementById(id);
const lastPrices = new Map();
// What a trader looks for first, and what says little in a list.
const FIRST = ["asset", "price", "quantity", "mid_price", "bid_price", "ask_price", "best_bid", "best_ask", "entry_price", "exit_price",
  "realized_pnl", "total_pnl", "total", "order_type", "reject_reason", "reason", "message", "strategy_name", "path", "element_id", "key", "method"];
const HIDDEN = /^(symbol|side|taker_side|source|kind|schema_version)$|(^|_)id$/;
let seenAt = 0;
let paused = false;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(id, value) { byId(id).textContent = number.format(value); }

function fill(id, items, empty) {
  byId(id).replaceChildren(...(items.length ? items : [element("li", empty, "empty")]));
}

function row(name, value, className) {
  const item = element("li");
  item.append(element("span", name), element("b", value, className));
  return item;
}

function part(name, tone, state, note) {
  const item = byId(`part-${name}`);
  item.className = tone;
  item.querySelector(".state").textContent = state;
  item.querySelector(".note").textContent = note;
}

function showParts(health, topics = [], estimate = 0) {
  const consumer = health.consumer;
  const tone = (state) => (state === "connected" ? "good" : "bad");
  const lag = consumer.lag === null ? "?" : number.format(consumer.lag);
  const days = health.partitions_ahead;
  const tones = { running: "good", absent: "warn", stale: "warn", unknown: "bad", stopped: "bad" };
  const notes = { absent: "has not run yet", stale: "no sign of life", unknown: "needs PostgreSQL" };
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions, 0);
  part("kafka", tone(health.kafka), health.kafka, partitions ? `${topics.length} topics, ${partitions} partitions` : "events of the platform");
  part("consumer", tones[consumer.status], consumer.status,
    notes[consumer.status] || (consumer.stopped.length ? consumer.stopped.join(", ") : `${lag} records behind`));
  part("cache", tone(health.cache), health.cache, "batches on their way");
  part("database", days !== null && days < 1 && health.database === "connected" ? "warn" : tone(health.database),
    health.database, days === null ? "stores the events" : estimate ? `about ${number.format(estimate)} events` : "no events yet");
  const latency = health.latency;
  part("api", "good", "answering", latency.p99 ? `p50 ${rounded.format(latency.p50)} ms, p99 ${rounded.format(latency.p99)} ms` : "no requests yet");
}

function showStatus(status, problems) {
  const tones = { healthy: "good", degraded: "warn", unhealthy: "bad" };
  byId("status").textContent = status;
  byId("status").className = `pill ${tones[status] || "bad"}`;
  byId("problems").hidden = problems.length === 0;
  byId("problems").replaceChildren(...problems.map((problem) => element("li", problem)));
}

function showRates(figures) {
  const rates = figures.stored_per_second;
  const rate = rates[rates.length - 1];
  byId("rate").textContent = (rate < 100 ? rounded : number).format(rate < 100 ? rate : Math.round(rate));
  for (const name of ["received", "stored", "duplicates", "refused"]) show(name, figures[name]);
  const balanced = figures.received === figures.stored + figures.duplicates + figures.refused;
  byId("balanced").textContent = balanced ? "✓ all accounted for" : "✗ does not add up";
  byId("balanced").className = balanced ? "ok" : "bad";
  draw(rates);
}

function draw(rates) {
  const top = ceiling(Math.max(...rates, 1));
  const x = (index) => (600 * index) / (rates.length - 1);
  const y = (rate) => 149 - (147 * rate) / top;
  const points = rates.map((rate, index) => `${x(index).toFixed(1)},${y(rate).toFixed(1)}`).join("L");
  byId("chart-line").setAttribute("d", `M${points}`);
  byId("chart-area").setAttribute("d", `M0,150L${points}L600,150Z`);
  byId("chart-top").textContent = `${number.format(top)}/s`;
}

function ceiling(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((step) => step * size).find((step) => step >= value);
}

function showPrices(prices) {
  const tiles = Object.entries(prices).map(([symbol, text]) => {
    const price = Number(text);
    const before = lastPrices.get(symbol) ?? price;
    lastPrices.set(symbol, price);
    const tile = element("div");
    const tone = price > before ? "buy" : price < before ? "sell" : "";
    tile.append(element("span", symbol), element("b", text, tone));
    return tile;
  });
  byId("market").hidden = tiles.length === 0;
  byId("prices").replaceChildren(...tiles);
}

function showBusiest(types) {
  const counts = Object.entries(types);
  const most = Math.max(...counts.map(([, count]) => count), 1);
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  fill("busiest", counts.map(([name, count]) => {
    const item = row(name, `${rounded.format((100 * count) / all)} %`);
    item.style.setProperty("--share", `${(100 * count) / most}%`);
    return item;
  }), "Nothing arrived in the last minute.");
}

function showLists(seen) {
  fill("topics", seen.topics.map((topic) => {
    const stopped = topic.stopped.length > 0;
    return row(topic.topic, stopped ? `stopped: ${topic.stopped[0].reason}` : number.format(topic.lag), stopped ? "bad" : "");
  }), "No topic was read yet.");
  fill("letters", Object.entries(seen.dead_letters).map(([reason, count]) =>
    row(reason.replaceAll("_", " "), number.format(count), "warn")), "None: everything that arrived could be stored.");
}

function what(event) {
  const p = event.properties;
  const cell = element("td", undefined, "what");
  const side = String(p.side ?? p.taker_side ?? "");
  if (typeof p.symbol === "string") cell.append(element("b", p.symbol), " ");
  if (side) cell.append(element("b", side, /buy|long/i.test(side) ? "buy" : "sell"), " ");
  const plain = Object.entries(p).filter(([name, value]) => !HIDDEN.test(name) && value !== null && typeof value !== "object");
  const rank = ([name]) => (FIRST.indexOf(name) + 1 || FIRST.length + 1);
  plain.sort((a, b) => rank(a) - rank(b));
  cell.append(plain.slice(0, 4).map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" ? short.format(value) : String(value).slice(0, 40)}`).join(" · "));
  return cell;
}

function showLatest(events) {
  byId("no-events").hidden = events.length > 0;
  byId("latest").replaceChildren(...events.map((event) => {
    const line = element("tr");
    const time = element("td");
    const link = element("a", event.timestamp.slice(11, 19));
    link.append(element("span", event.timestamp.slice(19, 23).replace("Z", ""), "fraction"));
    link.href = `/api/v1/events/${event.id}?timestamp=${encodeURIComponent(event.timestamp)}`;
    time.append(link);
    line.append(time, element("td", event.event_type), what(event), element("td", event.user_id ?? event.session_id ?? ""));
    return line;
  }));
}

async function ask(address) {
  const response = await fetch(address, { signal: AbortSignal.timeout(10000) });
  return { ok: response.ok, answer: await response.json() };
}

async function look() {
  try {
    const { ok, answer: seen } = await ask(document.body.dataset.overview);
    if (!ok) return await showOutage(seen);
    document.body.classList.remove("away");
    showStatus(seen.health.status, seen.health.problems);
    showParts(seen.health, seen.topics, seen.events_estimate);
    showRates(seen.ingestion);
    showPrices(seen.prices);
    showBusiest(seen.busiest);
    showLists(seen);
    if (!paused) showLatest(seen.latest);
    seenAt = Date.now();
  } catch (error) {
    document.body.classList.add("away");
    showStatus("no answer", [error.name === "TypeError" ? "The service does not answer; trying again." : error.message]);
  }
}

// The database cannot be asked; which part is away is known all the same.
async function showOutage(error) {
  document.body.classList.add("away");
  const { answer: health } = await ask("/healthz");
  showStatus(health.status, health.problems.length ? health.problems : [`${error.error}: ${error.details}`]);
  showParts(health);
}

async function follow() {
  if (!document.hidden) await look();
  setTimeout(follow, refresh);
}

byId("pause").addEventListener("click", (click) => {
  paused = !paused;
  click.target.textContent = paused ? "Resume" : "Pause";
  click.target.setAttribute("aria-pressed", paused);
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
byId("every").textContent = refresh < 1000 ? `${refresh} ms` : `${refresh / 1000} s`;
setInterval(() => {
  if (seenAt) byId("age").textContent = `last answer ${Math.round((Date.now() - seenAt) / 1000)} s ago`;
}, 1000);
follow();
