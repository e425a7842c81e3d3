"use strict";

// Sorting of tables: the header of each column becomes a button, which a click or Enter presses.

const NUMBER = /^[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?/i;
const MISSING = ["", "-", "nan"];
const order = new Intl.Collator("en", { numeric: true }).compare;

/** The text of a cell; a minus sign is written in several ways. */
const textOf = (row, column) => row.cells[column].textContent.trim().replace(/^\u2212/, "-");

/** The number that a text starts with, such as a mean before its deviation, or NaN. */
function numberOf(text) {
  const match = NUMBER.exec(text);
  return match ? Number(match[0].replaceAll(",", "")) : NaN;
}

/** Whether a column is sorted by its numbers: aligned to the right, or with nothing but numbers. */
function hasNumbers(header, texts) {
  const present = texts.filter((text) => !MISSING.includes(text.toLowerCase()));
  const whole = (text) => numberOf(text) === Number(text.replaceAll(",", ""));
  return header.style.textAlign === "right" ? present.some((text) => !isNaN(numberOf(text))) : present.every(whole);
}

/** Sort the rows of a table; values that are missing come last in both directions. */
function sortRows(table, header) {
  const column = header.cellIndex;
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map((row) => textOf(row, column));
  const numbers = hasNumbers(header, texts);
  // Of numbers, the largest come first at the first press.
  const next = { ascending: "descending", descending: "ascending" };
  const direction = next[header.getAttribute("aria-sort")] ?? (numbers ? "descending" : "ascending");
  const sign = direction === "ascending" ? 1 : -1;
  const keyed = rows.map((row, i) => {
    const number = numberOf(texts[i]);
    const missing = MISSING.includes(texts[i].toLowerCase()) || (numbers && isNaN(number));
    return { row, missing, value: numbers ? number : texts[i] };
  });
  keyed.sort((a, b) => {
    if (a.missing || b.missing) return a.missing - b.missing;
    return sign * (numbers ? a.value - b.value : order(a.value, b.value));
  });
  table.tBodies[0].append(...keyed.map((each) => each.row));
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", direction);
}

for (const table of document.querySelectorAll("table")) {
  if (!table.tBodies.length || table.tBodies[0].rows.length < 2) {
    table.parentElement.tabIndex = 0; // Nothing to sort; the keyboard reaches a table to scroll it.
    continue;
  }
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortRows(table, header));
  }
}
