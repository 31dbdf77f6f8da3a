// SPDX-License-Identifier: BSD-2-Clause
//
// Draws the data of the page: bars of the groups, a flame graph, a table. Nothing is loaded, and what comes from
// programs is set as text only, never as markup.
"use strict";

(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const TITLES = data.values.map((value) => value[1]);
const HELP = data.values.map((value) => value[2]);
const KEYS = data.values.map((value) => value[0]);
const VALUE = Object.fromEntries(KEYS.map((key, index) => [key, index]));
// What can be chosen as the size of boxes and is a column of the table, in this order.
const SHOWN = ["held", "private", "merged", "saved", "shared"].map((key) => VALUE[key]);
const ROWS_AT_ONCE = 100;
const FEWEST_PIXELS = 2;
const FEWEST_FOR_TEXT = 24;
const WORTH_TELLING = 0.03;
const HUES = {native: 212, python: 42, php: 266, ruby: 350, perl: 188, lua: 232, script: 150};

const text = (number) => data.texts[number] ?? "";
const element = (id) => document.getElementById(id);

function make(tag, classes, content) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (content !== undefined) made.textContent = content;
  return made;
}

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (value >= 1023.95 && unit + 1 < units.length) {
    value /= 1024;
    unit++;
  }
  return value.toFixed(unit ? 1 : 0) + "\u00a0" + units[unit];
}

function percent(part, whole) {
  return whole ? (100 * part / whole).toFixed(1) + "\u00a0%" : "0\u00a0%";
}

const plural = (count, word) => count.toLocaleString("en") + " " + word + (count === 1 ? "" : word.endsWith("s") ? "es" : "s");

// For a column that is to stay narrow.
const shortened = (name) => (name.length > 60 ? name.slice(0, 57) + "..." : name);

// --- the data --------------------------------------------------------------------

// Frames of one function in one file are one box, whatever their lines.
const frames = data.frames.map((frame) => ({
  name: text(frame[0]), file: text(frame[1]), line: frame[2], module: text(frame[3]), language: text(frame[4]),
}));
const boxes = new Map();
for (const frame of frames) {
  const key = frame.name + "\n" + frame.file + "\n" + frame.module;
  if (!boxes.has(key)) boxes.set(key, boxes.size);
  frame.box = boxes.get(key);
  frame.words = (frame.name + " " + frame.file + " " + frame.module).toLowerCase();
}

const groups = data.groups.map((group) => ({
  name: text(group[0]) || "(no group)", layout: text(group[1]), processes: group[2], store: group[3], values: group[4],
}));

const origins = data.origins.map((origin, index) => {
  const stack = origin[6].map((frame) => frames[frame]);
  const name = origin[1] < 0 ? "(smaller origins)" : text(origin[1]);
  const program = text(origin[3]);
  return {
    index, id: origin[0], name, group: origin[2], program, processes: origin[4], values: origin[5],
    stack, // innermost first
    // Small blocks are samples: what is live is right to so much of it, and so is what is held.
    error: origin[5][VALUE.live] ? Math.min(1, origin[7] / origin[5][VALUE.live]) : 0,
    words: (name + " " + program + " " + origin[0] + " ").toLowerCase(),
  };
});

const matches = (origin, words) => !words || origin.words.includes(words) || origin.stack.some((frame) => frame.words.includes(words));

const state = {value: VALUE.held, group: -1, words: "", zoom: null, focus: null, sort: "value", up: false, rows: ROWS_AT_ONCE,
  open: new Set()};

// --- bars of the groups ------------------------------------------------------------

const PARTS = [
  ["private", "private", (group) => group.values[VALUE.private]],
  ["merged", "in pages of KSM", (group) => Math.max(0, group.values[VALUE.merged] - group.values[VALUE.saved])],
  ["store", "in the store", (group) => Math.min(group.store, group.values[VALUE.shared])],
  ["saved", "saved by KSM", (group) => group.values[VALUE.saved], true],
  ["saved-store", "saved by the store", (group) => Math.max(0, group.values[VALUE.shared] - group.store), true],
  ["fork", "saved by fork", (group) => group.values[VALUE.fork_shared], true],
];

function drawGroups() {
  const sums = groups.map((group) => PARTS.map((part) => part[2](group)));
  const most = Math.max(1, ...sums.map((parts) => parts.reduce((sum, part) => sum + part, 0)));
  const used = PARTS.map((part, i) => sums.some((parts) => parts[i] > 0));
  PARTS.forEach((part, i) => {
    if (used[i]) element("legend").append(make("li", "part-" + part[0], part[1]));
  });
  groups.forEach((group, number) => {
    const row = make("div", "bar-row");
    const title = make("div", "bar-title");
    const bar = make("div", "bar");
    const whole = sums[number].reduce((sum, part) => sum + part, 0);
    const saved = PARTS.reduce((sum, part, i) => sum + (part[3] ? sums[number][i] : 0), 0);
    const name = make("strong", "name", group.name);
    const words = plural(group.processes, "process") + ", layout " + group.layout + ": uses " + bytes(whole - saved) +
      (saved ? " instead of " + bytes(whole) : "");
    title.append(name, make("span", "", words));
    bar.setAttribute("role", "img");
    bar.setAttribute("aria-label", PARTS.filter((part, i) => sums[number][i])
      .map((part) => part[1] + " " + bytes(part[2](group))).join(", ") || "nothing");
    PARTS.forEach((part, i) => {
      if (!sums[number][i]) return;
      const piece = make("i", "part-" + part[0]);
      piece.style.width = 100 * sums[number][i] / most + "%";
      piece.title = part[1] + ": " + bytes(sums[number][i]);
      bar.append(piece);
    });
    row.append(title, bar);
    element("groups").append(row);
  });
  if (!groups.length) element("groups").append(make("p", "empty", "No process was read."));
}

// --- the flame graph ----------------------------------------------------------------

function child(node, key, frame, name, kind) {
  let found = node.children.get(key);
  if (!found) {
    found = {name, frame, kind, parent: node, depth: node.depth + 1, children: new Map(), value: 0, place: 0};
    node.children.set(key, found);
  }
  return found;
}

function buildTree() {
  const root = {name: "all", frame: null, kind: "root", parent: null, depth: 0, children: new Map(), value: 0, place: 0};
  for (const origin of origins) {
    const value = origin.values[state.value];
    if (!value || (state.group >= 0 && origin.group !== state.group)) continue;
    let node = root;
    root.value += value;
    const group = groups[origin.group];
    node = child(node, "g" + origin.group, null, group.name + (groups.length > 1 ? " (" + group.layout + ")" : ""), "root");
    node.value += value;
    if (origin.program) {
      node = child(node, "p" + origin.program, null, origin.program, "root");
      node.value += value;
    }
    for (let i = origin.stack.length - 1; i >= 0; i--) {
      const frame = origin.stack[i];
      node = child(node, frame.box, frame, frame.name, "frame");
      node.value += value;
    }
  }
  return root;
}

// Gives each node its place in the unit interval, the largest first.
function placeChildren(node) {
  const pending = [node];
  while (pending.length) {
    const parent = pending.pop();
    let place = parent.place;
    parent.sorted = [...parent.children.values()].sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
    for (const next of parent.sorted) {
      next.place = place;
      place += next.value;
      pending.push(next);
    }
  }
}

// A node of another tree is the same if its way from the root is.
function pathOf(node) {
  const path = [];
  for (; node && node.parent; node = node.parent) path.unshift(node.frame ? node.frame.box : node.name);
  return path;
}

function findPath(root, path) {
  let node = root;
  for (const step of path) {
    const next = [...node.children.values()].find((each) => (each.frame ? each.frame.box : each.name) === step);
    if (!next) return node;
    node = next;
  }
  return node;
}

let tree = null;
let drawn = []; // nodes that have a box, row by row

const isHit = (node) => Boolean(state.words) && (node.frame ? node.frame.words : node.name.toLowerCase()).includes(state.words);

function nodesToDraw(zoom, width) {
  const list = [];
  for (let node = zoom.parent; node; node = node.parent) list.push(node);
  list.reverse();
  const pending = [zoom];
  while (pending.length) {
    const node = pending.pop();
    if (node.value / zoom.value * width < FEWEST_PIXELS && node !== zoom) continue;
    list.push(node);
    for (let i = node.sorted.length - 1; i >= 0; i--) pending.push(node.sorted[i]);
  }
  return list;
}

function drawBox(node, zoom, width, rowHeight) {
  const outer = node.depth < zoom.depth;
  const wide = outer || node.value / zoom.value * width >= FEWEST_FOR_TEXT;
  const box = make("button", "frame " + node.kind, wide ? node.name : "");
  box.type = "button";
  box.tabIndex = -1;
  box.setAttribute("role", "treeitem");
  box.setAttribute("aria-level", node.depth + 1);
  box.setAttribute("aria-label", node.name + ", " + bytes(node.value));
  box.style.left = outer ? "0" : 100 * (node.place - zoom.place) / zoom.value + "%";
  box.style.width = outer ? "100%" : 100 * node.value / zoom.value + "%";
  box.style.top = node.depth * rowHeight + "px";
  if (node.frame) {
    const spread = node.frame.box * 2654435761 % 4294967296;
    box.style.setProperty("--hue", (HUES[node.frame.language] ?? 212) + spread % 25 - 12);
    box.style.setProperty("--shade", spread % 9 - 4 + "%");
  }
  box.classList.toggle("outer", outer);
  box.classList.toggle("hit", isHit(node));
  box.title = node.name + "\n" + bytes(node.value) + ", " + percent(node.value, tree.value);
  node.box = box;
  box.node = node;
  return box;
}

function drawGraph(keepFocus) {
  const graph = element("graph");
  const width = Math.max(1, graph.clientWidth);
  const rowHeight = window.matchMedia("(max-width: 700px)").matches ? 28 : 22;
  const space = make("div", "space");
  graph.replaceChildren(space);
  graph.classList.toggle("searching", Boolean(state.words));
  drawn = [];
  if (!tree.value) {
    space.append(make("p", "empty", "Nothing is " + TITLES[state.value].toLowerCase() + " here."));
    element("detail").textContent = "";
    return;
  }
  const zoom = state.zoom;
  let deepest = 0;
  for (const node of nodesToDraw(zoom, width)) {
    drawn.push(node);
    deepest = Math.max(deepest, node.depth);
    space.append(drawBox(node, zoom, width, rowHeight));
  }
  space.style.height = (deepest + 1) * rowHeight + "px";
  const focus = drawn.includes(state.focus) ? state.focus : zoom;
  state.focus = focus;
  focus.box.tabIndex = 0;
  if (keepFocus) focus.box.focus();
  showDetail(focus);
  showFound();
}

function showDetail(node) {
  const detail = element("detail");
  const frame = node.frame;
  const where = frame ? [frame.file && (frame.line ? frame.file + ":" + frame.line : frame.file), frame.module && "[" + frame.module + "]"]
    .filter(Boolean).join(" ") : "";
  detail.replaceChildren(make("b", "name", node.name), " \u2013 ",
    bytes(node.value) + " " + TITLES[state.value].toLowerCase() + ", " + percent(node.value, tree.value) + " of all");
  if (where) detail.append(make("br"), make("span", "name quiet", where));
}

function showFound() {
  let sum = 0;
  const pending = state.words && tree.value ? [tree] : [];
  while (pending.length) {
    const node = pending.pop();
    if (isHit(node)) sum += node.value;
    else pending.push(...node.children.values());
  }
  element("found").textContent = state.words ? "Found in " + bytes(sum) + ", " + percent(sum, tree.value) + " of what is shown." : "";
}

function rebuild() {
  const zoom = pathOf(state.zoom);
  const focus = pathOf(state.focus);
  tree = buildTree();
  placeChildren(tree);
  state.zoom = findPath(tree, zoom);
  state.focus = findPath(tree, focus);
  element("meaning").textContent = HELP[state.value] + ".";
  drawGraph(false);
}

function zoomTo(node, keepFocus) {
  state.zoom = node;
  state.focus = node;
  drawGraph(keepFocus);
}

function neighbour(node, step) {
  const row = drawn.filter((each) => each.depth === node.depth);
  return row[row.indexOf(node) + step];
}

function moveFocus(node) {
  if (!node || !node.box) return;
  state.focus.box.tabIndex = -1;
  state.focus = node;
  node.box.tabIndex = 0;
  node.box.focus();
}

function onGraphKey(event) {
  const node = event.target.node;
  if (!node) return;
  const moves = {
    ArrowUp: () => moveFocus(node.parent),
    ArrowDown: () => moveFocus(node.sorted.find((each) => drawn.includes(each))),
    ArrowLeft: () => moveFocus(neighbour(node, -1)),
    ArrowRight: () => moveFocus(neighbour(node, 1)),
    Home: () => moveFocus(tree),
    Enter: () => zoomTo(node, true),
    " ": () => zoomTo(node, true),
    Escape: () => zoomTo(tree, true),
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
}

// --- the table ------------------------------------------------------------------------

const COLUMNS = [
  {key: "name", title: "Origin", value: (origin) => origin.name},
  {key: "program", title: "Program", value: (origin) => origin.program},
  {key: "processes", title: "Processes", number: true, value: (origin) => origin.processes},
  ...SHOWN.map((value) => ({key: KEYS[value], title: TITLES[value], number: true, size: true, value: (origin) => origin.values[value]})),
];
if (groups.length > 1)
  COLUMNS.splice(1, 0, {key: "group", title: "Group", value: (origin) => groups[origin.group].name});

function sortColumn() {
  const key = state.sort === "value" ? KEYS[state.value] : state.sort;
  return COLUMNS.find((column) => column.key === key) ?? COLUMNS.find((column) => column.size);
}

function drawHead() {
  const chosen = sortColumn();
  element("head").replaceChildren(...COLUMNS.map((column) => {
    const cell = make("th", column.number ? "number" : "");
    const button = make("button", "", column.title);
    cell.scope = "col";
    button.type = "button";
    button.dataset.sort = column.key;
    if (column === chosen) cell.setAttribute("aria-sort", state.up ? "ascending" : "descending");
    cell.append(button);
    return cell;
  }));
}

function stackRow(origin) {
  const row = make("tr", "stack");
  const cell = make("td");
  const list = make("ol");
  cell.colSpan = COLUMNS.length;
  for (const frame of origin.stack) {
    const item = make("li");
    const where = (frame.file ? frame.file + (frame.line ? ":" + frame.line : "") : "") + (frame.module ? " [" + frame.module + "]" : "");
    item.append(make("span", "name", frame.name), " ", make("span", "name where", where));
    list.append(item);
  }
  const show = make("button", "", "Show in the flame graph");
  show.type = "button";
  show.dataset.show = origin.index;
  cell.append(list, show);
  row.append(cell);
  return row;
}

function originRow(origin) {
  const row = make("tr");
  for (const column of COLUMNS) {
    const cell = make("td", column.number ? "number" : "");
    const value = column.value(origin);
    if (column.key === "name") {
      const button = make("button", "name", value);
      cell.className = "origin";
      button.type = "button";
      button.dataset.open = origin.index;
      button.setAttribute("aria-expanded", state.open.has(origin.index));
      cell.append(button);
    } else {
      cell.dataset.title = column.title;
      if (column.size && value === 0) cell.classList.add("zero");
      cell.textContent = column.size ? bytes(value) : column.number ? value.toLocaleString("en") : shortened(value || "\u2013");
      if (column.key === "held" && origin.error > WORTH_TELLING) {
        cell.append(make("small", "error", " \u00b1" + percent(origin.error, 1)));
        cell.title = "Small blocks are samples: right to " + bytes(value * origin.error) + " more or less, in 19 of 20 cases";
      }
      if (!column.number) {
        cell.classList.add("name");
        cell.title = value;
      }
    }
    row.append(cell);
  }
  return row;
}

function chosenOrigins() {
  const column = sortColumn();
  const order = state.up ? 1 : -1;
  return origins
    .filter((origin) => (state.group < 0 || origin.group === state.group) && matches(origin, state.words))
    .map((origin) => [column.value(origin), origin])
    .sort((a, b) => (a[0] < b[0] ? -order : a[0] > b[0] ? order : a[1].index - b[1].index))
    .map((pair) => pair[1]);
}

function drawTable() {
  const list = chosenOrigins();
  const rows = [];
  drawHead();
  for (const origin of list.slice(0, state.rows)) {
    rows.push(originRow(origin));
    if (state.open.has(origin.index)) rows.push(stackRow(origin));
  }
  element("rows").replaceChildren(...rows);
  element("more").hidden = list.length <= state.rows;
  element("count").textContent = list.length === origins.length ? plural(list.length, "origin") :
    list.length.toLocaleString("en") + " of " + plural(origins.length, "origin");
}

function showOrigin(origin) {
  let node = tree;
  node = node.children.get("g" + origin.group) ?? node;
  node = node.children.get("p" + origin.program) ?? node;
  for (let i = origin.stack.length - 1; i >= 0 && node.children.has(origin.stack[i].box); i--)
    node = node.children.get(origin.stack[i].box);
  zoomTo(node, true);
  element("graph-title").scrollIntoView();
}

// --- what the reader does ----------------------------------------------------------------

function onTableClick(event) {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.sort) {
    const column = COLUMNS.find((each) => each.key === button.dataset.sort);
    // Names begin with the first one, figures with the highest.
    state.up = sortColumn() === column ? !state.up : !column.number;
    state.sort = column.key;
    drawTable();
    element("head").querySelector(`[data-sort="${column.key}"]`).focus();
  } else if (button.dataset.open) {
    const index = Number(button.dataset.open);
    if (!state.open.delete(index)) state.open.add(index);
    drawTable();
    element("rows").querySelector(`[data-open="${index}"]`).focus();
  } else if (button.dataset.show) {
    showOrigin(origins[Number(button.dataset.show)]);
  }
}

function reset() {
  state.group = -1;
  state.words = "";
  state.zoom = state.focus = null;
  state.sort = "value";
  state.up = false;
  state.rows = ROWS_AT_ONCE;
  state.open.clear();
  element("search").value = "";
  element("group").value = "-1";
  rebuild();
  drawTable();
}

function addValues() {
  for (const value of SHOWN) {
    const label = make("label", "", TITLES[value]);
    const input = make("input");
    input.type = "radio";
    input.name = "value";
    input.value = KEYS[value];
    input.checked = value === state.value;
    label.title = HELP[value];
    label.prepend(input);
    element("values").append(label);
  }
}

function addGroups() {
  const add = (value, words) => {
    const option = make("option", "", words);
    option.value = value;
    element("group").append(option);
  };
  add(-1, "all");
  groups.forEach((group, index) => add(index, group.name + " (" + group.layout + ")"));
  element("group").parentElement.hidden = groups.length < 2;
}

function listen() {
  let waiting = 0;
  element("values").addEventListener("change", (event) => {
    state.value = VALUE[event.target.value];
    rebuild();
    drawTable();
  });
  element("group").addEventListener("change", (event) => {
    state.group = Number(event.target.value);
    state.rows = ROWS_AT_ONCE;
    rebuild();
    drawTable();
  });
  element("search").addEventListener("input", (event) => {
    state.words = event.target.value.trim().toLowerCase();
    state.rows = ROWS_AT_ONCE;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      drawGraph(false);
      drawTable();
    }, 120);
  });
  element("reset").addEventListener("click", reset);
  element("graph").addEventListener("click", (event) => {
    const node = event.target.closest(".frame")?.node;
    if (node) zoomTo(node === state.zoom && node.parent ? node.parent : node, true);
  });
  element("graph").addEventListener("keydown", onGraphKey);
  for (const kind of ["mouseover", "focusin"])
    element("graph").addEventListener(kind, (event) => {
      const node = event.target.closest(".frame")?.node;
      if (node) showDetail(node);
    });
  element("table").addEventListener("click", onTableClick);
  element("more").addEventListener("click", () => {
    state.rows += 4 * ROWS_AT_ONCE;
    drawTable();
  });
  element("theme").addEventListener("change", setTheme);
  systemIsDark.addEventListener("change", setTheme);
  // Boxes that were too narrow may be wide enough now.
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(element("graph").clientWidth - width) < 20) return;
    width = element("graph").clientWidth;
    drawGraph(false);
  }).observe(element("graph"));
}

const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");

function setTheme() {
  document.documentElement.dataset.theme = element("theme").value || (systemIsDark.matches ? "dark" : "light");
}

function start() {
  setTheme();
  const date = new Date(data.time * 1000);
  element("about").textContent = plural(groups.reduce((sum, group) => sum + group.processes, 0), "process") + " on " +
    date.toISOString().replace("T", " ").slice(0, 16) + " UTC, ksmalloc " + data.ksmalloc +
    (data.left ? "; " + plural(data.left, "small origin") + " added up" : "");
  element("main").hidden = false;
  addValues();
  addGroups();
  drawGroups();
  rebuild();
  drawTable();
  listen();
}

start();
})();
