/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks for /api/now.json at each interval and draws it. What programs call their things is set as text, never as
 * markup.
 */
"use strict";

const NS = "http://www.w3.org/2000/svg";
const CHARTS = [
  {id: "memory", stacked: true, format: bytes, what: "Memory over time",
   series: [["needs", "needed"], ["store", "saved by stores"], ["ksm", "saved by KSM"]]},
  {id: "saved", stacked: false, format: bytes, what: "Memory saved over time",
   series: [["store", "by stores"], ["ksm", "by KSM"]]},
  {id: "cost", stacked: false, format: percent, what: "Processor time over time",
   series: [["ksmd", "ksmd"], ["keeper", "keepers"], ["work", "steps of sharing"], ["own", "this exporter"]]},
];

let now = null;
let timer = 0;

function byId(id) {
  return document.getElementById(id);
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (value >= 1024 && unit + 1 < units.length) {
    value /= 1024;
    unit++;
  }
  return (unit && value < 100 ? value.toFixed(1) : Math.round(value)) + " " + units[unit];
}

/* The history has hundredths of a percent. */
function percent(value) {
  return (value / 100).toFixed(value < 1000 ? 2 : 1) + " %";
}

function element(name, properties, children) {
  const made = Object.assign(document.createElement(name), properties || {});
  made.append(...children || []);
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const key in attributes)
    made.setAttribute(key, attributes[key]);
  if (text !== undefined)
    made.textContent = text;
  return made;
}

/* --- charts ------------------------------------------------------------------------------------- */

/* The lowest round number that is not below the value: of bytes a power of two times 1, 1.5 or so. */
function ceiling(value, isBytes) {
  if (value <= 0)
    return isBytes ? 1048576 : 100;
  const base = isBytes ? 2 : 10;
  const power = Math.pow(base, Math.floor(Math.log(value) / Math.log(base)));
  for (const factor of isBytes ? [1, 1.25, 1.5, 1.75, 2] : [1, 2, 4, 6, 8, 10]) {
    if (value <= power * factor)
      return power * factor;
  }
  return power * base;
}

/* Lines of the chart: for each series the upper edge, and what lies below it. */
function edges(chart, history) {
  let below = history.time.map(() => 0);
  return chart.series.map(([key]) => {
    const from = chart.stacked ? below : history.time.map(() => 0);
    const to = history[key].map((value, i) => value + from[i]);
    below = to;
    return {key, from, to};
  });
}

function path(points) {
  return points.map(([x, y], i) => (i ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1)).join("");
}

function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit"});
}

function showValues(chart, history, index) {
  const list = byId(chart.id).querySelector(".key");
  list.replaceChildren(...chart.series.map(([key, title]) =>
    element("li", {className: key, textContent: title + " " + chart.format(history[key][index] || 0)})));
}

/* Where a pointer rests on a chart, by its id: the next snapshot draws it anew, and nothing tells it that one is there. */
const pointedAt = {};

function drawChart(chart, history) {
  const box = byId(chart.id);
  const width = Math.max(240, box.clientWidth);
  const height = width < 500 ? 150 : 190;
  const left = 64, bottom = 20, top = 8;
  const count = history.time.length;
  const lines = edges(chart, history);
  const most = ceiling(Math.max(...lines.map(line => Math.max(...line.to, 0))), chart.format === bytes);
  const x = i => left + (count < 2 ? 0 : (width - left - 4) * i / (count - 1));
  const y = value => top + (height - top - bottom) * (1 - value / most);
  const svg = shape("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chart.what});

  for (let i = 0; i <= 2; i++) {
    const value = most * i / 2;
    svg.append(shape("line", {class: "grid", x1: left, x2: width - 4, y1: y(value), y2: y(value)}),
               shape("text", {x: left - 6, y: y(value) + 4, "text-anchor": "end"}, chart.format(value)));
  }
  svg.append(shape("text", {x: left, y: height - 4}, clock(history.time[0])),
             shape("text", {x: width - 4, y: height - 4, "text-anchor": "end"}, clock(history.time[count - 1])));
  for (const line of lines) {
    const upper = line.to.map((value, i) => [x(i), y(value)]);
    const lower = line.from.map((value, i) => [x(i), y(value)]).reverse();
    if (chart.stacked && count > 1)
      svg.append(shape("path", {class: "area " + line.key, d: path([...upper, ...lower]) + "Z"}));
    if (count > 1)
      svg.append(shape("path", {class: "stroke " + line.key, d: path(upper)}));
    else
      svg.append(shape("circle", {class: "area " + line.key, cx: upper[0][0] + 4, cy: upper[0][1], r: 3}));
  }
  const cursor = shape("line", {class: "cursor", y1: top, y2: height - bottom, visibility: "hidden"});
  svg.append(cursor);
  const point = at => {
    const index = Math.max(0, Math.min(count - 1, Math.round((at - left) / (width - left - 4) * (count - 1))));
    cursor.setAttribute("x1", x(index));
    cursor.setAttribute("x2", x(index));
    cursor.setAttribute("visibility", "visible");
    showValues(chart, history, index);
  };
  svg.addEventListener("pointermove", event => {
    pointedAt[chart.id] = event.clientX - svg.getBoundingClientRect().left;
    point(pointedAt[chart.id]);
  });
  svg.addEventListener("pointerleave", () => {
    delete pointedAt[chart.id];
    cursor.setAttribute("visibility", "hidden");
    showValues(chart, history, count - 1);
  });
  box.replaceChildren(element("ul", {className: "key"}), svg);
  showValues(chart, history, count - 1);
  if (chart.id in pointedAt)
    point(pointedAt[chart.id]);
}

/* --- tables -------------------------------------------------------------------------------------- */

function fill(table, columns, rows) {
  const head = element("tr", {}, columns.map(([title, name]) =>
    element("th", {scope: "col", className: name ? "name" : "", textContent: title})));
  const body = rows.map(cells => element("tr", {}, cells.map((cell, i) =>
    element("td", {className: columns[i][1] ? "name" : ""}, [cell].flat()))));
  table.replaceChildren(element("thead", {}, [head]), element("tbody", {}, body));
}

function saved(row) {
  const without = row.needs + row.ksm + row.store;
  return without ? Math.round(100 * (row.ksm + row.store) / without) + " %" : "";
}

function small(text) {
  return element("small", {textContent: text});
}

function drawGroups() {
  fill(byId("groups"), [["Group", true], ["Processes"], ["Needs"], ["Saved"], ["by KSM"], ["by stores"], ["Swap"]],
       now.groups.map(row => [
         row.container ? [row.group || "(no group)", small("container " + row.container)] : row.group || "(no group)",
         String(row.processes), bytes(row.needs), saved(row), bytes(row.ksm), bytes(row.store), bytes(row.swapped)]));
}

function drawPlaces() {
  const age = now.report_time ? now.time - now.report_time : 0;
  byId("places-about").textContent = now.report_time
    ? `From the last whole report, made ${age < 120 ? Math.max(0, age) + " s" : Math.round(age / 60) + " min"} before this snapshot.`
    : "The first whole report is being made.";
  fill(byId("places"), [["Place", true], ["Held"], ["Private"], ["Saved by KSM"], ["From stores"]],
       now.places.slice().sort((a, b) => b.held - a.held).map(row =>
                             [[row.name, small([row.group, row.program].filter(Boolean).join(": "))],
                              bytes(row.held), bytes(row.private), bytes(row.saved), bytes(row.shared)]));
}

function drawTiles() {
  const last = key => now.history[key][now.history[key].length - 1] || 0;
  const tiles = [
    ["Processes", String(now.total.processes)],
    ["Needed", bytes(now.total.needs)],
    ["Saved by KSM", bytes(now.total.ksm)],
    ["Saved by stores", bytes(now.total.store)],
    ["Saved", saved(now.total) || "0 %"],
    ["KSM", now.ksm],
    ["ksmd", percent(last("ksmd"))],
    ["Keepers and steps", percent(last("keeper") + last("work"))],
  ];
  byId("tiles").replaceChildren(...tiles.map(([title, value]) =>
    element("div", {}, [element("dt", {textContent: title}), element("dd", {textContent: value})])));
}

/* --- all of it --------------------------------------------------------------------------------------- */

function say(text, late) {
  byId("about").textContent = text;
  byId("about").className = late ? "late" : "";
}

function draw() {
  byId("main").hidden = false;
  byId("host").textContent = now.host ? " on " + now.host : "";
  document.title = "ksmalloc" + (now.host ? " on " + now.host : "");
  drawTiles();
  for (const chart of CHARTS)
    drawChart(chart, now.history);
  drawGroups();
  drawPlaces();
}

async function refresh() {
  let pause = 1000;
  clearTimeout(timer);
  try {
    const answer = await fetch("api/now.json");
    if (answer.ok) {
      now = await answer.json();
      draw();
      pause = now.interval_ms;
      say(`Snapshot of ${clock(now.time)}, every ${now.interval_ms / 1000} s; ksmalloc ${now.version}, ` +
          `exporter ${bytes(now.resident)}`, false);
    } else if (answer.status === 401) {
      say("A token is needed: give it as the password.", true);
      return;
    }
  } catch (error) {
    pause = 5000;
    say("The exporter does not answer" + (now ? "; this is of " + clock(now.time) : "") + ".", true);
  }
  timer = setTimeout(refresh, pause);
}

const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");

function setTheme() {
  document.documentElement.dataset.theme = byId("theme").value || (systemIsDark.matches ? "dark" : "light");
}

setTheme();
byId("theme").addEventListener("change", setTheme);
systemIsDark.addEventListener("change", setTheme);
byId("flame-show").addEventListener("click", () => {
  byId("flame").hidden = false;
  byId("flame").src = "flame";
  byId("flame-show").textContent = "Load it anew";
});
window.addEventListener("resize", () => now && draw());
document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : refresh());
refresh();
