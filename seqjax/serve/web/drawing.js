"use strict";
// Elements and pictures. Whatever a user or a run has written becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function short(value, digits = 3) {
  if (value === null || value === undefined) return "-";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1e6 || (size && size < 1e-4) ? value.toExponential(2) : value.toFixed(size < 10 ? digits : size < 1000 ? 2 : 0);
}

function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(wanted, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

// A picture with axes: {x: [low, high], y: [low, high], xLabel, yLabel, names: texts of x's ticks, draw(at, picture)}.
// It is drawn anew when its place becomes wider or narrower, so that its letters stay as large as the page's.
function chart(place, title, caption, options) {
  const canvas = element("div");
  const figure = element("figure", {}, title ? element("b", {}, title) : null, canvas);
  if (options.legend) {
    figure.append(element("div", { class: "legend" }, ...options.legend.map(([text, color, kind]) => {
      const mark = element("i", { class: kind || "" });
      mark.style.background = color;
      return element("span", {}, mark, text);
    })));
  }
  figure.append(element("figcaption", {}, caption));
  place.append(figure);
  let drawn = 0;
  const paint = () => {
    const width = Math.max(240, Math.floor(figure.clientWidth || 560));
    if (width === drawn) return;
    drawn = width;
    canvas.replaceChildren(picture(width, `${title}. ${caption}`, options));
  };
  paint();
  new ResizeObserver(paint).observe(figure);
  return figure;
}

function picture(width, label, options) {
  const height = options.height || 210;
  const edge = { left: 52, right: 10, top: 8, bottom: 42 };
  const [x0, x1] = options.x[0] === options.x[1] ? [options.x[0], options.x[1] + 1] : options.x;
  const [y0, y1] = options.y[0] === options.y[1] ? [options.y[0] - 1, options.y[1] + 1] : options.y;
  const right = width - edge.right, bottom = height - edge.bottom, middle = (bottom + edge.top) / 2;
  const at = {
    x: (value) => edge.left + ((value - x0) / (x1 - x0)) * (right - edge.left),
    y: (value) => bottom - ((value - y0) / (y1 - y0)) * (bottom - edge.top),
  };
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  for (const value of ticks(y0, y1, 4)) {
    svg.append(shape("line", { x1: edge.left, x2: right, y1: at.y(value), y2: at.y(value), stroke: "var(--line)" }));
    svg.append(shape("text", { x: edge.left - 6, y: at.y(value) + 4, "text-anchor": "end", class: "faint" }, short(value, 2)));
  }
  const marks = options.names ? options.names(Math.max(2, Math.floor(width / 190))) : ticks(x0, x1, Math.floor(width / 90)).map((value) => [value, short(value, 2)]);
  for (const [value, text] of marks) {
    const half = 3.4 * text.length, x = at.x(value);
    const anchor = x - half < edge.left - 40 ? "start" : x + half > width ? "end" : "middle";
    svg.append(shape("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, stroke: "var(--grid)" }));
    svg.append(shape("text", { x: anchor === "end" ? width : x, y: bottom + 17, "text-anchor": anchor, class: "faint" }, text));
  }
  svg.append(shape("line", { x1: edge.left, x2: right, y1: at.y(y0), y2: at.y(y0), stroke: "var(--grid)" }));
  svg.append(shape("text", { x: (edge.left + right) / 2, y: height - 6, "text-anchor": "middle" }, options.xLabel));
  svg.append(shape("text", { x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` }, options.yLabel));
  options.draw(at, svg);
  return svg;
}

function line(at, points, color, more = {}) {
  // A gap in the points is a gap in the line.
  const runs = [[]];
  for (const [x, y] of points) {
    if (y === null || y === undefined || Number.isNaN(y)) runs.push([]);
    else runs[runs.length - 1].push(`${at.x(x).toFixed(1)},${at.y(y).toFixed(1)}`);
  }
  const d = runs.filter((run) => run.length).map((run) => `M${run.join("L")}`).join("");
  return shape("path", { d, fill: "none", stroke: color, "stroke-width": 2, "stroke-linejoin": "round", "stroke-linecap": "round", ...more });
}

function bars(names, shares, most = 6) {
  const order = shares.map((share, k) => [share, names[k]]).sort((a, b) => b[0] - a[0]);
  const rows = order.slice(0, most).map(([share, name]) => {
    const bar = element("i");
    bar.style.width = `${(100 * share).toFixed(1)}%`;
    return element("div", { class: "bar" }, element("span", {}, name), element("span", {}, bar), element("b", {}, share.toFixed(4)));
  });
  const rest = order.length - rows.length;
  return element("div", {}, ...rows, rest > 0 ? element("p", { class: "faint" }, `and ${rest} more`) : null);
}

function rows(head, body, numbers = []) {
  const cells = (kind, texts) => texts.map((text, k) => element(kind, { class: numbers.includes(k) ? "number" : "" }, text));
  return element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, ...cells("th", head))),
    element("tbody", {}, ...body.map((texts) => element("tr", {}, ...cells("td", texts))))));
}
