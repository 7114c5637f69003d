"use strict";
// Draws the report from the JSON beside it. Times arrive as seconds on the exchange's clock and are shown as
// such: the reader's own time zone must not move a candle.
const report = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ");
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const grouped = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const rupees = (value) => (value < 0 ? "-₹" : "₹") + grouped.format(Math.abs(value));
// Whole rupees with their sign, rounded as the other figures of the page are.
const whole = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 0, signDisplay: "never" });
const gained = (value) => (value <= -0.5 ? "-₹" : value >= 0.5 ? "+₹" : "₹") + whole.format(value);

function short(seconds) {
  const text = clock(seconds);
  return `${+text.slice(8, 10)} ${months[+text.slice(5, 7) - 1]} ${text.slice(2, 4)} ${text.slice(11, 16)}`;
}

function layout(changes) {
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), automargin: true };
  const made = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", separators: ".,",
    font: { color: colour("ink"), size: 13, family: getComputedStyle(document.body).fontFamily },
    margin: { l: 60, r: 12, t: 32, b: 36 }, hovermode: "x unified", showlegend: false, dragmode: "zoom",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("faint"), activecolor: colour("own") },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink") } },
  };
  for (const [name, value] of Object.entries(changes)) {
    made[name] = /^[xy]axis/.test(name) ? { ...axis, ...value } : value;
  }
  return made;
}

// Lakhs and crores: 1,00,000. With it "$" in a format is a rupee behind its sign.
Plotly.register({ moduleType: "locale", name: "en-IN", dictionary: {},
  format: { grouping: [3, 2, 2, 2, 2, 2], currency: ["₹", ""], date: "%d/%m/%Y" } });
const WHOLE = "$,.0f";
const tools = { responsive: true, displaylogo: false, locale: "en-IN",
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]] };

function draw(id, traces, changes, bar = true) {
  const place = byId(id);
  if (!place.classList.contains("js-plotly-plot")) place.replaceChildren();
  place.classList.remove("empty");
  Plotly.react(place, traces, layout(changes), { ...tools, displayModeBar: bar ? "hover" : false });
}

function nothing(id, text) {
  const place = byId(id);
  Plotly.purge(place);
  place.textContent = text;
  place.classList.add("empty");
}

// -- curves -------------------------------------------------------------------------------------------

function drawEquity() {
  const { t, own, held, below } = report.curve;
  if (!t.length) { nothing("equity", "No candles in this period."); return; }
  const x = t.map(clock);
  draw("equity", [
    { x, y: held, name: "buy & hold", mode: "lines", line: { color: colour("held"), width: 1.4 }, hovertemplate: `%{y:${WHOLE}}` },
    { x, y: own, name: report.name, mode: "lines", line: { color: colour("own"), width: 2 }, hovertemplate: `%{y:${WHOLE}}` },
    { x, y: below, name: "below the peak", mode: "lines", yaxis: "y2", fill: "tozeroy", showlegend: false, line: { color: colour("loss"), width: 1.2 },
      hovertemplate: "%{y:.2f}%" },
  ], {
    xaxis: { anchor: "y2", type: "date" }, yaxis: { domain: [0.34, 1], tickformat: WHOLE },
    yaxis2: { domain: [0, 0.27], ticksuffix: "%" }, showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    margin: { l: 70, r: 12, t: 56, b: 36 },
  });
}

function drawMonths() {
  const { years, names, share, made } = report.months;
  if (!years.length) { nothing("months", "No months."); return; }
  const text = share.map((row) => row.map((v) => (v === null ? "" : (v > 0 ? "+" : "") + v.toFixed(1) + "%")));
  const told = made.map((row) => row.map((v) => (v === null ? "" : rupees(v))));
  const year = years.map((y, n) => `${y}  ${gained(made[n].reduce((sum, v) => sum + (v || 0), 0))}`);
  const most = Math.max(...share.flat().map((v) => Math.abs(v || 0)), 0.1);
  byId("months").style.height = `${40 + 46 * years.length}px`;
  draw("months", [{
    type: "heatmap", x: names, y: year, z: share, text, customdata: told, texttemplate: "%{text}", showscale: false, xgap: 2, ygap: 2,
    zmin: -most, zmax: most, hovertemplate: "%{x} %{y}: %{text}, %{customdata}<extra></extra>",
    colorscale: [[0, colour("loss")], [0.5, colour("panel")], [1, colour("gain")]],
  }], { xaxis: { type: "category", showgrid: false }, yaxis: { type: "category", autorange: "reversed", showgrid: false }, hovermode: "closest",
    margin: { l: 60, r: 12, t: 4, b: 30 } }, false);
}

function drawDays() {
  const { d, made } = report.days;
  if (!d.length) { nothing("days", "No days."); return; }
  draw("days", [{ type: "bar", x: d, y: made, marker: { color: made.map((v) => colour(v < 0 ? "loss" : "gain")) },
    hovertemplate: "%{y:$,.2f}<extra></extra>" }],
  { xaxis: { type: "date" }, yaxis: { tickformat: WHOLE }, bargap: 0.1 });
}

// -- trades -------------------------------------------------------------------------------------------

const trades = report.trades;

function drawSpread() {
  if (!trades.n.length) { nothing("spread", "No trades."); nothing("against", "No trades."); return; }
  const mean = trades.net.reduce((a, b) => a + b, 0) / trades.net.length;
  draw("spread", [{ type: "histogram", x: trades.net, nbinsx: 60, marker: { color: colour("own") }, hovertemplate: "%{x}: %{y} trades<extra></extra>" }], {
    xaxis: { tickformat: WHOLE }, yaxis: {}, hovermode: "closest", bargap: 0.05,
    shapes: [{ type: "line", x0: mean, x1: mean, yref: "paper", y0: 0, y1: 1, line: { color: colour("loss"), width: 2, dash: "dot" } }],
    annotations: [{ x: mean, y: 1, yref: "paper", text: `mean ${rupees(mean)}`, showarrow: false, xanchor: "left", xshift: 5 }],
  });
  const won = (sign) => trades.n.map((_, n) => n).filter((n) => (trades.net[n] > 0) === sign);
  const cloud = (rows, name) => ({
    x: rows.map((n) => trades.against[n]), y: rows.map((n) => trades.net[n]), customdata: rows, mode: "markers", name,
    marker: { color: colour(name === "won" ? "gain" : "loss"), size: 5, opacity: 0.6 }, hovertemplate: "%{x:.2f}% against, %{y:$,.0f}<extra></extra>",
  });
  draw("against", [cloud(won(true), "won"), cloud(won(false), "lost")], {
    xaxis: { ticksuffix: "%", title: { text: "worst price while held, from the entry" } },
    yaxis: { tickformat: WHOLE }, hovermode: "closest", margin: { l: 60, r: 12, t: 32, b: 50 },
  });
}

const head = [["#", "n"], ["Symbol", "symbol"], ["Side", "side"], ["Quantity", "quantity"], ["Entered", "entry"], ["At ₹", "bought"],
  ["Left", "exit"], ["At ₹", "left"], ["Exit", "reason"], ["P&L", "pnl"], ["Charges", "charges"], ["Net", "net"], ["Strategy", "leg"]];
const words = { symbol: (v) => report.symbols[v], side: (v) => (v > 0 ? "long" : "short"), reason: (v) => report.reasons[v],
  leg: (v) => report.legs[v], n: (v) => v + 1, entry: short, exit: short, quantity: String };
const view = { key: "n", down: false, page: 0, rows: [], chosen: -1 };
const LINES = 25;

function sorted() {
  const picks = ["symbol", "reason", "side"].map((name) => [name, byId("by" + name).value]).filter(([, value]) => value !== "");
  const column = trades[view.key];
  view.rows = trades.n.map((_, n) => n).filter((n) => picks.every(([name, value]) => String(trades[name][n]) === value));
  view.rows.sort((a, b) => (column[a] - column[b] || a - b) * (view.down ? -1 : 1));
  view.page = 0;
  list();
}

function list() {
  const body = document.querySelector("#trades tbody");
  const last = Math.max(Math.ceil(view.rows.length / LINES) - 1, 0);
  view.page = Math.min(Math.max(view.page, 0), last);
  body.replaceChildren(...view.rows.slice(view.page * LINES, (view.page + 1) * LINES).map(line));
  byId("counted").textContent = `${view.rows.length.toLocaleString("en-IN")} trades, ` +
    rupees(view.rows.reduce((sum, n) => sum + trades.net[n], 0)) + " net";
  byId("pageno").textContent = `${view.page + 1} of ${last + 1}`;
  byId("back").disabled = view.page === 0;
  byId("next").disabled = view.page === last;
}

function line(n) {
  const row = document.createElement("tr");
  row.tabIndex = 0;
  row.className = n === view.chosen ? "chosen" : "";
  for (const [, key] of head) {
    const cell = row.insertCell();
    const value = trades[key][n];
    cell.textContent = words[key] ? words[key](value) : grouped.format(value);
    if (["symbol", "side", "reason", "leg"].includes(key)) cell.className = "word";
    if (key === "net") cell.className = value < 0 ? "loss" : "gain";
  }
  row.onclick = () => choose(n, true);
  row.onkeydown = (event) => { if (event.key === "Enter") choose(n, true); };
  return row;
}

function choose(n, scroll) {
  view.chosen = n;
  list();
  drawCandles();
  if (scroll) byId("one").scrollIntoView({ behavior: "smooth", block: "start" });
}

// -- one trade ----------------------------------------------------------------------------------------

const unpacked = {};

function candlesOf(symbol) {
  const p = report.candles[symbol];
  if (!unpacked[symbol]) {
    const made = { t: [], o: [], h: [], l: [], c: [] };
    let time = 0, close = 0;
    for (let n = 0; n < p.t.length; n++) {
      const open = close + p.o[n];
      time += p.t[n];
      close += p.c[n];
      made.t.push(time); made.o.push(open / 100); made.h.push((open + p.h[n]) / 100);
      made.l.push((open + p.l[n]) / 100); made.c.push(close / 100);
    }
    unpacked[symbol] = made;
  }
  return unpacked[symbol];
}

function drawCandles() {
  const n = view.chosen;
  if (n < 0) return;
  const symbol = report.symbols[trades.symbol[n]], side = trades.side[n], chart = report.charts[trades.n[n]];
  byId("which").textContent = `#${trades.n[n] + 1} ${symbol}, ${side > 0 ? "long" : "short"} ${trades.quantity[n]}: ` +
    `${short(trades.entry[n])} at ₹${grouped.format(trades.bought[n])} to ${short(trades.exit[n])} at ₹${grouped.format(trades.left[n])}, ` +
    `${report.reasons[trades.reason[n]]}, ${rupees(trades.net[n])} net`;
  if (!chart) { nothing("candles", "The candles of this trade are not in this file."); return; }
  const all = candlesOf(trades.symbol[n]), [first, last, entry, exit] = chart.at;
  const cut = (column) => all[column].slice(first, last + 1);
  const x = cut("t").map(short);
  const traces = [{
    type: "candlestick", x, open: cut("o"), high: cut("h"), low: cut("l"), close: cut("c"), name: symbol,
    increasing: { line: { color: colour("gain"), width: 1 } }, decreasing: { line: { color: colour("loss"), width: 1 } },
  }];
  const during = x.slice(entry - first, exit - first + 1);
  const level = (value, name, shade) => value !== undefined && traces.push({
    x: during, y: Array.isArray(value) ? value.map((v) => v / 100) : during.map(() => value / 100), mode: during.length > 1 ? "lines" : "markers", name,
    line: { color: shade, width: 2, dash: "dash", shape: "hvh" }, marker: { symbol: "line-ew-open", size: 18, color: shade }, hovertemplate: "%{y:$,.2f}",
  });
  level(chart.stop, "stop", colour("loss"));
  level(chart.target, "target", colour("gain"));
  traces.push({ x: [x[entry - first], x[exit - first]], y: [trades.bought[n], trades.left[n]], mode: "lines", hoverinfo: "skip", showlegend: false,
    line: { color: colour("own"), width: 1.5, dash: "dot" } });
  const mark = (at, price, name, up) => traces.push({ x: [x[at - first]], y: [price], mode: "markers", name, hovertemplate: "%{y:$,.2f}",
    marker: { symbol: up ? "triangle-up" : "triangle-down", size: 15, color: colour("own"), line: { color: colour("paper"), width: 1.5 } } });
  mark(entry, trades.bought[n], "entry", side > 0);
  mark(exit, trades.left[n], "exit", side < 0);
  draw("candles", traces, {
    xaxis: { type: "category", nticks: innerWidth < 600 ? 2 : 8, rangeslider: { visible: false }, tickangle: 0, showgrid: false },
    yaxis: { tickformat: "$,.2f" }, showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom" }, margin: { l: 70, r: 30, t: 64, b: 40 },
  });
}

// -- start --------------------------------------------------------------------------------------------

function everything() { drawEquity(); drawMonths(); drawDays(); drawSpread(); drawCandles(); }

function start() {
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  const used = (name) => [...new Set(trades[name])].sort((a, b) => a - b);
  byId("bysymbol").append(...used("symbol").map((n) => option(n, report.symbols[n])));
  byId("byreason").append(...used("reason").map((n) => option(n, report.reasons[n])));
  for (const name of ["bysymbol", "byreason", "byside"]) byId(name).onchange = sorted;
  const top = document.querySelector("#trades thead").insertRow();
  for (const [text, key] of head) {
    const cell = Object.assign(document.createElement("th"), { textContent: text, onclick: () => {
      view.down = view.key === key ? !view.down : key !== "n";
      view.key = key;
      sorted();
    } });
    if (["symbol", "side", "reason", "leg"].includes(key)) cell.className = "word";
    top.append(cell);
  }
  byId("back").onclick = () => { view.page -= 1; list(); };
  byId("next").onclick = () => { view.page += 1; list(); };
  byId("theme").onclick = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    everything();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", everything);
  sorted();
  everything();
  const charted = trades.n.map((_, n) => n).filter((n) => report.charts[trades.n[n]]);
  if (charted.length) choose(charted.reduce((a, b) => (Math.abs(trades.net[b]) > Math.abs(trades.net[a]) ? b : a)), false);
  byId("against").on?.("plotly_click", (event) => choose(event.points[0].customdata, true));
}

start();
