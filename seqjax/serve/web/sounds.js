// Sounds: a file or the microphone; a hotword's probability over time; the class of a recording.

const RATE = 16000;
const LIVE = 8; // seconds that are listened to again and again while the microphone is open

function base64(bytes) {
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768) text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
}

// One channel, 16 bits.
function wave(samples, rate) {
  const made = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const word = (at, text) => [...text].forEach((letter, k) => made.setUint8(at + k, letter.charCodeAt(0)));
  word(0, "RIFF"); made.setUint32(4, 36 + 2 * samples.length, true); word(8, "WAVEfmt ");
  made.setUint32(16, 16, true); made.setUint16(20, 1, true); made.setUint16(22, 1, true); made.setUint32(24, rate, true);
  made.setUint32(28, 2 * rate, true); made.setUint16(32, 2, true); made.setUint16(34, 16, true);
  word(36, "data"); made.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, k) => made.setInt16(44 + 2 * k, Math.max(-1, Math.min(1, value)) * 32767, true));
  return new Uint8Array(made.buffer);
}

async function waveOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (String.fromCharCode(...bytes.subarray(0, 4)) === "RIFF") return bytes; // the server reads it better than we do
  const context = new OfflineAudioContext(1, 1, RATE);
  const heard = await context.decodeAudioData(bytes.buffer);
  return wave(heard.getChannelData(0), heard.sampleRate);
}

function microphone(take) {
  let ended = null;
  const button = element("button", { type: "button", onclick: () => (ended ? ended() : begin()) }, "Listen to the microphone");
  const note = element("span", { class: "faint", role: "status" });
  async function begin() {
    let stream;
    try { stream = await navigator.mediaDevices.getUserMedia({ audio: true }); } catch (error) { note.textContent = `no microphone: ${error.message}`; return; }
    const context = new AudioContext();
    const node = context.createScriptProcessor(4096, 1, 1); // old, and needs no second file, which a worklet does
    let samples = new Float32Array(0);
    node.onaudioprocess = (event) => {
      const all = new Float32Array(samples.length + event.inputBuffer.length);
      all.set(samples); all.set(event.inputBuffer.getChannelData(0), samples.length);
      samples = all.slice(-LIVE * context.sampleRate);
    };
    context.createMediaStreamSource(stream).connect(node);
    node.connect(context.destination);
    const tell = () => samples.length > context.sampleRate / 2 && take(wave(samples, Math.round(context.sampleRate)));
    const timer = setInterval(tell, 1000);
    button.textContent = "Stop";
    note.textContent = `the last ${LIVE} seconds, again every second`;
    ended = () => { clearInterval(timer); stream.getTracks().forEach((track) => track.stop()); context.close(); ended = null; button.textContent = "Listen to the microphone"; note.textContent = ""; tell(); };
  }
  return [button, note];
}

function soundInput(runs, draw) {
  const take = (bytes) => { const audio = base64(bytes); runs.forEach((own) => own.answer("predict", { audio }, draw)); };
  return [dropZone("Drop a recording, or choose one:", "audio/*,.wav", async (file) => {
    try { take(await waveOf(file)); } catch (error) { runs.forEach((own) => own.result.replaceChildren(element("p", { class: "wrong", role: "alert" }, `this file is no sound that a browser can read (${error.message})`))); }
  }), element("div", { class: "row" }, ...microphone(take))];
}

KINDS.hotword = {
  title: "Listen for a word", hint: "A WAV file or the microphone: how probable the word was, moment by moment, and where it was detected.",
  build: (runs) => soundInput(runs, heard),
};

const COLORS = ["var(--c0)", "var(--c3)", "var(--c2)", "var(--c4)", "var(--c5)"];

function heard(said, place) {
  const words = Object.keys(said.probability);
  const count = said.probability[words[0]].length;
  const end = said.first + said.step * Math.max(count - 1, 1);
  const many = said.detections.length;
  place.append(element("p", { class: "said" }, many ? `${many} detection${many > 1 ? "s" : ""}: ${said.detections.slice(0, 6).map((one) => `${one.word} at ${one.seconds.toFixed(2)} s`).join(", ")}` : `no ${words.join(" or ")} detected`));
  chart(place, "Probability over time", "The mean of the last frames, as the detector judges it; above the dashed threshold a word is detected, at the marks.", {
    x: [0, end], y: [0, 1], xLabel: "seconds", yLabel: "probability", legend: [...words.map((word, k) => [word, COLORS[k % COLORS.length]]), ["threshold, detections", "var(--c1)"]],
    draw(at, svg) {
      if (said.threshold !== null) svg.append(shape("line", { x1: at.x(0), x2: at.x(end), y1: at.y(said.threshold), y2: at.y(said.threshold), stroke: "var(--c1)", "stroke-dasharray": "5 4" }));
      words.forEach((word, k) => svg.append(line(at, said.probability[word].map((value, frame) => [said.first + said.step * frame, value]), COLORS[k % COLORS.length], { "stroke-width": 1.6 })));
      for (const one of said.detections) svg.append(shape("path", { d: `M${at.x(one.seconds)},${at.y(one.sure) - 4}l-6,-10h12z`, fill: "var(--c1)" }, shape("title", {}, `${one.word} at ${one.seconds} s: ${one.sure}`)));
    },
  });
}

KINDS.sound = {
  title: "Classify a recording", hint: "A WAV file or the microphone.",
  build: (runs) => soundInput(runs, (said, place) => classified(said, place)),
};
