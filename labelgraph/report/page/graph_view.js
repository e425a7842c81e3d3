"use strict";

// The drawing: dots, lines, names, and which of them are bright. Labels are data: they only ever become text.

const COLOURS = ["#3b6fb6", "#c8553d", "#2f8657", "#8a5fb0", "#b0741a", "#13808f", "#bb4a86", "#6f7a1e", "#8c5a44", "#4d5f9e"];
const GREY = "#717784";
const MOST_EDGES = 2500; // More lines than this cannot be told apart.
const LEAST_SHOWN = 5; // A chosen label shows so many edges, even below the threshold.
const NAME_SIZE = 13, LEAST_DOT = 5.5, LARGE_DOT = 14; // Pixels.
const AROUND_NAME = 3;
const MOST_LETTERS = 24; // Of a name in the drawing; the panel has the whole name.

// Places of a name around its dot, the best first: direction of the name, and Cytoscape's alignment.
const NAME_PLACES = [
  [0, 1, "center", "bottom"], [0, -1, "center", "top"], [1, 0, "right", "center"], [-1, 0, "left", "center"],
  [0.7, 0.7, "right", "bottom"], [-0.7, 0.7, "left", "bottom"], [0.7, -0.7, "right", "top"], [-0.7, -0.7, "left", "top"],
];

function colourOf(group) {
  return group < 0 ? GREY : COLOURS[group % COLOURS.length];
}

function shortened(name) {
  const letters = [...name];
  return letters.length > MOST_LETTERS ? `${letters.slice(0, MOST_LETTERS - 1).join("").trimEnd()}…` : name;
}

class GraphView {
  // The elements in ``covers`` lie on the drawing: no name goes below them.
  constructor(content, holder, covers) {
    this.content = content;
    this.covers = covers;
    this.places = new Map(content.drawn.map((label, place) => [label, place]));
    this.chosen = null;
    this.group = null;
    this.cy = cytoscape({ container: holder, style: GraphView.style(), minZoom: 0.05, maxZoom: 4, boxSelectionEnabled: false, autoungrabify: true });
    this.ink = document.createElement("canvas").getContext("2d");
    this.ink.font = `${NAME_SIZE}px system-ui, "DejaVu Sans", sans-serif`;
    this.cy.add(content.drawn.map((label) => ({ data: { id: `n${label}`, label, name: content.names[label], short: shortened(content.names[label]) } })));
    this.cy.on("zoom pan resize", () => this.soon());
  }

  static style() {
    const font = 'system-ui, "DejaVu Sans", sans-serif';
    return [
      { selector: "node", style: { width: "data(size)", height: "data(size)", "background-color": "data(colour)", "border-color": "#ffffff", "border-width": 1.5, "font-family": font, color: "#1f2430", "text-outline-color": "#f6f7f9", "text-outline-opacity": 0.95, "overlay-opacity": 0, "z-index": 2 } },
      { selector: "node.named", style: { label: "data(short)", "z-index": 3 } },
      { selector: "node.faded", style: { opacity: 0.13 } },
      { selector: "node.chosen", style: { "border-color": "#1f2430", "border-width": 3, "z-index": 9 } },
      { selector: "edge", style: { "curve-style": "straight", width: "data(width)", "line-color": "#8b94a7", "target-arrow-color": "#8b94a7", "source-arrow-color": "#8b94a7", opacity: "data(opacity)", "target-arrow-shape": "data(forward)", "source-arrow-shape": "data(backward)", "arrow-scale": 0.8, "overlay-opacity": 0, "z-index": 1 } },
      { selector: "edge.faded", style: { opacity: 0.04 } },
      { selector: "edge.bright", style: { "line-color": "#1f5fbf", "target-arrow-color": "#1f5fbf", "source-arrow-color": "#1f5fbf", opacity: 0.85, "z-index": 4 } },
    ];
  }

  // Show one kind of edges: each kind has its own positions and groups.
  useKind(kind) {
    this.kind = kind;
    this.strength = kind.ab.map((weight, pair) => Math.max(Math.abs(weight), Math.abs(kind.ba[pair])));
    // Without a direction there is one weight a pair, and no arrow.
    this.symmetric = kind.key === "meaning" || (kind.key === "weight" && kind.ab.every((weight, pair) => weight === kind.ba[pair]));
    this.near = new Map();
    kind.a.forEach((a, pair) => {
      for (const end of [a, kind.b[pair]]) {
        if (!this.near.has(end)) this.near.set(end, []);
        this.near.get(end).push(pair);
      }
    });
    // By both readings: a rare label always leads to some others, which says little.
    const both = (pair) => Math.sqrt(Math.abs(kind.ab[pair] * kind.ba[pair])) || this.strength[pair] / 2;
    for (const pairs of this.near.values()) pairs.sort((p, q) => both(q) - both(p));
    const upright = this.cy.height() > 1.2 * this.cy.width();
    this.cy.batch(() => this.content.drawn.forEach((label, place) => {
      const [x, y] = kind.places[place];
      const size = kind.sizes[place];
      this.cy.$id(`n${label}`).position(upright ? { x: -y, y: x } : { x, y: -y }).data({ own: size, size, colour: colourOf(kind.groups[place]) });
    }));
    this.fit();
  }

  passes(pair, limits) {
    return this.strength[pair] >= limits.least && (!this.kind.count || this.kind.count[pair] >= limits.together);
  }

  isDrawn(pair) {
    return this.places.has(this.kind.a[pair]) && this.places.has(this.kind.b[pair]);
  }

  // Draw the pairs that pass the limits, and a few of the chosen label; return how many passed.
  showEdges(limits) {
    this.limits = limits;
    const pairs = [];
    for (let pair = 0; pair < this.strength.length; pair++) if (this.isDrawn(pair) && this.passes(pair, limits)) pairs.push(pair);
    const passed = pairs.length;
    pairs.sort((p, q) => this.strength[q] - this.strength[p]);
    const shown = new Set(pairs.slice(0, MOST_EDGES));
    if (this.chosen !== null) this.edgesOf(this.chosen).forEach((pair) => this.isDrawn(pair) && shown.add(pair));
    this.cy.batch(() => {
      this.cy.edges().remove();
      this.cy.add([...shown].map((pair) => this.line(pair)));
    });
    this.shown = shown;
    this.arrivals = this.strongArrivals();
    this.brighten();
    return passed;
  }

  edgesOf(label) {
    const drawn = (this.near.get(label) || []).filter((pair) => [this.kind.a[pair], this.kind.b[pair]].every((end) => end === label || this.places.has(end)));
    return drawn.filter((pair, rank) => rank < LEAST_SHOWN || this.passes(pair, this.limits));
  }

  line(pair) {
    const { a, b, ab, ba } = this.kind;
    const part = this.strength[pair] / (this.most() || 1);
    // Both arrowheads only if both readings hold: the weaker one must pass the threshold too.
    const head = (weight) => (!this.symmetric && Math.abs(weight) >= Math.min(this.limits.least, this.strength[pair]) && weight !== 0 ? "triangle" : "none");
    return { data: { id: `e${pair}`, pair, source: `n${a[pair]}`, target: `n${b[pair]}`, width: 0.8 + 2 * part, opacity: 0.25 + 0.45 * part, forward: head(ab[pair]), backward: head(ba[pair]) } };
  }

  // Where strong arrows reach each dot, as directions: a name there would hide which way they point.
  strongArrivals() {
    const arrivals = new Map();
    const reach = (to, from) => {
      const [end, start] = [to.position(), from.position()];
      const length = Math.hypot(start.x - end.x, start.y - end.y) || 1;
      if (!arrivals.has(to.id())) arrivals.set(to.id(), []);
      arrivals.get(to.id()).push([(start.x - end.x) / length, (start.y - end.y) / length]);
    };
    const strong = (weight) => !this.symmetric && Math.abs(weight) >= this.most() / 2;
    this.cy.edges().forEach((edge) => {
      if (strong(this.kind.ab[edge.data("pair")])) reach(edge.target(), edge.source());
      if (strong(this.kind.ba[edge.data("pair")])) reach(edge.source(), edge.target());
    });
    return arrivals;
  }

  most() {
    if (this.kind.most === undefined) this.kind.most = this.strength.reduce((most, weight) => Math.max(most, weight), 0);
    return this.kind.most;
  }

  choose(label, group = null) {
    this.chosen = label;
    this.group = group;
    const passed = this.showEdges(this.limits);
    if (label !== null || group !== null) this.frame();
    return passed;
  }

  // Fade everything but the chosen label and its neighbours, or but the labels of the chosen group.
  brighten() {
    const { cy, kind } = this;
    let bright = null;
    if (this.chosen !== null) bright = new Set([this.chosen, ...this.edgesOf(this.chosen).flatMap((pair) => [kind.a[pair], kind.b[pair]])]);
    if (this.group !== null) bright = new Set(this.content.drawn.filter((_, place) => kind.groups[place] === this.group));
    this.bright = bright;
    const lit = (pair) => (this.chosen !== null ? kind.a[pair] === this.chosen || kind.b[pair] === this.chosen : bright.has(kind.a[pair]) && bright.has(kind.b[pair]));
    cy.batch(() => {
      cy.nodes().forEach((node) => {
        node.toggleClass("faded", bright !== null && !bright.has(node.data("label")));
        node.toggleClass("chosen", node.data("label") === this.chosen);
      });
      cy.edges().forEach((edge) => {
        edge.toggleClass("faded", bright !== null && !lit(edge.data("pair")));
        edge.toggleClass("bright", bright !== null && lit(edge.data("pair")));
      });
    });
    this.soon();
  }

  // Move the view so that the bright labels fill it, without zooming in too far.
  frame() {
    const bright = this.cy.nodes().filter((node) => this.bright.has(node.data("label")));
    if (!bright.length) return;
    this.fitTo(bright, 1.3);
  }

  fit() {
    if (!this.cy.width()) return void this.cy.one("resize", () => this.fit()); // In a frame that is not shown yet.
    this.fitTo(this.cy.nodes(), 1.6);
  }

  // Fill the drawing with some labels, but neither the column of the buttons nor the line of text at the bottom.
  fitTo(nodes, mostZoom) {
    const box = nodes.boundingBox({ includeLabels: false });
    const across = Math.min(44, this.cy.width() / 12), right = across + 40, up = 26, below = 48;
    const width = this.cy.width() - across - right, height = this.cy.height() - up - below;
    const zoom = Math.max(Math.min(width / box.w, height / box.h, mostZoom), 0.05);
    this.cy.viewport({ zoom, pan: { x: across + width / 2 - (zoom * (box.x1 + box.x2)) / 2, y: up + height / 2 - (zoom * (box.y1 + box.y2)) / 2 } });
  }

  zoomBy(factor) {
    this.cy.zoom({ level: this.cy.zoom() * factor, renderedPosition: { x: this.cy.width() / 2, y: this.cy.height() / 2 } });
  }

  soon() {
    cancelAnimationFrame(this.waiting);
    this.waiting = requestAnimationFrame(() => this.writeNames());
  }

  // Names keep their size on the screen, and dots stay visible. The most frequent labels come first; a name that would
  // cover another name or leave the drawing goes to another side of its dot, or is left out. A side without a strong
  // arrow is better.
  writeNames() {
    const zoom = this.cy.zoom();
    this.taken = [...this.coveredBoxes(), ...this.dotBoxes(zoom)];
    const first = (node) => (node.hasClass("chosen") ? 1 : 0);
    const nodes = this.cy.nodes().toArray().sort((p, q) => first(q) - first(p)); // Stable: otherwise by frequency.
    this.cy.batch(() => nodes.forEach((node) => {
      node.data("size", Math.max(node.data("own"), LEAST_DOT / zoom));
      const place = node.hasClass("faded") ? undefined : this.namePlace(node, zoom);
      node.toggleClass("named", place !== undefined);
      if (place === undefined) return;
      const [x, y, across, up] = place;
      const inward = x && y ? (0.3 * node.data("size")) / 2 : 0; // Cytoscape places corners around the box of a dot.
      node.style({ "font-size": NAME_SIZE / zoom, "text-outline-width": 2.2 / zoom, "text-halign": across, "text-valign": up, "text-margin-x": (2 * x) / zoom - Math.sign(x) * inward, "text-margin-y": (2 * y) / zoom - Math.sign(y) * inward });
    }));
  }

  coveredBoxes() {
    const corner = this.cy.container().getBoundingClientRect();
    return this.covers.map((cover) => {
      const { left, top, right, bottom } = cover.getBoundingClientRect();
      return { left: left - corner.left, top: top - corner.top, right: right - corner.left, bottom: bottom - corner.top };
    });
  }

  dotBoxes(zoom) {
    const large = this.cy.nodes().toArray().filter((node) => !node.hasClass("faded") && node.data("own") * zoom > LARGE_DOT);
    return large.map((node) => {
      const { x, y } = node.renderedPosition();
      const reach = 0.4 * node.data("own") * zoom;
      return { left: x - reach, top: y - reach, right: x + reach, bottom: y + reach };
    });
  }

  namePlace(node, zoom) {
    const dot = node.renderedPosition();
    const width = this.ink.measureText(node.data("short")).width + 4;
    const height = NAME_SIZE + 3;
    const reach = (node.data("size") * zoom) / 2 + 2;
    const arrivals = this.arrivals.get(node.id()) || [];
    const hides = ([x, y]) => (arrivals.some((way) => x * way[0] + y * way[1] > 0.8 * Math.hypot(x, y)) ? 1 : 0);
    return [...NAME_PLACES].sort((p, q) => hides(p) - hides(q)).find(([x, y]) => {
      const left = dot.x + x * reach + (Math.sign(x) * width) / 2 - width / 2;
      const top = dot.y + y * reach + (Math.sign(y) * height) / 2 - height / 2;
      const box = { left, top, right: left + width, bottom: top + height };
      if (left < 0 || top < 0 || box.right > this.cy.width() || box.bottom > this.cy.height()) return false;
      if (this.taken.some((other) => box.right + AROUND_NAME > other.left && box.left - AROUND_NAME < other.right && box.bottom > other.top && box.top < other.bottom)) return false;
      this.taken.push(box);
      return true;
    });
  }
}
