// Asking a run, and the frame that its answer stands in.

async function ask(run, what, body, signal) {
  const answer = await fetch(`/api/runs/${encodeURIComponent(run)}/${what}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
  });
  if (answer.ok) return what === "generate" ? answer : answer.json();
  let said = `${answer.status} ${answer.statusText}`;
  try { said = (await answer.json()).error || said; } catch (error) { /* the status has to do */ }
  throw new Error(said);
}

function frame(run) {
  const result = element("div", { class: "result", "aria-live": "polite" });
  const article = element("article", { id: `run-${run.name}` },
    element("div", { class: "head" }, element("h3", {}, run.name), element("span", { class: "faint" }, `${run.experiment}, ${short(run.parameters)} parameters`)),
    scores(run), result, about(run));
  let asked = null;
  let shown = "";
  return {
    run, article, result,
    // Ask, draw; an answer that a newer question has overtaken is dropped.
    async answer(what, body, draw) {
      if (asked) asked.abort();
      const own = new AbortController();
      asked = own;
      article.classList.add("busy");
      try {
        const said = await ask(run.name, what, body, own.signal);
        if (asked === own) { shown = said; result.replaceChildren(); draw(said, result); }
      } catch (error) {
        if (asked === own && error.name !== "AbortError") result.replaceChildren(element("p", { class: "wrong", role: "alert" }, error.message));
      } finally {
        if (asked === own) { article.classList.remove("busy"); asked = null; }
      }
      return shown;
    },
    clear() { if (asked) asked.abort(); asked = null; article.classList.remove("busy"); result.replaceChildren(); },
  };
}

function scores(run) {
  if (!run.scores.length) return element("p", { class: "faint" }, run.finished ? "no scores" : "not finished: no scores yet");
  const body = run.scores.slice(0, 4).map((score) => {
    const interval = score.interval ? `${short(score.interval[0])} to ${short(score.interval[1])}` : "-";
    const naive = Object.entries(score.naive).slice(0, 2).map(([who, value]) => `${who.replaceAll("_", " ")} ${short(value)}`).join("; ") || "-";
    return [score.name, short(score.test), interval, naive];
  });
  const sample = run.data === "sample" ? " Generated data, not the real ones." : "";
  const how = [...new Set(run.scores.slice(0, 4).map((score) => score.how))];
  return element("details", { open: false }, element("summary", {}, `test ${run.scores[0].name} ${short(run.scores[0].test)}${run.scores[0].interval ? ` (${body[0][2]})` : ""}${sample ? ", sample data" : ""}`),
    rows(["score", "test", "interval", "without a model"], body, [1]),
    element("p", { class: "faint" }, `${run.description}.${sample} Intervals: ${how.join("; ")}.`));
}

function about(run) {
  const example = JSON.stringify(run.expects.example);
  return element("details", {}, element("summary", {}, "as JSON"),
    element("p", { class: "faint" }, `Expects ${run.expects.field}: ${run.expects.what}.${run.expects.columns ? ` Columns: ${run.expects.columns.join(", ")}.` : ""}`),
    element("pre", {}, `curl -s ${location.origin}/api/runs/${run.name}/predict \\\n  -H 'Content-Type: application/json' \\\n  -d '${example}'`));
}

function later(call, milliseconds) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(call, milliseconds); };
}

// Files may be dropped where there is a button, too.
function dropZone(label, accept, take, ...more) {
  const input = element("input", { type: "file", accept, "aria-label": label, onchange: () => input.files[0] && take(input.files[0]) });
  const zone = element("div", {
    class: "drop",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); },
    ondragleave: () => zone.classList.remove("over"),
    ondrop: (event) => { event.preventDefault(); zone.classList.remove("over"); if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]); },
  }, element("div", { class: "row" }, element("span", {}, label), input, ...more));
  return zone;
}
