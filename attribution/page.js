"use strict";
const house = JSON.parse(document.getElementById("house").textContent);
const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)");
const colours = {dark: new Map(house.colours), light: new Map(house.colours.map(([light, dark]) => [dark, light]))};
let isPrinting = false;

const element = (name, attributes, ...children) => {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
};
const theme = () => isPrinting ? "light" : root.dataset.theme ?? (system.matches ? "dark" : "light");

// Only what stands under the name of a colour is one: a campaign may be called "white".
function paint(value, to, key = "") {
  if (typeof value === "string")
    return /(color|colors|colorscale)$/.test(key) ? colours[to].get(value) ?? value
      : key === "text" ? value.replace(/;color:(#\w{6})/, (all, colour) => ";color:" + (colours[to].get(colour) ?? colour))
      : value;
  if (Array.isArray(value)) return value.map(each => paint(each, to, key));
  if (!value || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, paint(each, to, name)]));
}

class Figure {
  constructor(node, number) {
    Object.assign(this, JSON.parse(node.parentElement.querySelector("script").textContent), {node, number});
    this.caption = node.parentElement.querySelector("figcaption");
    this.selects = [...node.parentElement.querySelectorAll("select")];
    this.selects.forEach((select, n) => select.addEventListener("change", () =>
      this.press(this.menus[n].buttons[select.selectedIndex])));
    this.details = node.parentElement.querySelector("details");
    this.details.addEventListener("toggle", () => this.list());
    node.parentElement.querySelector(".save").addEventListener("click", () => this.save());
  }
  draw(size = {}) {
    const {data, layout} = this.node.data ? this.node : this;
    const drag = matchMedia("(pointer: coarse)").matches ? {dragmode: false} : {};
    Plotly.newPlot(this.node, paint(data, theme()), {...paint(layout, theme()), ...drag, ...size}, house.config);
    this.node.on("plotly_treemapclick", ({nextLevel}) => this.follow(nextLevel));
  }
  press({method, args}) {
    const [traces, {"title.text": _heading, ...layout}] = method === "relayout" ? [{}, args[0]] : args;
    this.retitle();
    // Plotly hides the labels of bars out of range, measures them as nothing, and goes by that when they come back.
    for (const label of this.node.querySelectorAll(".bartext")) {
      label.removeAttribute("display");
      label.style.display = "";
    }
    if (layout.height) this.node.style.height = layout.height + "px";
    Plotly.update(this.node, paint(traces, theme()), layout);
    this.list();
  }
  // The first menu says which model is shown of the whole; what a later one has opened goes by its own name.
  retitle() {
    const [first, ...others] = this.menus.map(({buttons}, n) => buttons[this.selects[n].selectedIndex]);
    const {title, caption} = others.find((_button, n) => this.selects[n + 1].selectedIndex > 0) ?? first;
    Object.assign(this, {heading: {...this.heading, text: title}}).caption.textContent = caption;
  }
  list() {
    this.details.querySelector(".table")?.remove();
    if (this.details.open) this.details.append(listNumbers(this.node, this.caption.textContent));
  }
  follow(level) {
    this.menus.forEach((menu, n) => menu.buttons.forEach((button, place) => {
      if (button.args[0].level?.[0] === (level ?? "")) this.selects[n].selectedIndex = place;
    }));
    if (this.menus.length) this.retitle();
  }
  save() {
    const {data, layout} = this.node, height = this.node.clientHeight + 60, width = 1180;
    const page = decodeURIComponent(location.pathname).split("/").pop().replace(/\.html?$/, "") || "figure";
    const margin = {...layout.margin, t: layout.margin.t + 60};
    const shown = {...paint(layout, "light"), title: this.heading, margin, width, height, autosize: false};
    return Plotly.downloadImage({data: paint(data, "light"), layout: shown, config: house.config},
                                {format: "png", width, height, scale: 2, filename: `${page}-${this.number}`});
  }
}

// What a figure draws, as a table that can be read out: it follows the model that is shown.
const plain = markup =>
  new DOMParser().parseFromString(String(markup ?? "").replaceAll("<br>", ", "), "text/html").body.textContent;
const number = (value, format) => typeof value !== "number" ? plain(value)
  : value.toLocaleString(root.lang, /%/.test(format) ? {style: "percent", maximumFractionDigits: 1} : {maximumFractionDigits: 2});
function place(value, axis, captions) {
  const tick = axis?.tickvals?.indexOf(value) ?? -1;
  if (captions) return plain(captions.find(each => each.y === value)?.text);
  return axis?.ticktext && tick >= 0 ? plain(axis.ticktext[tick]) : number(value, axis?.tickformat);
}
function listPoints(trace, layout, name) {
  if (trace.type === "treemap")
    return trace.ids.map((_id, n) => ["", plain(trace.labels[n]), number(trace.values[n]), plain(trace.text[n])]);
  if (trace.type === "sankey")
    return trace.link.value.map((value, n) => ["", plain(trace.node.label[trace.link.source[n]]), number(value),
                                               plain(trace.node.label[trace.link.target[n]])]);
  const [x, y] = ["x", "y"].map(each => layout[(trace[each + "axis"] ?? each).replace(/^(.)/, "$1axis")]);
  const captions = isInRows(layout) ? (layout.annotations ?? []).filter(each => /^x domain/.test(each.xref)) : null;
  const notes = trace.text ?? trace.customdata;
  const points = trace.x.map((at, n) => {
    const pair = [place(at, x), place(trace.y[n], y, captions)];
    const note = trace.z ? number(trace.z[n], "%") : Array.isArray(notes) ? plain(notes[n]) : "";
    return [plain(name), ...(isAcross(layout) ? pair.reverse() : pair), note];
  });
  return points.filter((_point, n) => ![trace.x[n], trace.y[n], trace.z?.[n]].includes(null));
}
const isInRows = layout => layout.yaxis?.showticklabels === false;
const isAcross = layout => isInRows(layout) || (layout.yaxis?.type === "category" && layout.xaxis?.type !== "category");
function listNumbers({data, layout}, title) {
  const axes = ["xaxis", "yaxis"].map(name => plain(layout[name]?.title?.text));
  const [item, value] = isAcross(layout) ? axes.reverse() : axes, words = house.words;
  const heads = [words.series, item || words.item, value || words.value, words.note];
  const points = data.flatMap((trace, n) => listPoints(trace, layout, trace.name ?? data[n + 1]?.name));
  const kept = heads.map((_head, n) => n).filter(n => points.some(point => point[n]));
  const row = (name, cells) => element("tr", {}, ...kept.map(n => element(name, {textContent: cells[n]})));
  const table = element("table", {}, element("caption", {textContent: title, className: "unseen"}),
    element("thead", {}, row("th", heads)), element("tbody", {}, ...points.map(point => row("td", point))));
  const box = element("div", {className: "table", tabIndex: 0}, table);
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `${house.words.numbers}: ${title}`);
  return box;
}

const figures = [...document.querySelectorAll(".figure")].map((node, place) => new Figure(node, place + 1));
if (figures.length && house.locale) Plotly.register(house.locale);
function drawNext([next, ...rest]) {
  if (next && !next.node.data) next.draw();
  if (rest.length) setTimeout(drawNext, 0, rest);
}

const toggle = document.getElementById("theme");
function dress() {
  toggle.textContent = theme() === "dark" ? house.words.light : house.words.dark;
  figures.filter(({node}) => node.data).forEach(figure => figure.draw());
}
toggle.hidden = false;
toggle.addEventListener("click", () => { root.dataset.theme = theme() === "dark" ? "light" : "dark"; dress(); });
system.addEventListener("change", dress);
dress();
drawNext(figures);

// A sheet's width is not known until it is laid out, which is too late to draw for it: A4 and Letter, lying, hold 940 px.
function dressForPrint(isNow) {
  isPrinting = isNow;
  for (const figure of figures) {
    const zoom = Math.min(0.72, 480 / figure.node.clientHeight);
    if (isNow) figure.node.style.setProperty("--zoom", zoom);
    figure.draw({width: isNow ? 940 / zoom : undefined});
  }
}
addEventListener("beforeprint", () => dressForPrint(true));
addEventListener("afterprint", () => dressForPrint(false));

// A spreadsheet would run text that begins like a formula.
function write(cell) {
  const text = cell.innerText.replace(/\s+/g, " ").trim();
  return /^(text|name|id)\b/.test(cell.className) && /^[=+\-@]/.test(text) ? "'" + text : text;
}
function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.body.appendChild(element("textarea", {value: text, className: "unseen"}));
  area.select();
  document.execCommand("copy");
  area.remove();
  return Promise.resolve();
}

// Blanks come last whichever way a column is sorted: DataTables alone would count them as the smallest.
const either = compare => (a, b) => a === "" || b === "" ? (a === "") - (b === "") : compare(a, b);
function furnishTables(DataTable) {
  const words = new Intl.Collator(root.lang, {numeric: true, sensitivity: "base"});
  const kinds = {figure: (a, b) => a - b, word: words.compare};
  for (const [name, compare] of Object.entries(kinds))
    DataTable.type(name, {order: {pre: value => String(value).trim(), asc: either(compare),
                                  desc: either((a, b) => compare(b, a))}});
  for (const box of document.querySelectorAll(".table")) furnishTable(DataTable, box);
}
function furnishTable(DataTable, box) {
  const table = box.querySelector("table"), rows = [...table.tBodies[0].rows], heads = [...table.tHead.rows[0].cells];
  if (!rows.length) return;
  const columns = heads.map(head => ({type: /\b(money|share|ratio|count|number)\b/.test(head.className) ? "figure" : "word"}));
  const furnished = new DataTable(table, {
    columns, order: [], paging: false, info: false, autoWidth: false,
    layout: {topStart: null, topEnd: null, bottomStart: null, bottomEnd: null},
    language: {zeroRecords: house.words.nothing, aria: {
      orderable: ": " + house.words.sort, orderableReverse: ": " + house.words.reverse,
      orderableRemove: ": " + house.words.unsort}}});
  const said = element("span", {className: "unseen", role: "status"});
  const tools = element("div", {className: "table-tools"});
  if (rows.length > 10) tools.append(searchBox(furnished, table.caption.textContent, said));
  tools.append(copyButton(table, said), said);
  const title = element("p", {textContent: table.caption.textContent});
  title.setAttribute("aria-hidden", "true");
  table.caption.className = "unseen";
  const card = element("div", {className: "table-card"});
  box.replaceWith(card);
  card.append(element("div", {className: "table-head"}, title, tools), box);
  const look = () => card.classList.toggle("has-more", box.scrollHeight - box.scrollTop > box.clientHeight + 4);
  box.addEventListener("scroll", look, {passive: true});
  new ResizeObserver(look).observe(table);
}
function searchBox(furnished, title, said) {
  const search = element("input", {type: "search", placeholder: house.words.search});
  search.setAttribute("aria-label", `${house.words.search}: ${title}`);
  search.addEventListener("input", () => {
    furnished.search(search.value).draw();
    said.textContent = house.words.found.replace("{n}", furnished.rows({search: "applied"}).count())
      .replace("{total}", furnished.rows().count());
  });
  return search;
}
function copyButton(table, said) {
  const button = element("button", {type: "button", textContent: house.words.copy});
  button.setAttribute("aria-label", `${house.words.copy}: ${table.caption.textContent}`);
  button.addEventListener("click", async () => {
    const rows = [...table.tHead.rows, ...table.tBodies[0].rows];
    await copy(rows.map(row => [...row.cells].map(write).join("\t")).join("\n"));
    said.textContent = button.textContent = house.words.copied;
    setTimeout(() => { button.textContent = house.words.copy; said.textContent = ""; }, 2000);
  });
  return button;
}
