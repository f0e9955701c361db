"use strict";
/* The page on which an image is dropped. Points are in image pixels; 0 is the centre of the first pixel. */

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("canvas");
const context = canvas.getContext("2d");
const LARGEST_CANVAS = 1600;
const ZOOMED_CANVAS = 900;
const SMALLEST_DRAG = 6;               // CSS pixels; less is a click

const state = {
  file: null,
  image: null,                         // ImageBitmap, upright
  boxes: [],                           // [x, y, width, height]; none: the whole image
  persons: [],                         // of the server's answer
  person: 0,
  keypoint: null,                      // index
  drag: null,                          // {start, end} while a box is drawn
};

/* ---- requests ---- */

let latest = null;

/** Send the image and its boxes, and draw the answer. A newer request cancels an older one. */
async function send() {
  latest?.abort();
  const request = latest = new AbortController();
  document.body.dataset.ready = "false";
  report("Waiting for the model …");
  const query = new URLSearchParams(state.boxes.map((box) => ["box", box.join(",")]));
  const address = `${data.explains ? "/explain" : "/predict"}?${query}`;
  try {
    const answer = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": state.file.type || "application/octet-stream" },
      body: state.file,
      signal: request.signal,
    });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    receive(content.persons);
  } catch (error) {
    if (request.signal.aborted) return;
    state.persons = [];
    report(error.message, true);
  }
  show();
  document.body.dataset.ready = "true";
}

function receive(persons) {
  state.persons = persons;
  state.person = Math.min(state.person, persons.length - 1);
  const scores = scoresOf(persons[state.person]);
  state.keypoint ??= scores.indexOf(Math.max(...scores));
  const whole = state.boxes.length ? "" : " The whole image was taken as one person’s box: drag to draw a box.";
  report(`${persons.length} ${persons.length === 1 ? "person" : "persons"}.${whole}`);
}

/** Show a line. */
function report(line, isProblem = false) {
  element("status").textContent = line;
  element("status").classList.toggle("problem", isProblem);
}

/* ---- image and boxes ---- */

async function open(file) {
  Object.assign(state, { file, image: null, boxes: [], persons: [], person: 0, keypoint: null });
  element("boxes").value = "";
  try {
    if (file.size > data.megabytes * 1e6) throw new Error(`More than ${data.megabytes} MB: choose a smaller image.`);
    state.image = await createImageBitmap(file);
  } catch (error) {
    canvas.hidden = true;
    element("invitation").hidden = false;
    show();
    report(error.name === "Error" ? error.message : `${file.name} is not an image that this browser can show.`, true);
    document.body.dataset.ready = "true";
    return;
  }
  canvas.hidden = false;
  element("invitation").hidden = true;
  show();
  send();
}

function setBoxes(boxes) {
  state.boxes = boxes;
  state.person = Math.max(boxes.length - 1, 0);
  element("boxes").value = boxes.map((box) => box.join(",")).join("; ");
  if (state.image) send();
}

/** Boxes of the text field; the server refuses what is not four numbers. */
function readBoxes() {
  const parts = element("boxes").value.split(";").map((part) => part.trim()).filter(Boolean);
  setBoxes(parts.map((part) => part.split(/[\s,]+/)));
}

/* ---- drawing ---- */

const scoresOf = (person) => data.keypoints.map((name) => person.keypoints[name].score);
const pointsOf = (person) => data.keypoints.map((name) => [person.keypoints[name].x, person.keypoints[name].y]);
const areaKind = () => document.querySelector("[name=area]:checked")?.value ?? "none";
const threshold = () => 2 ** (Number(element("threshold")?.value ?? 0) / 2);

function show() {
  showKeypoints();
  if (element("threshold")) element("threshold-text").textContent = `${Number(threshold().toPrecision(3))}×`;
  if (!state.image) return;
  const person = state.persons[state.person];
  const hasArea = person && state.keypoint !== null && areaKind() !== "none";
  fitCanvas(viewOf());
  context.filter = hasArea ? "grayscale(1)" : "none";
  context.drawImage(state.image, -0.5, -0.5);
  context.filter = "none";
  if (hasArea) whiten();
  canvas.dataset.cells = hasArea ? drawArea(person) : 0;
  drawBoxes();
  state.persons.forEach(drawPose);
}

/** The part of the image that is shown: all of it, or the crop of the chosen person. */
function viewOf() {
  const person = state.persons[state.person];
  if (!element("zoom").checked || !person) {
    return { x: -0.5, y: -0.5, width: state.image.width, height: state.image.height };
  }
  const { grid } = person;
  if (!grid) {
    const [x, y, width, height] = person.box;
    return { x, y, width, height };
  }
  const [x, y] = [grid.x - grid.side / 2, grid.y - grid.side / 2];
  return { x, y, width: grid.columns * grid.side, height: grid.rows * grid.side };
}

/** Size the canvas for a part of the image, and draw in image pixels from now on. */
function fitCanvas(view) {
  const longest = Math.max(view.width, view.height);
  const scale = element("zoom").checked ? ZOOMED_CANVAS / longest : Math.min(1, LARGEST_CANVAS / longest);
  canvas.width = Math.round(view.width * scale);
  canvas.height = Math.round(view.height * scale);
  context.setTransform(scale, 0, 0, scale, -view.x * scale, -view.y * scale);
}

/** Lighten the image, on which weak areas would be too dark. */
function whiten() {
  context.fillStyle = "#fff6";
  context.fillRect(-0.5, -0.5, state.image.width, state.image.height);
}

/** Draw the cells above the threshold; return their number. */
function drawArea(person) {
  const { grid } = person;
  const values = person[areaKind()][data.keypoints[state.keypoint]];
  let count = 0;
  context.globalAlpha = 0.6;
  for (let row = 0; row < grid.rows; row++) {
    for (let column = 0; column < grid.columns; column++) {
      if (values[row][column] <= threshold()) continue;
      context.fillStyle = colourOf(values[row][column]);
      const [x, y] = [grid.x + (column - 0.5) * grid.side, grid.y + (row - 0.5) * grid.side];
      context.fillRect(x, y, grid.side, grid.side);
      count++;
    }
  }
  context.globalAlpha = 1;
  return count;
}

/** Colour on a logarithmic scale from uniform attention to the strongest value. */
function colourOf(value) {
  const share = Math.min(Math.max(Math.log(value) / Math.log(data.strongest), 0), 1);
  return data.colours[Math.round(share * (data.colours.length - 1))];
}

/** Image pixels of one CSS pixel. */
const pixelSide = () => viewOf().width / Math.max(canvas.getBoundingClientRect().width, 1);

function drawBoxes() {
  const unit = pixelSide();
  const drawn = state.drag ? [...state.boxes, boxOf(state.drag)] : state.boxes;
  drawn.forEach((box, index) => {
    // A box that the server refuses is not drawn.
    if (box.length !== 4) return;
    for (const [colour, dashes] of [["#000", []], [index === state.person ? "#fff" : "#aaa", [5 * unit, 4 * unit]]]) {
      context.strokeStyle = colour;
      context.lineWidth = 1.5 * unit;
      context.setLineDash(dashes);
      context.strokeRect(...box.map(Number));
    }
  });
  context.setLineDash([]);
}

const sideColour = (name) => (name.startsWith("left_") ? "#E69F00" : name.startsWith("right_") ? "#56B4E9" : "#fff");

function drawPose(person, index) {
  const unit = pixelSide() * (index === state.person ? 1 : 0.7);
  const points = pointsOf(person);
  const isClear = scoresOf(person).map((score) => score >= data.threshold);
  for (const [width, isOutline] of [[5, true], [3, false]]) {
    for (const [a, b] of data.limbs) {
      if (!isClear[a] || !isClear[b]) continue;
      const [colour, other] = [a, b].map((keypoint) => sideColour(data.keypoints[keypoint]));
      line(points[a], points[b], isOutline ? "#000" : colour === other ? colour : "#fff", width * unit);
    }
  }
  points.forEach((point, keypoint) => {
    const isChosen = index === state.person && keypoint === state.keypoint;
    if (!isClear[keypoint] && !isChosen) return;
    dot(point, (isChosen ? 6 : 4) * unit, isClear[keypoint] ? sideColour(data.keypoints[keypoint]) : "#0000", unit,
      isChosen ? "#fff" : "#000");
  });
}

function line([x, y], [endX, endY], colour, width) {
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(endX, endY);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineCap = "round";
  context.stroke();
}

function dot([x, y], radius, fill, unit, edge) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = edge;
  context.lineWidth = 1.5 * unit;
  context.stroke();
}

/* ---- keypoints ---- */

function makeKeypoint(name, keypoint) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const [label, score] = [document.createElement("span"), document.createElement("span")];
  label.textContent = name.replaceAll("_", " ");
  score.className = "scores";
  button.append(label, score);
  const choose = () => {
    state.keypoint = keypoint;
    show();
  };
  button.addEventListener("click", choose);
  button.addEventListener("focus", choose);
  item.append(button);
  return item;
}

function showKeypoints() {
  const person = state.persons[state.person];
  element("keypoints").hidden = !person;
  element("person").textContent = person
    ? `Person ${state.person + 1} of ${state.persons.length}, score ${person.score.toFixed(2)}`
    : "None yet.";
  if (!person) return;
  const scores = scoresOf(person);
  [...element("keypoints").children].forEach((item, keypoint) => {
    const button = item.firstChild;
    button.lastChild.textContent = scores[keypoint].toFixed(2);
    button.setAttribute("aria-pressed", keypoint === state.keypoint);
    button.classList.toggle("weak", scores[keypoint] < data.threshold);
  });
}

/** Choose the person and keypoint nearest to a point. */
function chooseNearest([x, y]) {
  let best = Infinity;
  state.persons.forEach((person, index) => pointsOf(person).forEach((point, keypoint) => {
    const distance = Math.hypot(point[0] - x, point[1] - y);
    if (distance < best) [best, state.person, state.keypoint] = [distance, index, keypoint];
  }));
  show();
}

/* ---- user input ---- */

function placeOf(event) {
  const box = canvas.getBoundingClientRect();
  const view = viewOf();
  const inside = (share, length) => Math.min(Math.max(share, 0), 1) * length;
  return [
    view.x + inside((event.clientX - box.left) / box.width, view.width),
    view.y + inside((event.clientY - box.top) / box.height, view.height),
  ];
}

function boxOf({ start, end }) {
  const corner = [0, 1].map((axis) => Math.round(Math.min(start[axis], end[axis])));
  return [...corner, ...[0, 1].map((axis) => Math.round(Math.abs(start[axis] - end[axis])))];
}

function listenToPointer() {
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const place = placeOf(event);
    state.drag = { start: place, end: place };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!state.drag) return;
    state.drag.end = placeOf(event);
    show();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!state.drag) return;
    const { drag } = state;
    state.drag = null;
    const box = boxOf(drag);
    if (Math.min(box[2], box[3]) < SMALLEST_DRAG * pixelSide()) chooseNearest(placeOf(event));
    else setBoxes([...state.boxes, box].slice(-data.boxes));
  });
  canvas.addEventListener("pointercancel", () => {
    state.drag = null;
    show();
  });
}

function listenToFiles() {
  element("file").addEventListener("change", (event) => event.target.files[0] && open(event.target.files[0]));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    element("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => element("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    element("drop").classList.remove("over");
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files[0]) open(event.clipboardData.files[0]);
  });
}

function start() {
  element("keypoints").append(...data.keypoints.map(makeKeypoint));
  listenToFiles();
  listenToPointer();
  element("boxes").addEventListener("change", readBoxes);
  element("clear").addEventListener("click", () => setBoxes([]));
  element("zoom").addEventListener("change", show);
  for (const radio of document.querySelectorAll("[name=area]")) radio.addEventListener("change", show);
  element("threshold")?.addEventListener("input", show);
  window.addEventListener("resize", show);
  show();
  document.body.dataset.ready = "true";
}

start();
