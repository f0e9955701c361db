/* The error browser. All data except large images is in this document; the state is in the address. */

/* ---- state and address ---- */

const GOOD = 1, UNDETECTED = 6;          // of keypoint classes; 0 is not labelled
const COLOURS = ["#9aa2ad", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00", "#9aa2ad"];
const TRUTH = "#ffffff";
const ORDERS = ["worst first", "best first", "most different first"];
const AT_ONCE = 36;
const TALLEST = 62;                      // of a panel, percent of the window's height

const state = {
  model: 0,
  other: data.models.length > 1 ? 1 : 0,  // 0: no second model; else 1 + its index among the others
  class: 0,
  keypoint: 0,                            // 0: any
  size: 0,                                // 0: any
  order: 0,
  case: null,                             // index in data.cases
  marked: null,                           // keypoint
  prediction: true,
  annotation: true,
  attention: true,
  listed: AT_ONCE,
};

/** All classes that can be chosen: of keypoints, of predictions, or all. */
const classes = [
  { label: "all", matches: (result, keypoint) => keypoint === null || isWrong(result.classes[keypoint]) },
  ...[2, 3, 4, 5, UNDETECTED].map((kind) => ({
    label: data.keypointClasses[kind],
    matches: (result, keypoint) =>
      keypoint === null ? result.classes.includes(kind) : result.classes[keypoint] === kind,
  })),
  ...[1, 2, 3, 0].map((kind) => ({
    label: data.predictionClasses[kind],
    matches: (result, keypoint) => result.kind === kind && (keypoint === null || result.classes[keypoint] > 0),
  })),
];

const isWrong = (kind) => kind > GOOD;
const others = () => data.models.map((_, index) => index).filter((index) => index !== state.model);
const shownModels = () => (state.other ? [state.model, others()[state.other - 1]] : [state.model]);
const chosenKeypoint = () => (state.keypoint ? state.keypoint - 1 : null);
const isIndex = (value, count) => Number.isInteger(value) && value >= 0 && value < count;

const COUNTS = {
  model: () => data.models.length,
  other: () => data.models.length,
  class: () => classes.length,
  keypoint: () => data.keypoints.length + 1,
  size: () => data.sizes.length + 1,
  order: () => (state.other ? ORDERS.length : 2),
  case: () => data.cases.length,
  marked: () => data.keypoints.length,
};

/** Set the state from the valid parts of the address. */
function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  for (const [key, count] of Object.entries(COUNTS)) {
    if (values.has(key) && isIndex(Number(values.get(key)), count())) state[key] = Number(values.get(key));
  }
  for (const key of ["prediction", "annotation", "attention"]) {
    if (values.has(key)) state[key] = values.get(key) === "1";
  }
}

function writeAddress() {
  const values = new URLSearchParams();
  for (const key of Object.keys(COUNTS)) if (state[key] !== null) values.set(key, state[key]);
  for (const key of ["prediction", "annotation", "attention"]) values.set(key, state[key] ? 1 : 0);
  history.replaceState(null, "", `#${values}`);
}

/* ---- choice ---- */

function matches(one, chosenClass = classes[state.class]) {
  if (state.size && one.sizeName !== data.sizes[state.size - 1]) return false;
  return shownModels().some((model) => one.results[model] && chosenClass.matches(one.results[model], chosenKeypoint()));
}

/** How bad a result is: 1 - OKS of a person, or the score of a prediction without a person. */
function badness(one, model) {
  const result = one.results[model];
  if (!result) return -1;
  return one.annotation === null ? Math.min(Math.max(result.score, 0), 1) : 1 - result.oks;
}

/** Difference of the OKS of two models. */
function difference(one) {
  const [first, second] = shownModels().map((model) => one.results[model]);
  return first && second ? Math.abs(first.oks - second.oks) : -1;
}

/** Indices of the cases that fit the filters, in the chosen order. */
function chosenCases() {
  const found = data.cases.map((_, index) => index).filter((index) => matches(data.cases[index]));
  const value = [
    (one) => -badness(one, state.model),
    (one) => (one.results[state.model] && one.annotation !== null ? badness(one, state.model) : 2),
    (one) => -difference(one),
  ][state.order];
  const values = new Map(found.map((index) => [index, value(data.cases[index])]));
  return found.sort((one, other) => values.get(one) - values.get(other) || one - other);
}

/* ---- text ---- */

const summaryOf = (result) => {
  if (!result) return "no such prediction";
  if (!result.points) return "not detected";
  return `OKS ${result.oks.toFixed(2)}`;
};

function numbersOf(result) {
  if (!result?.points) return summaryOf(result);
  return `OKS ${result.oks.toFixed(3)}, score ${result.score.toFixed(3)}, ${data.predictionClasses[result.kind]}`;
}

function classesOf(result) {
  if (!result) return "This prediction is another model’s.";
  const counts = data.keypointClasses.map((label, kind) => [result.classes.filter((one) => one === kind).length, label]);
  return counts.filter(([count], kind) => count && kind).map(([count, label]) => `${count} ${label}`).join(", ");
}

function markedWords(result) {
  if (state.marked === null) return "";
  const attention = state.attention && result?.attention ? "; its attention is drawn" : "";
  return `${data.keypoints[state.marked]}: ${keypointWords(result, state.marked)}${attention}`;
}

function keypointWords(result, keypoint) {
  const kind = result?.classes[keypoint] ?? 0;
  if (!kind) return "not labelled";
  const similarity = result.terms ? `, similarity ${result.terms[keypoint].toFixed(2)}` : "";
  return `${data.keypointClasses[kind]}${similarity}`;
}

function whoOf(one) {
  const person = one.annotation === null ? "prediction without a person" : `annotation ${one.annotation}, ${one.sizeName}`;
  return `${one.name}, ${person}`;
}

/* ---- drawing ---- */

const images = new Map();

function imageOf(source) {
  if (!images.has(source)) {
    const image = new Image();
    image.src = source;
    images.set(source, image.decode().then(() => image, () => null));
  }
  return images.get(source);
}

const areas = new Map();

function areasOf(model, index) {
  const id = `attention-${model}-${index}`;
  if (!areas.has(id)) areas.set(id, unpack(id));
  return areas.get(id);
}

function drawErrors(context, truth, result, unit) {
  context.setLineDash([3 * unit, 2 * unit]);
  context.lineWidth = 1.5 * unit;
  result.points.forEach(([x, y], keypoint) => {
    if (!isWrong(result.classes[keypoint])) return;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(truth[keypoint][0], truth[keypoint][1]);
    context.strokeStyle = COLOURS[result.classes[keypoint]];
    context.stroke();
  });
  context.setLineDash([]);
}

function drawPrediction(context, result, unit) {
  drawLimbs(context, result.points.map(([x, y]) => [x, y]), unit, "#0072B2");
  result.points.forEach(([x, y], keypoint) => {
    drawDots(context, [[x, y]], unit * (result.classes[keypoint] ? 1 : 0.7), COLOURS[result.classes[keypoint]], "#fff");
  });
}

function drawTruth(context, truth, unit, colour) {
  const points = truth.map(([x, y]) => [x, y]);
  context.globalAlpha = colour === TRUTH ? 1 : 0.8;
  drawLimbs(context, points, unit * 0.6, colour, (keypoint) => truth[keypoint][2] > 0);
  // Filled: visible; hollow: annotated as occluded.
  const labelled = (kind) => points.filter((_, keypoint) => truth[keypoint][2] === kind);
  drawDots(context, labelled(2), unit * 0.8, colour, "#000");
  drawDots(context, labelled(1), unit * 0.8, "#0000", colour);
  context.globalAlpha = 1;
}

function drawMark(context, one, result, unit) {
  if (state.marked === null) return;
  const place = result?.points?.[state.marked] ?? (one.truth?.[state.marked][2] ? one.truth[state.marked] : null);
  if (!place) return;
  for (const [width, style] of [[4, "#000"], [2, "#fff"]]) {
    context.beginPath();
    context.arc(place[0], place[1], 7 * unit, 0, 2 * Math.PI);
    context.strokeStyle = style;
    context.lineWidth = width * unit;
    context.stroke();
  }
}

async function drawPanel(panel, model, isLatest) {
  const one = data.cases[state.case], result = one.results[model];
  const grid = state.attention && state.marked !== null && result?.attention;
  const [image, codes] = await Promise.all([imageOf(one.image), grid ? areasOf(model, state.case) : null]);
  if (!isLatest()) return;
  panel.canvas.style.width = `min(100%, ${(TALLEST * one.size[1]) / one.size[0]}vh)`;
  const { context, unit } = frameCanvas(panel.canvas, one.size);
  if (image) context.drawImage(image, -0.5, -0.5, one.size[1], one.size[0]);
  panel.empty.textContent = image ? "" : `The image ${one.image} is missing.`;
  panel.empty.hidden = Boolean(image);
  if (codes) {
    const count = grid.rows * grid.columns;
    const kept = codes.subarray(state.marked * count, (state.marked + 1) * count);
    drawArea(context, { grid, codes: kept, scale: data.scale }, data.scale.floor);
  }
  if (state.annotation) {
    for (const truth of one.others) drawTruth(context, truth, unit, "#9aa2ad");
    if (one.truth) drawTruth(context, one.truth, unit, TRUTH);
  }
  if (state.prediction && result?.points) {
    if (one.truth && state.annotation) drawErrors(context, one.truth, result, unit);
    drawPrediction(context, result, unit);
  }
  drawMark(context, one, result, unit);
}

function describePanel(panel, model) {
  const result = data.cases[state.case].results[model];
  panel.title.textContent = data.models[model].title;
  panel.numbers.textContent = numbersOf(result);
  panel.classes.textContent = classesOf(result);
  panel.marked.textContent = markedWords(result);
  panel.canvas.setAttribute("aria-label", `${data.models[model].title}: ${numbersOf(result)}; ${classesOf(result)}`);
}

/* ---- controls follow the state ---- */

const panels = [];
let latest = 0, chosen = [];

/** Draw the state. A newer call cancels an older one. */
async function show() {
  const call = ++latest;
  document.body.dataset.ready = "false";
  chosen = chosenCases();
  if (!chosen.includes(state.case)) state.case = chosen.length ? chosen[0] : null;
  writeAddress();
  showControls();
  showList();
  const isLatest = () => call === latest;
  if (state.case !== null) {
    showKeypoints();
    await Promise.all(shownModels().map((model, index) => {
      describePanel(panels[index], model);
      return drawPanel(panels[index], model, isLatest);
    }));
  }
  if (isLatest()) document.body.dataset.ready = "true";
}

function showControls() {
  const titles = data.models.map((model) => model.title);
  fill(element("model"), titles, state.model);
  fill(element("other"), ["no other model", ...others().map((index) => titles[index])], state.other);
  element("other-group").hidden = titles.length < 2;
  const numbers = classes.map((kind) => data.cases.filter((one) => matches(one, kind)).length);
  fill(element("class"), classes.map(({ label }, index) => `${label} (${numbers[index]})`), state.class);
  fill(element("keypoint"), ["any", ...data.keypoints], state.keypoint);
  fill(element("size"), ["any", ...data.sizes], state.size);
  fill(element("order"), ORDERS.slice(0, COUNTS.order()), state.order);
  for (const key of ["prediction", "annotation", "attention"]) element(key).checked = state[key];
  element("attention-label").hidden = !data.cases.some((one) => one.results.some((result) => result?.attention));
  element("panels").classList.toggle("two", state.other > 0);
  panels.forEach((panel, index) => { panel.root.hidden = state.case === null || index >= shownModels().length; });
  const position = chosen.indexOf(state.case) + 1;
  element("who").textContent = state.case === null
    ? "Nothing on this page fits the filters."
    : `${position} of ${chosen.length}: ${whoOf(data.cases[state.case])}`;
  for (const id of ["previous", "next"]) element(id).disabled = chosen.length < 2;
  document.querySelector(".keypoints").hidden = state.case === null;
}

function showKeypoints() {
  const one = data.cases[state.case];
  const results = shownModels().map((model) => one.results[model]);
  [...element("keypoints").children].forEach((item, keypoint) => {
    const button = item.firstChild;
    const [, ...values] = button.children;
    values.forEach((value, index) => {
      const kind = results[index]?.classes[keypoint] ?? 0;
      value.hidden = index >= results.length;
      value.firstChild.style.background = COLOURS[kind];
      const term = kind && results[index].terms ? results[index].terms[keypoint].toFixed(2) : "–";
      value.lastChild.textContent = results.length === 1 && kind ? `${data.keypointClasses[kind]} ${term}` : term;
    });
    button.setAttribute("aria-label", [data.keypoints[keypoint], ...results.map((result) => keypointWords(result, keypoint))].join("; "));
    button.setAttribute("aria-pressed", state.marked === keypoint);
  });
}

function showList() {
  const position = chosen.indexOf(state.case);
  while (position >= state.listed) state.listed += AT_ONCE;
  const listed = chosen.slice(0, state.listed);
  const list = element("list");
  const titles = shownModels().map((model) => data.models[model].title).join(" | ");
  element("list-title").textContent = `${chosen.length} ${chosen.length === 1 ? "case" : "cases"}, OKS of ${titles}`;
  list.replaceChildren(...listed.map(thumbnail));
  element("more").parentElement.hidden = listed.length === chosen.length;
}

const thumbnails = new Map();

function thumbnail(index) {
  if (!thumbnails.has(index)) thumbnails.set(index, makeThumbnail(index));
  const button = thumbnails.get(index);
  const one = data.cases[index];
  button.setAttribute("aria-current", index === state.case);
  const oks = shownModels().map((model) => one.results[model]?.oks.toFixed(2) ?? "–");
  button.lastChild.textContent = oks.join(" | ");
  return button;
}

function makeThumbnail(index) {
  const one = data.cases[index];
  const button = document.createElement("button");
  button.type = "button";
  const image = new Image();
  image.loading = "lazy";
  image.alt = whoOf(one);
  image.src = one.thumbnail ?? one.image;
  button.title = whoOf(one);
  button.append(image, document.createElement("small"));
  button.addEventListener("click", () => {
    change({ case: index });
    element("who").scrollIntoView({ block: "nearest" });
  });
  return button;
}

/* ---- user input ---- */

function change(changes) {
  const isFilter = Object.keys(changes).some((key) => !["case", "marked"].includes(key) && key in COUNTS);
  Object.assign(state, changes);
  // A filter starts at the first case; the two panels show different models.
  if (isFilter) Object.assign(state, { case: null, listed: AT_ONCE });
  state.order = Math.min(state.order, COUNTS.order() - 1);
  if (state.keypoint) state.marked = changes.marked ?? state.keypoint - 1;
  show();
}

function step(by) {
  if (chosen.length) change({ case: chosen[reduce(chosen.indexOf(state.case) + by, chosen.length)] });
}

const cycle = (key) => (event) => change({ [key]: reduce(state[key] + (event.shiftKey ? -1 : 1), COUNTS[key]()) });
const toggle = (key) => () => change({ [key]: !state[key] });

const KEYS = {
  arrowleft: () => step(-1),
  arrowright: () => step(1),
  m: cycle("model"),
  n: cycle("other"),
  c: cycle("class"),
  k: cycle("keypoint"),
  s: cycle("size"),
  o: cycle("order"),
  p: toggle("prediction"),
  t: toggle("annotation"),
  a: toggle("attention"),
};

function onKey(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select") || !(key in KEYS)) return;
  KEYS[key](event);
  event.preventDefault();
}

const SHORTEST_SWIPE = 40;               // CSS pixels

function listenToSwipes(canvas) {
  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    start = event.pointerType === "mouse" ? null : event.clientX;
  });
  canvas.addEventListener("pointerup", (event) => {
    const moved = start === null ? 0 : event.clientX - start;
    start = null;
    if (Math.abs(moved) >= SHORTEST_SWIPE) step(moved < 0 ? 1 : -1);
  });
}

/* ---- page setup ---- */

function makePanel() {
  const root = element("panel").content.firstElementChild.cloneNode(true);
  const part = (selector) => root.querySelector(selector);
  const panel = {
    root, title: part("h3"), canvas: part("canvas"), empty: part(".empty"), numbers: part(".numbers"),
    classes: part(".classes"), marked: part(".marked"),
  };
  listenToSwipes(panel.canvas);
  element("panels").append(root);
  return panel;
}

function makeKeypoint(name, keypoint) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.append(withClass("name", name), ...data.models.slice(0, 2).map(() => {
    const value = withClass("value", "");
    value.append(withClass("dot", ""), document.createTextNode(""));
    return value;
  }));
  button.addEventListener("click", () => change({ marked: state.marked === keypoint ? null : keypoint }));
  item.append(button);
  return item;
}

function withClass(name, text) {
  const part = document.createElement("span");
  part.className = name;
  part.textContent = text;
  return part;
}

function makeLegend() {
  const entries = [1, 2, 3, 4, 5].map((kind) => [COLOURS[kind], data.keypointClasses[kind]]);
  for (const [colour, label] of [...entries, [TRUTH, "annotation"], [COLOURS[0], "other persons, not labelled"]]) {
    const item = document.createElement("li");
    const dot = withClass("dot", "");
    dot.style.background = colour;
    item.append(dot, label);
    element("legend").append(item);
  }
}

function makeCounts() {
  const rows = [["", ...data.models.map((model) => model.title)]];
  const add = (name, labels, skipped) => labels.forEach((label, kind) => {
    if (!skipped.includes(kind)) rows.push([label, ...data.models.map((model) => model.counts[name][kind].toLocaleString("en"))]);
  });
  add("keypoints", data.keypointClasses.map((label) => `keypoints: ${label}`), [0]);
  add("predictions", data.predictionClasses.map((label) => `predictions: ${label}`), []);
  element("counts").append(...rows.map((cells, index) => {
    const row = document.createElement("tr");
    row.append(...cells.map((text, column) => {
      const cell = document.createElement(index && column ? "td" : "th");
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
}

function listenToControls() {
  for (const id of ["model", "other", "class", "keypoint", "size", "order"]) {
    element(id).addEventListener("change", (event) => change({ [id]: Number(event.target.value) }));
  }
  for (const id of ["prediction", "annotation", "attention"]) {
    element(id).addEventListener("change", (event) => change({ [id]: event.target.checked }));
  }
  element("previous").addEventListener("click", () => step(-1));
  element("next").addEventListener("click", () => step(1));
  element("more").addEventListener("click", () => change({ listed: state.listed + AT_ONCE }));
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", () => {
    readAddress();
    show();
  });
  window.addEventListener("resize", show);
}

function start() {
  panels.push(makePanel(), makePanel());
  element("keypoints").append(...data.keypoints.map(makeKeypoint));
  makeLegend();
  makeCounts();
  listenToControls();
  readAddress();
  show();
}

start();
