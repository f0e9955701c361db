/* The attention viewer. All data is in this document; the state is in the address.

   Frames: image pixels, crop pixels (0 is the centre of the first pixel), and lattices of cells or blocks, numbered
   row by row. Areas are bytes on a logarithmic scale, see "Values and their precision" on the page. */

/* ---- state and address ---- */

const state = {
  person: 0,
  area: "dependency",
  threshold: 1,
  pose: true,
  truth: false,
  compare: false,
  held: false,
  query: { keypoint: 0 },            // {keypoint} of each model's own prediction, or {cell} of the first panel's lattice
  pointed: null,                  // cell of the first panel's lattice under the pointer: a query that is not held
  read: null,                     // position in image pixels whose value is shown
  views: [0, 1].map((index) => ({ model: Math.min(index, data.models.length - 1), layer: 0, head: 0 })),
};

/** Steps of the threshold slider: half doublings from the floor to the first step above all values. */
const thresholds = (() => {
  const steps = [data.range[0]];
  while (steps.at(-1) <= data.largest * 1.15) steps.push(data.range[0] * 2 ** (steps.length / 2));
  return steps;
})();

function nearestThreshold(value) {
  const distances = thresholds.map((step) => Math.abs(Math.log2(step / value)));
  return thresholds[distances.indexOf(Math.min(...distances))];
}

const isIndex = (value, count) => Number.isInteger(value) && value >= 0 && value < count;
const headsOf = (model) => Math.max(model.cellSets, model.keypointSets);

/** Set the state from the valid parts of the address. */
function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  const number = (key) => (values.has(key) ? Number(values.get(key)) : NaN);
  if (isIndex(number("person"), data.persons.length)) state.person = number("person");
  if (["dependency", "affected"].includes(values.get("area"))) state.area = values.get("area");
  if (number("threshold") > 0) state.threshold = nearestThreshold(number("threshold"));
  for (const key of ["compare", "pose", "truth", "held"]) if (values.has(key)) state[key] = values.get(key) === "1";
  state.views.forEach((view, index) => readView(view, values, index ? String(index + 1) : ""));
  if (isIndex(number("keypoint"), data.keypoints.length)) state.query = { keypoint: number("keypoint") };
  const lattice = cellLattice(modelOf(state.views[0]));
  if (isIndex(number("query"), lattice.rows * lattice.columns)) state.query = { cell: number("query") };
  state.pointed = null;
}

function readView(view, values, suffix) {
  const named = data.models.findIndex((model) => model.name === values.get(`model${suffix}`));
  if (named >= 0) view.model = named;
  const model = modelOf(view);
  const layer = Number(values.get(`layer${suffix}`)) - 1;
  if (isIndex(layer, model.layers)) view.layer = layer;
  const head = values.get(`head${suffix}`) === "mean" ? 0 : Number(values.get(`head${suffix}`) ?? NaN);
  if (isIndex(head, headsOf(model))) view.head = head;
  fitView(view);
}

function writeAddress() {
  const values = new URLSearchParams({ person: state.person, area: state.area, threshold: state.threshold });
  if ("keypoint" in state.query) values.set("keypoint", state.query.keypoint);
  else values.set("query", state.query.cell);
  shownViews().forEach((view, index) => {
    const suffix = index ? String(index + 1) : "";
    values.set(`model${suffix}`, modelOf(view).name);
    values.set(`layer${suffix}`, view.layer + 1);
    values.set(`head${suffix}`, view.head || "mean");
  });
  for (const key of ["compare", "pose", "truth", "held"]) values.set(key, state[key] ? "1" : "0");
  // Some browsers reject frequent changes of the address.
  if (location.hash === `#${values}`) return;
  try {
    history.replaceState(null, "", `#${values}`);
  } catch {
    /* A sandboxed frame, such as a report, has no history. */
  }
}

/** Replace a layer that the model lacks by its last layer, and a head by the mean. */
function fitView(view) {
  const model = modelOf(view);
  view.layer = Math.min(view.layer, model.layers - 1);
  if (view.head >= headsOf(model)) view.head = 0;
}

const modelOf = (view) => data.models[view.model];
const shownViews = () => (state.compare ? state.views : state.views.slice(0, 1));

/* ---- positions ---- */

/** Lattice of cells, or of blocks of pool x pool cells, in crop pixels of a model. */
function lattice(model, pool) {
  const [rows, columns] = model.grid.size;
  const shift = ((pool - 1) / 2) * model.grid.side;
  return {
    rows: rows / pool,
    columns: columns / pool,
    x: model.grid.first[0] + shift,
    y: model.grid.first[1] + shift,
    side: model.grid.side * pool,
  };
}

const cellLattice = (model) => lattice(model, model.pool);
/** The cell at a position in the crop; outside the lattice, the nearest cell. */
function cellAt(grid, [x, y]) {
  const clamp = (value, count) => Math.min(Math.max(Math.floor(value + 0.5), 0), count - 1);
  const column = clamp((x - grid.x) / grid.side, grid.columns);
  return clamp((y - grid.y) / grid.side, grid.rows) * grid.columns + column;
}

const affineOf = (model) => data.frames[model.frame].affines[state.person];
const toImage = (model, [x, y]) => {
  const affine = affineOf(model);
  return [(x - affine.x) / affine.scale, (y - affine.y) / affine.scale];
};
const toCrop = (model, [x, y]) => {
  const affine = affineOf(model);
  return [affine.scale * x + affine.x, affine.scale * y + affine.y];
};

/** The query under the pointer, or the kept query. */
const effectiveQuery = () => (state.pointed !== null && !state.held ? { cell: state.pointed } : state.query);

/** The query for a model: {keypoint}, or {cell} of its own lattice. */
function queryOf(model) {
  const query = effectiveQuery();
  const first = modelOf(state.views[0]);
  if ("keypoint" in query || model === first) return query;
  const place = toImage(first, centre(cellLattice(first), query.cell));
  return { cell: cellAt(cellLattice(model), toCrop(model, place)) };
}

/* ---- areas ---- */

const unpacked = new Map();
const KEPT = 6;

/** Codes of one model and person, unpacked on first use; the latest few are cached. */
function areasOf(model, person) {
  const key = `${model}-${person}`;
  const found = unpacked.get(key) ?? unpackAll(model, person);
  unpacked.delete(key);
  unpacked.set(key, found);
  if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
  return found;
}

async function unpackAll(model, person) {
  const kinds = ["cells", "rows", "columns"];
  const codes = await Promise.all(kinds.map((kind) => unpack(`${kind}-${model}-${person}`)));
  return Object.fromEntries(kinds.map((kind, index) => [kind, codes[index]]));
}

/** Area of a view: codes on a lattice, their scale and the query's cell; or a note if there are no codes. */
function areaOf(view, areas) {
  const model = modelOf(view);
  const query = queryOf(model);
  const queries = model.queries[state.person];
  if ("keypoint" in query) return keypointArea(view, areas, query.keypoint, queries[query.keypoint]);
  if (view.head < model.cellSets) return cellArea(view, areas, query.cell);
  const keypoint = model.pool === 1 ? queries.indexOf(query.cell) : -1;
  if (keypoint >= 0) return keypointArea(view, areas, keypoint, query.cell);
  const note = "Single heads of this model are stored for keypoints only: choose a keypoint, or the mean over heads.";
  return { grid: cellLattice(model), codes: null, scale: model.cellScale, query: query.cell, keypoint: null, note };
}

function keypointArea(view, areas, keypoint, query) {
  const model = modelOf(view);
  const grid = lattice(model, 1);
  const count = grid.rows * grid.columns;
  const all = state.area === "dependency" ? areas.rows : areas.columns;
  const start = ((view.layer * model.keypointSets + view.head) * data.keypoints.length + keypoint) * count;
  return { grid, codes: all.subarray(start, start + count), scale: model.keypointScale, query, keypoint, note: "" };
}

function cellArea(view, areas, query) {
  const model = modelOf(view);
  const grid = cellLattice(model);
  const count = grid.rows * grid.columns;
  const start = (view.layer * model.cellSets + view.head) * count * count;
  const codes = state.area === "dependency"
    ? areas.cells.subarray(start + query * count, start + (query + 1) * count)
    : Uint8Array.from({ length: count }, (_, cell) => areas.cells[start + cell * count + query]);
  return { grid, codes, scale: model.cellScale, query, keypoint: null, note: "" };
}

/* ---- text ---- */

const placeWords = (grid, cell) => `row ${Math.floor(cell / grid.columns) + 1}, column ${(cell % grid.columns) + 1}`;
const valueWords = (area, cell) => {
  const code = area.codes[cell];
  return code ? times(tableOf(area.scale).values[code]) : `below ${times(area.scale.floor)}`;
};

function queryWords(model, area) {
  const unit = area.grid.rows * area.grid.columns === model.grid.size[0] * model.grid.size[1] ? "cell" : "block";
  const name = area.keypoint === null ? "" : `${data.keypoints[area.keypoint]}, `;
  return `Query: ${name}${unit} at ${placeWords(area.grid, area.query)} of ${area.grid.rows} × ${area.grid.columns}`;
}

function strongestWords(area) {
  const strongest = area.codes.reduce((best, code, cell) => (code > area.codes[best] ? cell : best), 0);
  return `Strongest: ${placeWords(area.grid, strongest)}, ${valueWords(area, strongest)}`;
}

function personWords(person, index) {
  const box = `box ${person.box.join(", ")}`;
  const who = person.annotation === null ? box : `annotation ${person.annotation}`;
  return `${index + 1} of ${data.persons.length}: ${person.image}, ${who}`;
}

/* ---- drawing ---- */

const panels = [];
const images = new Map();

/** Canvas with the grey crop. */
function greyCrop(frame, person) {
  const key = `${frame}-${person}`;
  if (!images.has(key)) images.set(key, decodeGrey(data.frames[frame].crops[person]));
  return images.get(key);
}

async function decodeGrey(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const grey = 0.299 * pixels.data[at] + 0.587 * pixels.data[at + 1] + 0.114 * pixels.data[at + 2];
    pixels.data.fill(grey, at, at + 3);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function outlineCell(context, grid, cell, unit, colours, dash = []) {
  const [x, y] = centre(grid, cell);
  context.setLineDash(dash.map((length) => length * unit));
  colours.forEach((colour, index) => {
    const inset = index * 1.5 * unit;
    context.strokeStyle = colour;
    context.lineWidth = 1.5 * unit;
    const side = grid.side - 2 * inset;
    context.strokeRect(x - side / 2, y - side / 2, side, side);
  });
  context.setLineDash([]);
}

function drawPose(context, model, unit, keypoint) {
  const points = model.points[state.person];
  drawLimbs(context, points, unit, "#0072B2");
  drawDots(context, points, unit, "#E69F00", "#fff");
  if (keypoint !== null) drawDots(context, [points[keypoint]], unit * 1.4, "#fff", "#000");
}

function drawTruth(context, model, unit) {
  const truth = data.frames[model.frame].truth?.[state.person];
  if (!truth) return;
  const points = truth.map(([x, y]) => [x, y]);
  drawLimbs(context, points, unit, "#009E73", (keypoint) => truth[keypoint][2] > 0);
  // Filled: visible; hollow: annotated as occluded.
  drawDots(context, points.filter((_, keypoint) => truth[keypoint][2] === 2), unit, "#009E73", "#fff");
  drawDots(context, points.filter((_, keypoint) => truth[keypoint][2] === 1), unit, "#fff", "#009E73");
}

async function drawPanel(panel, isLatest) {
  const view = panel.view;
  const model = modelOf(view);
  const [areas, image] = await Promise.all([areasOf(view.model, state.person), greyCrop(model.frame, state.person)]);
  if (!isLatest()) return;
  const area = areaOf(view, areas);
  const size = data.frames[model.frame].size;
  const { context, unit } = frameCanvas(panel.canvas, size);
  context.drawImage(image, -0.5, -0.5, size[1], size[0]);
  const above = area.codes ? drawArea(context, area, state.threshold) : 0;
  if (state.truth) drawTruth(context, model, unit);
  if (state.pose) drawPose(context, model, unit, area.keypoint);
  outlineCell(context, area.grid, area.query, unit, ["#000", "#fff"]);
  const read = state.read && cellAt(area.grid, toCrop(model, state.read));
  if (read !== null) outlineCell(context, area.grid, read, unit, ["#fff", "#000"], [3, 2]);
  describe(panel, model, area, above, read);
}

function describe(panel, model, area, above, read) {
  const cells = area.grid.rows * area.grid.columns;
  panel.query.textContent = queryWords(model, area);
  panel.canvas.setAttribute("aria-label", `${model.title}, ${state.area} area. ${panel.query.textContent}`);
  panel.canvas.dataset.query = area.query;
  panel.canvas.dataset.above = above;
  const reading = area.codes === null ? ""
    : read === null ? strongestWords(area)
    : `Here: ${placeWords(area.grid, read)}, ${valueWords(area, read)}`;
  panel.reading.textContent = reading;
  const unknown = state.threshold < area.scale.floor ? `; below ${times(area.scale.floor)} is not stored` : "";
  panel.count.textContent = area.codes ? `${above} of ${cells} above ${times(state.threshold)}${unknown}` : "";
  const nothing = `Nothing to show: no cell is above ${times(state.threshold)} uniform attention.`;
  panel.empty.textContent = area.note || nothing;
  panel.empty.hidden = !area.note && above > 0;
}

/* ---- controls follow the state ---- */

let latest = 0;

/** Draw the state. A newer call cancels an older one. */
async function show() {
  const call = ++latest;
  document.body.dataset.ready = "false";
  writeAddress();
  showControls();
  showLegend();
  const isLatest = () => call === latest;
  await Promise.all(panels.slice(0, shownViews().length).map((panel) => drawPanel(panel, isLatest)));
  if (isLatest()) document.body.dataset.ready = "true";
}

function showControls() {
  element("person").value = state.person;
  element("who").textContent = `Person ${personWords(data.persons[state.person], state.person)}`;
  for (const radio of document.querySelectorAll("[name=area]")) radio.checked = radio.value === state.area;
  element("threshold").value = thresholds.indexOf(state.threshold);
  element("threshold-text").textContent = times(state.threshold);
  element("threshold").setAttribute("aria-valuetext", `${digits(state.threshold)} times uniform attention`);
  element("pose").checked = state.pose;
  element("truth").checked = state.truth;
  element("truth").disabled = data.frames.every((frame) => !frame.truth);
  element("compare").setAttribute("aria-pressed", state.compare);
  element("hold").setAttribute("aria-pressed", state.held);
  element("meaning").textContent = state.area === "dependency"
    ? "Dependency area: the cells that the query’s cell attends to."
    : "Affected area: the cells that attend to the query’s cell.";
  element("panels").classList.toggle("two", state.compare);
  panels.forEach(showSelectors);
  showKeypoints();
}

function showSelectors(panel, index) {
  const { view, selects } = panel;
  const model = modelOf(view);
  panel.root.hidden = index > 0 && !state.compare;
  panel.map.classList.toggle("held", state.held);
  fill(selects.model, data.models.map((one) => `${one.title} — ${positionWords(one)}`), view.model);
  fill(selects.layer, Array.from({ length: model.layers }, (_, layer) => String(layer + 1)), view.layer);
  fill(selects.head, Array.from({ length: headsOf(model) }, (_, head) => headWords(model, head)), view.head);
}

const positionWords = (model) => (model.position === "none" ? "no position embedding" : `${model.position} position`);
const headWords = (model, head) => (head ? String(head) : model.heads === 1 ? "single head" : `mean of ${model.heads}`);

function showKeypoints() {
  const views = shownViews();
  const query = effectiveQuery();
  const sides = state.compare ? ", left and right panel" : "";
  element("keypoint-heads").textContent = `Confidence of the predicted keypoints${sides}.`;
  [...element("keypoints").children].forEach((item, keypoint) => {
    const button = item.firstChild;
    const scores = views.map((view) => modelOf(view).scores[state.person][keypoint].toFixed(2));
    button.lastChild.textContent = scores.join("  ");
    button.setAttribute("aria-label", `${data.keypoints[keypoint]}, confidence ${scores.join(" and ")}`);
    button.setAttribute("aria-pressed", query.keypoint === keypoint);
  });
}

function showLegend() {
  const [low, high] = data.range;
  const share = (value) => Math.min(Math.max(Math.log(value / low) / Math.log(high / low), 0), 1) * 100;
  element("cut").style.width = `${share(state.threshold)}%`;
}

/* ---- user input ---- */

function change(changes) {
  Object.assign(state, changes);
  show();
}

function choosePerson(person) {
  change({ person: reduce(person, data.persons.length), pointed: null, read: null });
}

function chooseKeypoint(keypoint) {
  change({ query: { keypoint }, pointed: null, read: null });
}

function toggleHold(held = !state.held) {
  // The cell under the pointer becomes the held query.
  const query = held && !state.held ? effectiveQuery() : state.query;
  change({ query, held, pointed: null, read: null });
}

/** Select a model; in the first panel, move the query's cell to the same position in the new lattice. */
function chooseModel(view, index) {
  const before = modelOf(view);
  view.model = index;
  fitView(view);
  if (view === state.views[0] && "cell" in state.query) {
    const place = toImage(before, centre(cellLattice(before), state.query.cell));
    state.query = { cell: cellAt(cellLattice(modelOf(view)), toCrop(modelOf(view), place)) };
  }
  change({ pointed: null });
}

function chooseThreshold(index) {
  change({ threshold: thresholds[Math.min(Math.max(index, 0), thresholds.length - 1)] });
}

/** Position of the pointer in image pixels. */
function placeOf(event, panel) {
  const model = modelOf(panel.view);
  const [height, width] = data.frames[model.frame].size;
  const box = panel.canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * width - 0.5;
  const y = ((event.clientY - box.top) / box.height) * height - 0.5;
  return toImage(model, [x, y]);
}

function point(event, panel) {
  const place = placeOf(event, panel);
  if (state.held) return change({ read: place });
  const first = modelOf(state.views[0]);
  const cell = cellAt(cellLattice(first), toCrop(first, place));
  // Touch has no hover: the touched cell is the query.
  return event.pointerType === "mouse" ? change({ pointed: cell }) : change({ query: { cell }, pointed: null });
}

function listenToPointer(panel) {
  const canvas = panel.canvas;
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) point(event, panel);
  });
  canvas.addEventListener("pointerdown", (event) => point(event, panel));
  canvas.addEventListener("pointerleave", (event) => {
    // Touch leaves when lifted; its value stays.
    if (event.pointerType === "mouse") change({ pointed: null, read: null });
  });
  canvas.addEventListener("click", (event) => {
    if (event.pointerType === "mouse") toggleHold();
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Move the query by one cell of the first panel's lattice; with a held query, move the cell whose value is shown. */
function move([dx, dy]) {
  const model = modelOf(state.views[0]);
  const grid = cellLattice(model);
  const current = "keypoint" in state.query
    ? cellAt(grid, centre(lattice(model, 1), model.queries[state.person][state.query.keypoint]))
    : state.query.cell;
  const from = state.held && state.read ? cellAt(grid, toCrop(model, state.read)) : current;
  const [x, y] = centre(grid, from);
  const cell = cellAt(grid, [x + dx * grid.side, y + dy * grid.side]);
  if (state.held) change({ read: toImage(model, centre(grid, cell)) });
  else change({ query: { cell }, pointed: null, read: null });
}

function nextOf(part, second) {
  const view = state.views[second && state.compare ? 1 : 0];
  const model = modelOf(view);
  if (part === "model") return chooseModel(view, reduce(view.model + 1, data.models.length));
  view[part] = reduce(view[part] + 1, part === "layer" ? model.layers : headsOf(model));
  return show();
}

const KEYS = {
  a: () => change({ area: state.area === "dependency" ? "affected" : "dependency" }),
  c: () => change({ compare: !state.compare }),
  l: (event) => nextOf("layer", event.shiftKey),
  h: (event) => nextOf("head", event.shiftKey),
  m: (event) => nextOf("model", event.shiftKey),
  n: () => choosePerson(state.person + 1),
  p: () => choosePerson(state.person - 1),
  "[": () => chooseThreshold(thresholds.indexOf(state.threshold) - 1),
  "]": () => chooseThreshold(thresholds.indexOf(state.threshold) + 1),
  escape: () => toggleHold(false),
};

function onKey(event) {
  // Form fields use these keys themselves.
  const isFields = event.target.matches(event.key in ARROWS ? "input, select" : "select");
  if (event.ctrlKey || event.metaKey || event.altKey || isFields) return;
  if (event.key in ARROWS) move(ARROWS[event.key]);
  else if (event.key === " " && event.target.tagName === "CANVAS") toggleHold();
  else if (event.key.toLowerCase() in KEYS) KEYS[event.key.toLowerCase()](event);
  else return;
  event.preventDefault();
}

/* ---- page setup ---- */

function makePanel(view) {
  const root = element("panel").content.firstElementChild.cloneNode(true);
  const part = (selector) => root.querySelector(selector);
  const panel = {
    view, root, map: part(".map"), canvas: part("canvas"), empty: part(".empty"), query: part(".query"),
    reading: part(".reading"), count: part(".count"),
    selects: Object.fromEntries(["model", "layer", "head"].map((role) => [role, part(`[data-role=${role}]`)])),
  };
  panel.selects.model.addEventListener("change", (event) => chooseModel(view, Number(event.target.value)));
  for (const role of ["layer", "head"]) {
    panel.selects[role].addEventListener("change", (event) => {
      view[role] = Number(event.target.value);
      show();
    });
  }
  listenToPointer(panel);
  element("panels").append(root);
  return panel;
}

function makeKeypoint(name, keypoint) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const [label, scores] = [document.createElement("span"), document.createElement("span")];
  label.textContent = name;
  scores.className = "scores";
  button.append(label, scores);
  button.addEventListener("focus", () => chooseKeypoint(keypoint));
  button.addEventListener("click", () => chooseKeypoint(keypoint));
  item.append(button);
  return item;
}

function makeLegend() {
  const bar = element("bar");
  const context = bar.getContext("2d");
  const [low, high] = data.range;
  const doublings = Math.log2(high / low);
  for (let x = 0; x < bar.width; x++) {
    context.fillStyle = colourOf(low * 2 ** ((x / (bar.width - 1)) * doublings));
    context.fillRect(x, 0, 1, bar.height);
  }
  for (let power = 0; power <= Math.round(doublings); power++) {
    const tick = document.createElement("span");
    tick.textContent = `${power === Math.round(doublings) ? "≥ " : ""}${times(low * 2 ** power)}`;
    tick.style.left = `${(power / doublings) * 100}%`;
    element("ticks").append(tick);
  }
}

function listenToControls() {
  element("person").addEventListener("change", (event) => choosePerson(Number(event.target.value)));
  element("previous").addEventListener("click", () => choosePerson(state.person - 1));
  element("next").addEventListener("click", () => choosePerson(state.person + 1));
  for (const radio of document.querySelectorAll("[name=area]")) {
    radio.addEventListener("change", () => change({ area: radio.value }));
  }
  element("threshold").max = thresholds.length - 1;
  element("threshold").addEventListener("input", (event) => chooseThreshold(Number(event.target.value)));
  for (const key of ["pose", "truth"]) {
    element(key).addEventListener("change", (event) => change({ [key]: event.target.checked }));
  }
  element("compare").addEventListener("click", () => change({ compare: !state.compare }));
  element("hold").addEventListener("click", () => toggleHold());
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => {
    readAddress();
    show();
  });
  window.addEventListener("resize", show);
}

function start() {
  state.views.forEach((view) => { view.layer = modelOf(view).layers - 1; });
  state.threshold = nearestThreshold(1);
  element("person").append(...data.persons.map((person, index) => new Option(personWords(person, index), index)));
  element("keypoints").append(...data.keypoints.map(makeKeypoint));
  panels.push(...state.views.map(makePanel));
  makeLegend();
  listenToControls();
  readAddress();
  show();
}

start();
