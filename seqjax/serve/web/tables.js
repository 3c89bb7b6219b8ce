// Tables: forecasts against truth, series to be classified, and whatever has no page of its own.

function tableInput(runs, what, go, ...more) {
  const area = element("textarea", { "aria-label": what, placeholder: "... or paste it here", spellcheck: false });
  const drop = dropZone(`Drop ${what}, or choose one:`, ".csv,.tsv,.txt,.ts,.arff,text/*", async (file) => {
    const text = await file.text();
    area.value = text.length > 20000 ? "" : text;
    area.placeholder = text.length > 20000 ? `${file.name}, ${text.length.toLocaleString("en")} characters` : "";
    go(text);
  });
  area.addEventListener("input", later(() => (area.value.trim() ? go(area.value) : runs.forEach((own) => own.clear())), 400));
  return [drop, ...more, area];
}

KINDS.forecast = {
  title: "Forecast a table", hint: "A CSV as the run has learned from. What the table has of the time that is forecast is drawn beside it.",
  build(runs) {
    const held = element("input", { type: "checkbox", checked: true });
    let last = "";
    const go = (text) => { last = text; runs.forEach((own) => own.answer("predict", { file: text, hold_out: held.checked }, forecast)); };
    held.addEventListener("change", () => last && go(last));
    const columns = runs.filter((own) => own.run.expects.columns).map((own) => element("p", { class: "faint" }, `${own.run.name} reads the columns ${own.run.expects.columns.join(", ")}.`));
    return [...tableInput(runs, "a CSV", go, element("label", { class: "row" }, held, "keep the last horizon from the model, and compare")), ...columns];
  },
};

const SHOWN = 400;

function forecast(said, place) {
  const table = said.table || {};
  const dates = table.date || table.forecast_for || [];
  const all = [...new Set(table.series || [""])];
  const drawing = element("div");
  if (all.length > 1) {
    const choice = element("select", { "aria-label": "series", onchange: () => draw(choice.value) }, ...all.map((name) => element("option", { value: name }, name)));
    place.append(element("div", { class: "row" }, "series", choice));
  }
  place.append(drawing);
  const columns = Object.keys(table).filter((name) => !["series", "origin", "step", "date", "window_end", "forecast_for"].includes(name));
  const quantiles = columns.filter((name) => /^q[0-9.]+$/.test(name)).sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
  const middle = quantiles.length ? quantiles.reduce((best, name) => Math.abs(Number(name.slice(1)) - 0.5) < Math.abs(Number(best.slice(1)) - 0.5) ? name : best) : columns[0];
  const ends = quantiles.length > 1 ? [quantiles[0], quantiles[quantiles.length - 1]] : null;

  function draw(name) {
    drawing.replaceChildren();
    const own = dates.map((date, k) => k).filter((k) => !table.series || table.series[k] === name).slice(-SHOWN);
    const known = (said.series && (said.series[name] || Object.values(said.series)[0])) || [];
    const values = (column) => own.map((k) => Number(table[column][k]));
    const truth = own.map((k) => (said.truth ? said.truth[k] : null));
    const first = dates[own[0]];
    const before = table.forecast_for ? [] : known.filter(([date]) => date < first).slice(-Math.max(48, 3 * own.length));
    const start = before.length;
    const at = (k) => start + k;
    const low = ends ? values(ends[0]) : null, high = ends ? values(ends[1]) : null, mid = values(middle);
    const numbers = [...before.map((pair) => pair[1]), ...truth.filter((one) => one !== null), ...mid, ...(low || []), ...(high || [])].filter(Number.isFinite);
    const space = (Math.max(...numbers) - Math.min(...numbers)) * 0.05;
    const texts = [...before.map((pair) => pair[0]), ...own.map((k) => dates[k])];
    const share = ends ? Math.round(100 * (Number(ends[1].slice(1)) - Number(ends[0].slice(1)))) : 0;
    chart(drawing, `${name ? `${name}: ` : ""}${own.length.toLocaleString("en")} forecasts`, summary(truth, mid, low, high, share, own.map((k) => (said.naive ? said.naive[k] : null))), {
      height: 280, x: [0, Math.max(texts.length - 1, 1)], y: [Math.min(...numbers) - space, Math.max(...numbers) + space], xLabel: texts[0] ? "date" : "row", yLabel: said.target || "value",
      names: (count) => { const step = Math.max(1, Math.ceil(texts.length / Math.max(count, 1))); return texts.map((text, k) => [k, text.replace(/ 00:00:00$/, "").replace(/:00$/, "")]).filter((_, k) => k % step === 0); },
      legend: [["true", "var(--ink)"], [quantiles.length ? "median forecast" : "forecast", "var(--c0)"], ...(ends ? [[`${share} % interval`, "var(--c0)", "band"]] : [])],
      draw(scale, svg) {
        if (ends && own.length) {
          const upper = high.map((value, k) => `${scale.x(at(k)).toFixed(1)},${scale.y(value).toFixed(1)}`);
          const lower = low.map((value, k) => `${scale.x(at(k)).toFixed(1)},${scale.y(value).toFixed(1)}`).reverse();
          svg.append(shape("path", { d: `M${[...upper, ...lower].join("L")}Z`, fill: "var(--c0)", "fill-opacity": 0.22 }));
        }
        svg.append(line(scale, [...before.map((pair, k) => [k, pair[1]]), ...truth.map((value, k) => [at(k), value])], "var(--ink)", { "stroke-width": 1.6 }));
        svg.append(line(scale, mid.map((value, k) => [at(k), value]), "var(--c0)"));
      },
    });
    const shown = own.slice(-12);
    drawing.append(element("details", {}, element("summary", {}, "the last rows"), rows(["date", ...(ends ? [ends[0], middle, ends[1]] : [middle]), "true"],
      shown.map((k) => [dates[k] || `row ${table.step ? table.step[k] : k + 1}`, ...(ends ? [ends[0], middle, ends[1]] : [middle]).map((column) => table[column][k]), said.truth && said.truth[k] !== null ? short(said.truth[k]) : "-"]), [1, 2, 3, 4])));
  }
  if (dates.length) draw(all[0]);
  else place.append(element("pre", {}, [said.header, ...said.lines.slice(0, 30)].filter(Boolean).join("\n")));
}

function summary(truth, mid, low, high, share, naive) {
  const pairs = truth.map((value, k) => [value, k]).filter(([value]) => value !== null);
  if (!pairs.length) return "The table does not reach into the time that is forecast, so there is nothing to compare with.";
  const mean = (numbers) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const error = mean(pairs.map(([value, k]) => Math.abs(value - mid[k])));
  let said = `Mean absolute error ${short(error)} over ${pairs.length.toLocaleString("en")} true values`;
  const both = pairs.filter(([, k]) => naive[k] !== null);
  if (both.length) said += `; of the last value before, for ever (naive), ${short(mean(both.map(([value, k]) => Math.abs(value - naive[k]))))}`;
  if (low) said += `. Inside the ${share} % interval: ${pairs.filter(([value, k]) => low[k] <= value && value <= high[k]).length} of ${pairs.length}`;
  else said += ". This run says no interval";
  return `${said}.`;
}

KINDS.series = {
  title: "Classify a series", hint: "A series a line, values divided by commas; or a file of the kind that the run has learned from.",
  build(runs) {
    return tableInput(runs, "a file of series", (text) => runs.forEach((own) => own.answer("predict", { file: text }, classified)));
  },
};

function classified(said, place) {
  const first = said.probabilities[0];
  place.append(element("p", { class: "said" }, `${said.classes[first.indexOf(Math.max(...first))]} ${Math.max(...first).toFixed(4)}`), bars(said.classes, first));
  if (said.lines.length > 1) place.append(rows(["line", "class", "probability"], said.probabilities.slice(0, 50).map((shares, k) => [String(k + 1), said.classes[shares.indexOf(Math.max(...shares))], Math.max(...shares).toFixed(4)]), [2]));
}

function plain(said, place) {
  if (said.table && said.lines.length <= 2000) {
    const names = Object.keys(said.table);
    place.append(rows(names, said.table[names[0]].slice(0, 50).map((_, k) => names.map((name) => said.table[name][k]))));
  } else place.append(element("pre", {}, [said.header, ...said.lines.slice(0, 50)].filter(Boolean).join("\n")));
  place.append(element("details", {}, element("summary", {}, "the whole answer"), element("pre", {}, JSON.stringify(said, null, 1).slice(0, 20000))));
}

for (const [kind, title, hint] of [
  ["visits", "Judge visits", "A table of clicks, as the run has learned from."],
  ["watch", "Watch a table", "A CSV as the run has learned from; its anomalies are told."],
  ["other", "Ask", "What --mode=predict --input reads; the answer is its lines."],
]) KINDS[kind] = { title, hint, build: (runs) => tableInput(runs, "a file", (text) => runs.forEach((own) => own.answer("predict", { file: text }, plain))) };
