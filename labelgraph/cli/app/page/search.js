"use strict";

const MOST_BYTES = 20e6;
const $ = (id) => document.getElementById(id);
const state = { collection: null, labels: [], picture: null, like: null, asked: 0 };

function element(tag, text, options = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, options);
}

async function answered(request) {
  let response, content;
  try {
    response = await request;
    content = await response.json();
  } catch {
    throw new Error("the server does not answer; is `labelgraph app` still running?");
  }
  if (!response.ok) throw new Error(content.error || `the server answers ${response.status}`);
  return content;
}

function say(lines, error = false) {
  $("notes").replaceChildren(...lines.map((line) => element("p", line, { className: error ? "error" : "" })));
}

function within() {
  return document.querySelector("[name=within]:checked").value;
}

function query() {
  const asked = { labels: state.labels, within: within() };
  if (state.like) asked.like = state.like.id;
  else if (state.picture) asked.picture = state.picture.content;
  else if ($("text").value.trim()) asked.text = $("text").value;
  return asked;
}

function isEmpty(asked) {
  return !asked.like && !asked.picture && !asked.text && !asked.labels.length;
}

async function search() {
  const asked = query();
  const number = ++state.asked;
  document.body.classList.add("busy");
  $("hint").hidden = true;
  try {
    const body = JSON.stringify(asked);
    const headers = { "Content-Type": "application/json" };
    const found = await answered(fetch("/api/search", { method: "POST", headers, body }));
    if (number === state.asked) show(found, asked);
  } catch (error) {
    if (number !== state.asked) return;
    $("results").replaceChildren();
    $("asked").hidden = true;
    say([error.message], true);
  } finally {
    if (number === state.asked) document.body.classList.remove("busy");
  }
}

function show(found, asked) {
  say(found.notes);
  showQuery(found);
  const asText = asked.within === "texts";
  $("results").replaceChildren(...found.results.map((result) => card(result, found, asText)));
}

function showQuery(found) {
  const parts = [];
  if (state.like && state.like.picture) parts.push(element("img", undefined, { src: state.like.picture, alt: "" }));
  if (!state.like && state.picture) parts.push(element("img", undefined, { src: state.picture.address, alt: "" }));
  const number = found.results.length;
  const counted = number === 1 ? "1 result" : `${number} results`;
  const better = found.score && !found.descending ? ", the lowest first" : "";
  const score = found.score ? `, by ${found.score}${better}` : "";
  parts.push(element("span", `${counted} for ${found.query}${score}`));
  if (state.like || state.picture) {
    const back = element("button", "Clear", { className: "plain", type: "button" });
    back.addEventListener("click", clearQuery);
    parts.push(back);
  }
  $("asked").replaceChildren(...parts);
  $("asked").hidden = false;
}

function card(result, found, asText) {
  const made = $("result").content.cloneNode(true).firstElementChild;
  made.classList.toggle("as-text", asText);
  const frame = made.querySelector(".frame");
  if (result.picture) frame.append(element("img", undefined, { src: result.picture, alt: "", loading: "lazy" }));
  else Object.assign(frame, { textContent: "no picture", className: "frame empty" });
  frame.querySelector("img")?.addEventListener("error", () =>
    Object.assign(frame, { textContent: "no picture", className: "frame empty" }));
  Object.assign(made.querySelector(".title"), { textContent: result.title, title: result.title });
  made.querySelector(".score").textContent = `${found.score} ${shownScore(result.score)}`;
  made.querySelector(".like").addEventListener("click", () => moreLike(result));
  const ask = made.querySelector(".ask");
  const why = made.querySelector(".why");
  ask.addEventListener("click", () => {
    why.hidden = !why.hidden;
    ask.setAttribute("aria-expanded", String(!why.hidden));
    if (!why.hidden) why.replaceChildren(...reasons(result));
  });
  return made;
}

function shownScore(score) {
  return Number.isInteger(score) ? String(score) : score.toFixed(3);
}

function percent(value) {
  return value > 0 && value < 0.01 ? "<\u00a01\u00a0%" : `${Math.round(100 * value)}\u00a0%`;
}

function reasons(result) {
  const parts = [];
  if (result.why.labels.length) {
    parts.push(element("p", "Labels that both probably have (query, result)", { className: "kind" }));
    const list = element("ul");
    for (const label of result.why.labels) {
      const row = element("li");
      row.append(labelLink(label.name), element("span", `${percent(label.query)}, ${percent(label.item)}`));
      list.append(row);
    }
    parts.push(list);
  }
  if (result.why.words.length) parts.push(element("p", "Words in common", { className: "kind" }), element("p", result.why.words.join(", ")));
  if (!parts.length) parts.push(element("p", "They share no label that is probable, and no word of the caption."));
  if (result.labels.length) {
    const labels = element("p");
    result.labels.forEach((name, place) => labels.append(place ? ", " : "", labelLink(name)));
    parts.push(element("p", "Labels in the data", { className: "kind" }), labels);
  }
  return parts;
}

function labelLink(name) {
  const link = element("button", name, { className: "link", type: "button", title: `neighbours of ${name}` });
  link.addEventListener("click", async () => {
    await showLabel(name);
    if (getComputedStyle($("side")).position === "static") $("side").scrollIntoView();
  });
  return link;
}

function moreLike(result) {
  setPicture(null);
  state.like = result;
  window.scrollTo({ top: 0 });
  search();
}

function clearQuery() {
  state.like = null;
  setPicture(null);
  if (isEmpty(query())) empty();
  else search();
}

function empty() {
  state.asked++;
  document.body.classList.remove("busy");
  say([]);
  $("results").replaceChildren();
  $("asked").hidden = true;
  $("hint").hidden = false;
}

// Pictures

function setPicture(picture) {
  if (state.picture) URL.revokeObjectURL(state.picture.address);
  state.picture = picture;
  $("choose").firstElementChild.textContent = picture ? "Another picture" : "Drop or choose a picture";
  $("file").value = "";
}

function readPicture(file) {
  if (!state.collection?.by_picture) {
    say(["This model cannot read pictures, because its training data do not record how pictures became features."], true);
    return;
  }
  if (file.size > MOST_BYTES) {
    say([`The picture must have at most 20 MB; it has ${(file.size / 1e6).toFixed(1)} MB.`], true);
    return;
  }
  const reader = new FileReader();
  reader.addEventListener("error", () => say(["The picture cannot be read."], true));
  reader.addEventListener("load", () => {
    state.like = null;
    $("text").value = "";
    setPicture({ content: reader.result.split(",", 2)[1] || "", address: URL.createObjectURL(file) });
    search();
  });
  reader.readAsDataURL(file);
}

// Start

async function start() {
  try {
    state.collection = await answered(fetch("/api/collection"));
  } catch (error) {
    say([error.message], true);
    return;
  }
  const { name, pictures, texts, by_text, by_picture, labels } = state.collection;
  const number = (value) => value.toLocaleString("en");
  $("name").textContent = `${name}: ${number(pictures)} pictures, ${number(texts)} texts`;
  document.title = `${name} - labelgraph`;
  $("text").disabled = !by_text;
  if (!by_text) $("text").placeholder = "this model cannot read words";
  $("drop").hidden = !by_picture;
  $("names").replaceChildren(...Object.keys(labels).map((value) => element("option", undefined, { value })));
  $("hint").hidden = false;
  drawFrequent();
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  state.like = null;
  if ($("text").value.trim()) setPicture(null);
  search();
});
$("within").addEventListener("change", () => (isEmpty(query()) ? empty() : search()));
$("label").addEventListener("change", addLabel);
$("label").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); addLabel(); }
  if (event.key === "Backspace" && !$("label").value && state.labels.length) filterBy(state.labels.slice(0, -1));
});
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => $("file").files[0] && readPicture($("file").files[0]));
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const file = event.dataTransfer.files[0];
  if (file) readPicture(file);
  else say(["Drop a picture file; nothing else can be searched by."], true);
});
start();
