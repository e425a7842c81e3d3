"use strict";

// The filter by labels, and the labels beside the results. It uses names of search.js, which starts the page.

function drawChips() {
  $("chips").replaceChildren(...state.labels.map((name) => {
    const chip = element("button", `${name} ×`, { className: "chip", type: "button", title: `remove ${name}` });
    chip.addEventListener("click", () => filterBy(state.labels.filter((other) => other !== name)));
    return chip;
  }));
}

function filterBy(labels) {
  state.labels = labels;
  drawChips();
  const asked = query();
  const alone = !asked.like && !asked.picture && !asked.text;
  if (isEmpty(asked) || (alone && !state.collection?.by_labels)) empty();
  else search();
}

function addLabel() {
  const name = $("label").value.trim();
  if (!name) return;
  const known = Object.keys(state.collection?.labels || {});
  const found = known.find((other) => other === name)
    || known.find((other) => other.toLowerCase() === name.toLowerCase());
  if (!found) {
    say([`There is no label ${JSON.stringify(name.slice(0, 80))}.`], true);
    return;
  }
  $("label").value = "";
  if (!state.labels.includes(found)) filterBy([...state.labels, found]);
  showLabel(found);
}

async function showLabel(name) {
  if (!state.collection?.graph) return;
  try {
    drawNeighbours(await answered(fetch(`/api/neighbours?label=${encodeURIComponent(name)}`)));
  } catch (error) {
    say([error.message], true);
  }
}

function drawNeighbours({ label, neighbours }) {
  const items = state.collection.labels[label];
  const parts = [element("h2", label)];
  if (items !== undefined) parts.push(element("p", items === 1 ? "1 item" : `${items.toLocaleString("en")} items`));
  if (neighbours.length) {
    const { name, forward, backward } = neighbours[0];
    parts.push(neighbourTable(label, neighbours), element("p", `In the label graph, ${percent(forward)} of the items with ${label} also have `
      + `${name}; ${percent(backward)} of those with ${name} also have ${label}.`));
  }
  if (!neighbours.length) parts.push(element("p", "No other label occurs together with it."));
  const row = element("div", undefined, { className: "row" });
  if (items !== undefined && !state.labels.includes(label)) {
    const filter = element("button", "Only this label", { className: "plain", type: "button" });
    filter.addEventListener("click", () => { filterBy([...state.labels, label]); filter.remove(); });
    row.append(filter);
  }
  row.append(graphLink(), allLabels());
  $("side").replaceChildren(...parts, row);
}

function neighbourTable(label, neighbours) {
  const table = element("table");
  const head = element("tr");
  head.append(element("th", "occurs with"), element("th", `of ${label}`), element("th", "of the other"));
  table.append(head);
  for (const { name, forward, backward } of neighbours) {
    const row = element("tr");
    const first = element("td");
    first.append(labelLink(name));
    row.append(first, element("td", percent(forward)), element("td", percent(backward)));
    table.append(row);
  }
  return table;
}

function graphLink() {
  const link = element("a", "Whole label graph", { href: "/graph", target: "_blank", rel: "noopener" });
  link.hidden = !state.collection.graph;
  return link;
}

function allLabels() {
  const button = element("button", "Frequent labels", { className: "link", type: "button" });
  button.addEventListener("click", drawFrequent);
  return button;
}

function drawFrequent() {
  const frequent = Object.entries(state.collection.labels).sort((a, b) => b[1] - a[1]).slice(0, 20);
  const table = element("table");
  for (const [name, items] of frequent) {
    const row = element("tr");
    const first = element("td");
    const link = element("button", name, { className: "link", type: "button" });
    link.addEventListener("click", () => (state.collection.graph ? showLabel(name) : filterBy([...new Set([...state.labels, name])])));
    first.append(link);
    row.append(first, element("td", items.toLocaleString("en")));
    table.append(row);
  }
  const row = element("div", undefined, { className: "row" });
  row.append(graphLink());
  $("side").replaceChildren(element("h2", "Frequent labels"), table, row);
}
