// The search: a field with suggestions, led by the arrow keys, Enter and Escape.

const suggestions = part("suggestions"), field = part("search");
const SUGGESTIONS = 12;
let active = -1;

function matches(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const rank = (name) => {
    const at = name.toLowerCase().indexOf(wanted);
    return at < 0 ? 9 : name.length === wanted.length ? 0 : at === 0 ? 1 : /[\s_-]/.test(name[at - 1]) ? 2 : 3;
  };
  return content.names.map((name, label) => ({ label, rank: rank(name) })).filter((each) => each.rank < 9)
    .sort((p, q) => p.rank - q.rank || content.counts[q.label] - content.counts[p.label] || p.label - q.label)
    .slice(0, SUGGESTIONS).map((each) => each.label);
}

function suggest() {
  const labels = matches(field.value);
  active = labels.length ? 0 : -1;
  suggestions.replaceChildren(...labels.map((label, place) => {
    const facts = [counted ? content.counts[label].toLocaleString("en") : "", view.places.has(label) ? "" : "not drawn"].filter(Boolean).join(", ");
    const option = make("li", { id: `option-${place}` }, make("b", { textContent: content.names[label] }), make("span", { textContent: facts }));
    option.setAttribute("role", "option");
    option.dataset.label = label;
    option.addEventListener("pointerdown", (event) => { event.preventDefault(); take(label); });
    return option;
  }));
  if (field.value.trim() && !labels.length) {
    const none = make("li", { textContent: "No label has this text in its name." });
    none.setAttribute("role", "option");
    none.setAttribute("aria-disabled", "true");
    suggestions.append(none);
  }
  open(suggestions.children.length > 0);
  mark();
}

function open(shown) {
  suggestions.hidden = !shown;
  field.setAttribute("aria-expanded", String(shown));
}

function mark() {
  [...suggestions.children].forEach((option, place) => option.setAttribute("aria-selected", String(place === active)));
  if (active >= 0) {
    field.setAttribute("aria-activedescendant", `option-${active}`);
    suggestions.children[active].scrollIntoView({ block: "nearest" });
  } else field.removeAttribute("aria-activedescendant");
}

function take(label) {
  field.value = content.names[label];
  open(false);
  show(label);
}

field.addEventListener("input", suggest);
field.addEventListener("focus", () => field.select());
field.addEventListener("blur", () => open(false));
field.addEventListener("keydown", (event) => {
  const options = suggestions.querySelectorAll("[data-label]");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && suggestions.hidden) suggest();
  else if (step && options.length) {
    active = (active + step + options.length) % options.length;
    mark();
  } else if (event.key === "Enter" && !suggestions.hidden && options[active]) take(Number(options[active].dataset.label));
  else if (event.key === "Escape" && !suggestions.hidden) {
    open(false);
    event.stopPropagation();
  } else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
});
