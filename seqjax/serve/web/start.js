// A section for each kind of run, one input for all the runs of it, side by side.

const ORDER = ["text", "language", "forecast", "translation", "hotword", "sound", "series", "tags", "visits", "watch", "other"];

async function start() {
  const main = document.getElementById("main"), nav = document.getElementById("kinds");
  let runs;
  try { runs = (await (await fetch("/api/runs")).json()).runs; } catch (error) { main.append(element("p", { class: "wrong", role: "alert" }, "the server does not answer")); return; }
  for (const kind of ORDER) {
    const own = runs.filter((run) => run.kind === kind).map(frame);
    if (!own.length) continue;
    const page = KINDS[kind];
    const grid = element("div", { class: "runs" }, ...own.map((one) => one.article));
    main.append(element("section", { id: kind, "data-kind": kind }, element("h2", {}, page.title), element("p", { class: "faint" }, page.hint), ...page.build(own), grid));
    nav.append(element("a", { href: `#${kind}` }, page.title));
  }
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  document.documentElement.dataset.ready = "yes";
}

start();
