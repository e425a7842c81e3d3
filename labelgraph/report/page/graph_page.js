// The controls around the drawing: search, kinds of edges, limits, and the panel of details.

const content = JSON.parse(document.getElementById("content").textContent);
const part = (id) => document.getElementById(id);
const counted = content.items > 0;
const READING = {
  together: { title: "occur together", name: "P(b given a) at least" },
  weight: { title: "weights", name: "Weight at least", one: "weight" },
  meaning: { title: "similar names", name: "Similarity at least", one: "similarity" },
};
const view = new GraphView(content, part("graph"), [part("zoom"), part("state")]);
const limits = { least: 0, together: 1 };
const LISTED = 15, MOST_ROWS = 200, MOST_GROUPS = 12;

function make(tag, options = {}, ...children) {
  const element = Object.assign(document.createElement(tag), options);
  element.append(...children);
  return element;
}

const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const percent = (share) => (share === 0 ? "–" : share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`);
const written = (weight) => (view.kind.key === "together" ? percent(weight) : weight === 0 ? "–" : weight.toFixed(2));

// A graph of nearest names has an edge in one direction or in both.
const onlyWeight = (pair) => (view.kind.key === "meaning" ? view.strength[pair] : view.kind.ab[pair]);

// --- kinds of edges and limits

function useKind(kind) {
  view.useKind(kind);
  const share = kind.key !== "weight", most = share ? 1 : view.most();
  const slider = part("threshold");
  Object.assign(slider, { min: 0, max: most, step: share ? 0.01 : most / 100 || 0.01 });
  part("threshold-name").textContent = READING[kind.key].name;
  part("together-box").hidden = !kind.count;
  limits.together = kind.count && content.items > 200 ? 2 : 1;
  part("together").value = limits.together;
  slider.value = firstThreshold(most);
  applyLimits();
}

// The lowest threshold that keeps the drawing readable: about one line for each label.
function firstThreshold(most) {
  const passing = [];
  limits.least = 0;
  view.strength.forEach((weight, pair) => view.isDrawn(pair) && view.passes(pair, limits) && passing.push(weight));
  passing.sort((p, q) => q - p);
  const wanted = Math.min(Math.round(1.2 * content.drawn.length), 700);
  return passing.length > wanted ? Math.min(Math.ceil((passing[wanted] / most) * 20) / 20, 0.95) * most : 0;
}

function applyLimits() {
  limits.least = Number(part("threshold").value);
  limits.together = Number(part("together").value) || 1;
  part("threshold-value").textContent = view.kind.key === "together" ? `${Math.round(100 * limits.least)} %` : limits.least.toFixed(2);
  report(view.showEdges(limits));
}

function report(passed) {
  const most = passed > MOST_EDGES ? ` (the strongest ${MOST_EDGES.toLocaleString("en")} are drawn)` : "";
  part("state").textContent = `${plural(passed, "linked pair")} of labels${most}`;
}

function buildControls() {
  content.kinds.forEach((kind, place) => {
    const choice = make("input", { type: "radio", name: "kind", value: kind.key, checked: place === 0 });
    choice.addEventListener("change", () => { useKind(kind); show(view.chosen); });
    part("kinds").append(make("label", {}, choice, READING[kind.key].title));
  });
  part("kinds").hidden = content.kinds.length < 2;
  for (const number of [1, 2, 3, 5, 10, 20, 50]) part("together").append(make("option", { value: number, textContent: number === 1 ? "1 or more" : `${number} or more` }));
  part("threshold").addEventListener("input", applyLimits);
  part("together").addEventListener("change", applyLimits);
  part("zoom-in").addEventListener("click", () => view.zoomBy(1.4));
  part("zoom-out").addEventListener("click", () => view.zoomBy(1 / 1.4));
  part("zoom-fit").addEventListener("click", () => view.fit());
}

// --- the panel

function show(label, group = null) {
  report(view.choose(label, group));
  const panel = part("panel");
  panel.replaceChildren(...(label === null ? overview(group) : details(label)));
  panel.scrollTop = 0;
}

function entry(label, number) {
  const button = make("button", { type: "button", className: "entry" }, make("span", { textContent: content.names[label] }));
  if (number !== undefined) button.append(make("span", { className: "number", textContent: number }));
  button.addEventListener("click", () => { show(label); part("panel").focus({ preventScroll: true }); });
  return button;
}

function overview(group) {
  const { names, counts, drawn } = content;
  const hidden = names.length - drawn.length;
  const parts = [make("h2", { textContent: plural(names.length, "label") })];
  if (counted) parts.push(make("p", { className: "soft", textContent: `Counted in ${plural(content.items, "item")}.` }));
  if (hidden) parts.push(make("p", { className: "note", id: "hidden-labels", textContent: `The drawing shows the ${drawn.length.toLocaleString("en")} ${counted ? "most frequent" : "most linked"} of ${names.length.toLocaleString("en")} labels. The search finds the other ${hidden.toLocaleString("en")} too, and lists their neighbours here.` }));
  if (view.kind.stored < view.kind.pairs) parts.push(make("p", { className: "soft", id: "stored", textContent: `The page holds the strongest neighbours of each label: ${view.kind.stored.toLocaleString("en")} of ${view.kind.pairs.toLocaleString("en")} linked pairs.` }));
  if (view.kind.key === "together") parts.push(make("p", { className: "soft", textContent: "An arrow a → b reads: if label a, then label b. Its weight is P(b given a), the share of the items with a that also have b." }));
  if (view.kind.key === "meaning") parts.push(make("p", { className: "soft", textContent: "Lines join labels whose names have similar meanings." }));
  parts.push(make("p", { className: "soft", textContent: "Larger dots are more frequent labels. Select a label to see its neighbours." }));
  parts.push(...groupList(group));
  if (counted) {
    const order = names.map((_, label) => label).sort((p, q) => counts[q] - counts[p]).slice(0, LISTED);
    const list = make("div", { className: "groups list" }, ...order.map((label) => entry(label, counts[label].toLocaleString("en"))));
    parts.push(make("h3", { textContent: "Most frequent labels" }), withArrows(list));
  }
  return parts;
}

function groupList(chosen) {
  const members = new Map();
  view.kind.groups.forEach((group, place) => group >= 0 && members.set(group, [...(members.get(group) || []), content.drawn[place]]));
  if (!members.size) return [];
  const list = make("div", { className: "groups list", id: "groups" });
  for (const [group, labels] of [...members].sort((p, q) => p[0] - q[0]).slice(0, MOST_GROUPS)) {
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = colourOf(group);
    const title = labels.slice(0, 3).map((label) => content.names[label]).join(", ");
    const button = make("button", { type: "button", className: "entry" }, swatch, make("span", { textContent: title }), make("span", { className: "number", textContent: labels.length }));
    button.setAttribute("aria-pressed", String(group === chosen));
    button.addEventListener("click", () => {
      show(null, group === chosen ? null : group);
      part("groups").children[group].focus({ preventScroll: true });
    });
    list.append(button);
  }
  const more = members.size > MOST_GROUPS ? [make("p", { className: "soft", textContent: `and ${plural(members.size - MOST_GROUPS, "smaller group")}` })] : [];
  return [make("h3", { textContent: "Groups of linked labels" }), withArrows(list), ...more];
}

function details(label) {
  const name = content.names[label];
  const back = make("button", { type: "button", className: "plain", textContent: "Show all", title: "Escape" });
  back.addEventListener("click", clear);
  const parts = [make("div", { className: "top" }, make("h2", { textContent: name }), back)];
  if (counted) parts.push(make("p", { className: "soft", textContent: `${plural(content.counts[label], "item")} of ${content.items.toLocaleString("en")}, ${percent(content.counts[label] / content.items)}` }));
  if (!view.places.has(label)) parts.push(make("p", { className: "note", textContent: `This label is not among the ${content.drawn.length.toLocaleString("en")} labels of the drawing. Its neighbours in the drawing are bright.` }));
  if (content.shown[label]) parts.push(make("div", { className: "pictures" }, ...content.shown[label].map((picture, rank) => make("img", { src: content.pictures[picture], alt: `${name}, item ${rank + 1}` }))));
  return [...parts, ...neighbours(label)];
}

function neighbours(label) {
  const { a, ab, ba, b, count, key } = view.kind;
  const short = content.names[label].length > 8 ? "this" : content.names[label].replaceAll(" ", "\u00a0");
  const rows = (view.near.get(label) || []).map((pair) => (a[pair] === label
    ? { other: b[pair], to: ab[pair], from: ba[pair], pair } : { other: a[pair], to: ba[pair], from: ab[pair], pair }));
  if (!rows.length) return [make("p", { textContent: key === "meaning" ? "No label has a similar name." : "This label has no neighbours." })];
  rows.sort((p, q) => (view.symmetric ? view.strength[q.pair] - view.strength[p.pair] : Math.abs(q.to) - Math.abs(p.to) || q.from - p.from));
  const columns = view.symmetric
    ? [[READING[key].one, (row) => onlyWeight(row.pair)]]
    : [[`${short}\u00a0→\u00a0it`, (row) => row.to], [`it\u00a0→\u00a0${short}`, (row) => row.from]];
  const head = make("tr", {}, make("th", { textContent: "Neighbour", scope: "col" }), ...columns.map(([title]) => make("th", { textContent: title, scope: "col" })));
  if (count) head.append(make("th", { textContent: "items", scope: "col" }));
  const body = make("tbody", { className: "list" });
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = make("tr", {}, make("td", {}, entry(row.other)));
    for (const [, value] of columns) {
      const cell = make("td", { className: "share", textContent: written(value(row)) });
      cell.style.setProperty("--share", Math.abs(value(row)) / (key === "weight" ? view.most() || 1 : 1));
      line.append(cell);
    }
    if (count) line.append(make("td", { textContent: count[row.pair].toLocaleString("en") }));
    body.append(line);
  }
  const stored = view.kind.stored < view.kind.pairs ? "the strongest " : "";
  return [make("h3", { textContent: `${stored}${plural(rows.length, "neighbour")}`.replace(/^./, (letter) => letter.toUpperCase()) }), make("table", {}, make("thead", {}, head), withArrows(body))];
}

// The arrow keys move between the buttons of a list, as Tab does.
function withArrows(list) {
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (next) next.focus();
    event.preventDefault();
  });
  return list;
}

function clear() {
  part("search").value = "";
  show(null);
  view.fit();
}

// --- pointing at the drawing

function explain(element) {
  const { names, counts } = content;
  if (element.isNode()) {
    const label = element.data("label");
    const near = (view.near.get(label) || []).length;
    const share = counted ? `${plural(counts[label], "item")} of ${content.items.toLocaleString("en")} (${percent(counts[label] / content.items)}), ` : "";
    return [make("strong", { textContent: names[label] }), `${share}${plural(near, "neighbour")}`];
  }
  const { a, b, ab, ba, count, key } = view.kind, pair = element.data("pair");
  const [first, second] = [names[a[pair]], names[b[pair]]];
  const both = count ? [make("div", { textContent: `${plural(count[pair], "item")} with both` })] : [];
  if (view.symmetric) return [make("strong", { textContent: `${first} – ${second}` }), `${READING[key].one} ${written(onlyWeight(pair))}`, ...both];
  const line = (from, to, weight) => make("div", { textContent: `${from} → ${to}: ${written(weight)}` });
  return [line(first, second, ab[pair]), line(second, first, ba[pair]), ...both];
}

function pointAt(event) {
  const hover = part("hover"), { x, y } = event.renderedPosition;
  hover.replaceChildren(...explain(event.target));
  hover.hidden = false;
  hover.style.left = `${Math.max(4, Math.min(x + 14, view.cy.width() - hover.offsetWidth - 8))}px`;
  hover.style.top = `${y + 18 + hover.offsetHeight > view.cy.height() ? y - hover.offsetHeight - 12 : y + 18}px`;
}

view.cy.on("mouseover", "node, edge", pointAt);
view.cy.on("mouseout viewport", () => { part("hover").hidden = true; });
view.cy.on("tap", (event) => {
  if (event.target === view.cy) clear();
  else if (event.target.isNode()) show(event.target.data("label"));
});

buildControls();
useKind(content.kinds[0]);
show(null);
