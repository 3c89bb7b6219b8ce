// Texts: a probability that moves with every word; tags; translations and where they looked.

const KINDS = {};

KINDS.text = {
  title: "Classify a text", hint: "Type: the probability moves with every word. Below it, every word is coloured by what happens without it.",
  build(runs) {
    const area = element("textarea", { "aria-label": "The text", placeholder: "Type a text", spellcheck: false, value: "A wonderful film, and not one dull minute." });
    const go = () => runs.forEach((own) => area.value.trim() ? own.answer("explain", { text: area.value }, explained) : own.clear());
    area.addEventListener("input", later(go, 150));
    queueMicrotask(go);
    return [area];
  },
};

function explained(said, place) {
  place.append(element("p", { class: "said" }, `${said.class} ${said.probability.toFixed(4)}`));
  if (said.classes.length > 2) place.append(bars(said.classes, said.probabilities));
  const points = [[0, said.empty], ...said.words.map((word, k) => [k + 1, word.prefix])];
  chart(place, "After each word", `The probability of "${said.class}", had the text ended there; at 0, of no text at all.`, {
    x: [0, said.words.length], y: [0, 1], xLabel: "words read", yLabel: "probability", draw(at, svg) {
      if (said.classes.length === 2) svg.append(shape("line", { x1: at.x(0), x2: at.x(said.words.length), y1: at.y(0.5), y2: at.y(0.5), stroke: "var(--grid)", "stroke-dasharray": "4 4" }));
      svg.append(line(at, points, "var(--c0)"));
      if (points.length <= 80) points.forEach(([x, y], k) => svg.append(shape("circle", { cx: at.x(x), cy: at.y(y), r: 3.2, fill: "var(--c0)" },
        shape("title", {}, `${k ? said.words[k - 1].word : "(nothing)"}: ${y.toFixed(4)}`))));
    },
  });
  const most = Math.max(...said.words.map((word) => Math.abs(word.moved)), 1e-9);
  const text = element("p", { class: "words" });
  for (const word of said.words) {
    const color = word.moved >= 0 ? "var(--c0)" : "var(--c1)";
    const strength = Math.round(100 * Math.abs(word.moved) / most);
    const mark = element("span", { title: `without it ${word.without.toFixed(4)}: it moves ${signed(word.moved)}` }, word.word);
    mark.style.background = `color-mix(in srgb, ${color} ${Math.round(strength * 0.35)}%, transparent)`;
    mark.style.borderBottomColor = strength >= 15 ? color : "transparent";
    text.append(mark, " ");
  }
  place.append(element("b", {}, "Without each word"), text, element("div", { class: "legend" },
    ...[[`for ${said.class}`, "var(--c0)"], ["against it", "var(--c1)"]].map(([name, color]) => { const mark = element("i"); mark.style.background = color; return element("span", {}, mark, name); })));
  const order = [...said.words].sort((a, b) => Math.abs(b.moved) - Math.abs(a.moved)).slice(0, 5);
  place.append(rows(["word", "without it", "moves by"], order.map((word) => [word.word, word.without.toFixed(4), signed(word.moved)]), [1, 2]));
}

function signed(value) { return `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(4)}`; }

KINDS.tags = {
  title: "Tag words", hint: "A sentence, words divided by spaces.",
  build(runs) {
    const area = element("textarea", { "aria-label": "The sentence", value: "show me flights from boston to denver on monday", spellcheck: false });
    const go = () => runs.forEach((own) => area.value.trim() ? own.answer("predict", { text: area.value }, (said, place) => {
      place.append(element("p", { class: "tags" }, ...said.tags[0].map(([word, tag]) => element("span", {}, word, element("small", {}, tag === "O" ? "\u00b7" : tag)))),
        element("p", { class: "faint" }, "Below each word its tag; a dot is none."));
    }) : own.clear());
    area.addEventListener("input", later(go, 200));
    queueMicrotask(go);
    return [area];
  },
};

KINDS.translation = {
  title: "Translate", hint: "A sentence in the source's language. Below: to which of its words the translator looked for each word that it wrote.",
  build(runs) {
    const area = element("textarea", { "aria-label": "The sentence", value: "A man sits on a bench.", spellcheck: false });
    const beam = element("input", { type: "range", min: 1, max: 10, value: 1, "aria-label": "beam" });
    const shown = element("output", {}, "1");
    const go = () => runs.forEach((own) => area.value.trim() ? own.answer("predict", { text: area.value, beam: Number(beam.value) }, translated) : own.clear());
    const soon = later(go, 300);
    area.addEventListener("input", soon);
    beam.addEventListener("input", () => { shown.textContent = beam.value; soon(); });
    queueMicrotask(go);
    return [area, element("div", { class: "sliders" }, element("label", {}, "beginnings that are followed (1: greedy)", shown, beam))];
  },
};

function translated(said, place) {
  place.append(element("p", { class: "said" }, said.lines[0] || "(nothing)"));
  if (said.alignments) attention(place, said.alignments[0]);
}

function attention(place, found) {
  const plain = (token) => token.replaceAll("\uffed", "") || token; // a joiner, which few fonts have
  const source = found.source.map(plain), translation = found.translation.map(plain), weights = found.weights;
  const figure = element("figure", {}, element("b", {}, "Attention"));
  place.append(figure);
  const longest = Math.max(...translation.map((word) => word.length), 4);
  const left = Math.min(130, 14 + 7.2 * longest), above = Math.min(120, 20 + 6.4 * Math.max(...source.map((word) => word.length)));
  const cell = Math.max(16, Math.min(34, Math.floor(((figure.clientWidth || 560) - left - 30) / source.length)));
  const width = left + cell * source.length + 40, height = above + cell * translation.length + 6;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Attention: a row for each word of the translation, a column for each of the source" });
  source.forEach((word, k) => svg.append(shape("text", { x: 0, y: 0, transform: `translate(${left + cell * (k + 0.6)} ${above - 6}) rotate(-50)` }, word)));
  translation.forEach((word, row) => {
    svg.append(shape("text", { x: left - 6, y: above + cell * (row + 0.5) + 4, "text-anchor": "end" }, word));
    weights[row].forEach((weight, k) => svg.append(shape("rect", { x: left + cell * k, y: above + cell * row, width: cell - 1, height: cell - 1, fill: "var(--c0)", "fill-opacity": Math.max(0.04, weight), stroke: "var(--line)" },
      shape("title", {}, `${word} \u2190 ${source[k]}: ${weight.toFixed(3)}`))));
  });
  figure.append(element("div", { class: "wide" }, svg), element("figcaption", {}, "Rows: the translation, in the order in which it was written. Columns: the source. The fuller a square, the more of that row's attention is there; a row adds up to 1."));
}
