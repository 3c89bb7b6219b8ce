// A language model that draws, as it comes.

function slider(name, low, high, step, value, told = String) {
  const shown = element("output", {}, told(value));
  const input = element("input", { type: "range", min: low, max: high, step, value, "aria-label": name, oninput: () => { shown.textContent = told(Number(input.value)); } });
  return { input, label: element("label", {}, name, shown, input) };
}

KINDS.language = {
  title: "Draw a text", hint: "The text comes as it is drawn. The same seed and sliders draw the same text.",
  build(runs) {
    const prompt = element("textarea", { "aria-label": "The prompt", value: "\n", placeholder: "how the text begins; empty: a new line", spellcheck: false, rows: 2 });
    const temperature = slider("temperature", 0, 2, 0.05, 0.8, (value) => value.toFixed(2));
    const topK = slider("top-k", 1, 101, 1, 101, (value) => (value > 100 ? "all" : String(value)));
    const topP = slider("top-p", 0.05, 1, 0.01, 1, (value) => value.toFixed(2));
    const length = slider("length", 50, 2000, 50, 400, String);
    const seed = element("input", { type: "number", min: 0, max: 2147483647, value: 0, "aria-label": "seed" });
    let stopped = new AbortController();
    const stop = element("button", { type: "button", disabled: true, onclick: () => stopped.abort() }, "Stop");
    const draw = element("button", { type: "button", class: "first", onclick: async () => {
      stopped.abort();
      const own = stopped = new AbortController();
      stop.disabled = false;
      const body = { prompt: prompt.value || "\n", length: Number(length.input.value), temperature: Number(temperature.input.value), top_p: Number(topP.input.value), seed: Number(seed.value) };
      if (Number(topK.input.value) <= 100) body.top_k = Number(topK.input.value);
      await Promise.all(runs.map((run) => drawn(run, body, own.signal)));
      if (stopped === own) stop.disabled = true;
    } }, "Draw");
    return [prompt, element("div", { class: "sliders" }, temperature.label, topK.label, topP.label, length.label),
      element("div", { class: "row" }, draw, stop, element("label", { class: "row" }, "seed", seed))];
  },
};

async function drawn(own, body, signal) {
  const text = element("pre", { class: "drawn" });
  const note = element("p", { class: "faint" }, "...");
  own.result.replaceChildren(text, note);
  try {
    const answer = await ask(own.run.name, "generate", body, signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", done = false;
    for (;;) {
      const piece = await reader.read();
      if (piece.done) break;
      const lines = (rest + piece.value).split("\n");
      rest = lines.pop();
      for (const one of lines.map((each) => JSON.parse(each))) {
        if (one.prompt) text.append(element("b", {}, one.prompt));
        if (one.text) text.append(one.text);
        if (one.done) { done = true; note.textContent = `${short(one.characters)} characters`; }
      }
      text.scrollTop = text.scrollHeight;
    }
    if (!done) note.textContent = "cut off: the server has ended";
  } catch (error) {
    if (error.name === "AbortError") note.textContent = "stopped";
    else own.result.replaceChildren(element("p", { class: "wrong", role: "alert" }, error.message));
  }
}
