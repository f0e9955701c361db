"use strict";
/* Drawing that the attention viewer and the error browser share. A page's own script follows in the same element.

   Frames: canvases have the units of a crop, whose pixels are numbered from 0 at the centre of the first. Areas are bytes
   on a logarithmic scale: see `attention/maps/stored.py`. */

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const reduce = (value, count) => ((value % count) + count) % count;

/* ---- values ---- */

const digits = (value) => (value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());
const times = (value) => `${digits(value)}×`;

async function unpack(id) {
  const packed = Uint8Array.from(atob(element(id).textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const scales = new Map();

/** Values and colours of the 256 codes of a scale. */
function tableOf(scale) {
  const key = `${scale.floor} ${scale.steps}`;
  if (!scales.has(key)) {
    const values = Float64Array.from({ length: 256 }, (_, code) =>
      code ? scale.floor * 2 ** ((code - 0.5) / scale.steps) : 0);
    scales.set(key, { values, colours: Array.from(values, colourOf) });
  }
  return scales.get(key);
}

/** Colour of a value; values above the scale get its last colour. */
function colourOf(value) {
  const [low, high] = data.range;
  const share = Math.log(value / low) / Math.log(high / low);
  const index = Math.round(share * (data.colours.length - 1));
  return data.colours[Math.min(Math.max(index, 0), data.colours.length - 1)];
}

/* ---- drawing ---- */

const centre = (grid, cell) => [
  grid.x + (cell % grid.columns) * grid.side,
  grid.y + Math.floor(cell / grid.columns) * grid.side,
];

/** Scale the canvas to screen pixels; its units are crop pixels, (0, 0) is the centre of the first pixel. */
function frameCanvas(canvas, [height, width]) {
  const ratio = window.devicePixelRatio || 1;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round((canvas.width * height) / width));
  const context = canvas.getContext("2d");
  const scale = canvas.width / width;
  context.setTransform(scale, 0, 0, scale, 0.5 * scale, 0.5 * scale);
  return { context, unit: ratio / scale };
}

/** Draw the cells of an area above a threshold and return their number. */
function drawArea(context, area, threshold) {
  const { values, colours } = tableOf(area.scale);
  let above = 0;
  context.globalAlpha = 0.75;
  area.codes.forEach((code, cell) => {
    if (!code || values[code] <= threshold) return;
    above += 1;
    context.fillStyle = colours[code];
    fillCell(context, area.grid, cell);
  });
  context.globalAlpha = 1;
  return above;
}

/** Fill a cell, snapped to screen pixels so that neighbours neither overlap nor leave gaps. */
function fillCell(context, grid, cell) {
  const [x, y] = centre(grid, cell);
  const { a: scale, e: shift } = context.getTransform();
  const snap = (value) => (Math.round(value * scale + shift) - shift) / scale;
  const half = grid.side / 2;
  const [left, top] = [snap(x - half), snap(y - half)];
  context.fillRect(left, top, snap(x + half) - left, snap(y + half) - top);
}

function drawLimbs(context, points, unit, colour, visible = () => true) {
  for (const [width, style] of [[4, "#ffffffb0"], [2, colour]]) {
    context.beginPath();
    for (const [from, to] of data.limbs) {
      if (!visible(from) || !visible(to)) continue;
      context.moveTo(...points[from]);
      context.lineTo(...points[to]);
    }
    context.strokeStyle = style;
    context.lineWidth = width * unit;
    context.lineCap = "round";
    context.stroke();
  }
}

function drawDots(context, points, unit, fill, edge) {
  for (const [x, y] of points) {
    context.beginPath();
    context.arc(x, y, 3.2 * unit, 0, 2 * Math.PI);
    context.fillStyle = fill;
    context.fill();
    context.strokeStyle = edge;
    context.lineWidth = unit;
    context.stroke();
  }
}

/* ---- controls ---- */

function fill(select, texts, chosen) {
  if (select.length !== texts.length || texts.some((text, index) => select.options[index].text !== text)) {
    select.replaceChildren(...texts.map((text, index) => new Option(text, index)));
  }
  select.value = chosen;
}
