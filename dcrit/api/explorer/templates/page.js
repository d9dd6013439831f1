// Controls, numbers and address of the page.
"use strict";

const Page = (() => {
  const byId = (id) => document.getElementById(id);
  const NUMBERS = ["modulus", "width", "weight_decay", "horizon", "n_train"];
  const OPTIONS = ["task", "modulus", "model", "activation", "width", "weight_decay", "learning_rate", "beta2", "epsilon"];
  let question, defaults;

  // ---- what may be asked

  const variants = () => Theory.data.subjects.map((one) => ({ model: one.model, activation: one.activation }));
  const nearest = (list, value) => list.reduce((best, one) => (Math.abs(one - value) < Math.abs(best - value) ? one : best));

  function limits(name, asked) {
    const subject = Theory.subjectOf(asked.task, asked.model, asked.activation);
    const { moduli, symbols } = Theory.data.common.tasks[asked.task];
    const { nodes } = subject;
    const ends = (list) => [list[0], list[list.length - 1]];
    if (name === "modulus") return ends(moduli);
    if (name === "width") return ends(nodes.width);
    if (name === "weight_decay") return ends(nodes.decay);
    if (name === "horizon") return ends(nodes.horizon);
    return [1, symbols[moduli.indexOf(asked.modulus)] ** 2];
  }

  // The nearest question that can be asked.
  function allowed(asked) {
    const found = { ...asked };
    const { tasks } = Theory.data.common;
    if (!(found.task in tasks)) found.task = defaults.task;
    if (!Theory.subjectOf(found.task, found.model, found.activation)) {
      const [first] = [
        ...Theory.data.subjects.filter((one) => one.tasks.includes(found.task) && one.model === found.model),
        ...Theory.data.subjects.filter((one) => one.tasks.includes(found.task)),
      ];
      Object.assign(found, first ? { model: first.model, activation: first.activation } : defaults);
    }
    const subject = Theory.subjectOf(found.task, found.model, found.activation);
    const number = (name) => (Number.isFinite(Number(found[name])) ? Number(found[name]) : defaults[name]);
    const clip = (name, value) => {
      const [low, high] = limits(name, found);
      return Math.min(Math.max(value, low), high);
    };
    found.modulus = nearest(tasks[found.task].moduli, number("modulus"));
    const step = subject.width_step;
    found.width = Math.max(step, Math.round(clip("width", number("width")) / step) * step);
    found.weight_decay = Number(clip("weight_decay", number("weight_decay")).toPrecision(6));
    found.horizon = number("horizon") === 0 ? 0 : Math.round(clip("horizon", number("horizon")));
    found.n_train = Math.round(clip("n_train", number("n_train")));
    return found;
  }

  // ---- the address

  function fromAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    return { ...defaults, ...Object.fromEntries([...words].filter(([name]) => name in defaults)) };
  }

  function toAddress() {
    history.replaceState(null, "", `#${new URLSearchParams(question)}`);
  }

  // ---- commands

  const quoted = (word) => (/^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const option = (name) => `--${name.replaceAll("_", "-")}`;

  // Options that have their default are left out.
  function command(words, problem, more = {}) {
    const { usual: given, rates } = Theory.data;
    const same = (name, value) => value === null || value === 0 ||
      (name === "learning_rate" ? value === rates[problem.model] : value === given[name]);
    const options = { ...Object.fromEntries(OPTIONS.filter((name) => name in problem).map((name) => [name, problem[name]])), ...more };
    return ["dcrit", ...words, ...Object.entries(options).filter(([name, value]) => !same(name, value))
      .flatMap(([name, value]) => [option(name), quoted(String(value))])].join(" ");
  }

  function commandOf(point) {
    if (point.n_train !== undefined)
      return command(["train"], point.problem,
        { n_train: point.n_train, seeds: point.seed + 1, steps: point.horizon, store: Theory.data.store });
    if (point.origin.startsWith("published")) return "";
    return command(["measure", "critical-size"], point.problem,
      { horizon: point.horizon, start: point.at_rest ? "generalized" : null });
  }

  // Lines break between options alone.
  function put(code, words) {
    code.replaceChildren(...words.split(/ (?=--)/).flatMap((part, k) => {
      const span = Object.assign(document.createElement("span"), { textContent: part });
      return k ? [" ", span] : [span];
    }));
  }

  const here = () => ({
    task: question.task, modulus: question.modulus, model: question.model, activation: question.activation,
    width: question.width, weight_decay: question.weight_decay,
  });

  // ---- measured points beside the question

  const describe = ({ problem, horizon }) =>
    `${problem.task}, p = ${problem.modulus}, ${problem.activation} ${problem.model}, width ${problem.width}` +
    (horizon ? `, T = ${Panels.grouped(horizon)}` : ", T not stated") +
    (problem.weight_decay === 1 ? "" : `, λ = ${problem.weight_decay}`) +
    (problem.learning_rate === Theory.data.rates[problem.model] ? "" : `, η = ${problem.learning_rate}`) +
    (problem.beta2 === Theory.data.usual.beta2 ? "" : `, β₂ = ${problem.beta2}`) +
    (problem.epsilon === Theory.data.usual.epsilon ? "" : `, ε = ${problem.epsilon}`);

  const usual = ({ problem }) =>
    problem.learning_rate === Theory.data.rates[problem.model] && problem.depth === 1 &&
    problem.beta2 === Theory.data.usual.beta2 && problem.epsilon === Theory.data.usual.epsilon;

  const questionOf = (point) => ({
    task: point.problem.task, model: point.problem.model, activation: point.problem.activation,
    modulus: point.problem.modulus, width: point.problem.width, weight_decay: point.problem.weight_decay,
    horizon: point.horizon ?? 0, n_train: Math.round(point.n_train ?? point.size),
  });

  // What the page predicts of a point; nothing where it has no control for it.
  function predictedOf(point) {
    const asked = questionOf(point);
    if (!usual(point) || !Theory.subjectOf(asked.task, asked.model, asked.activation)) return null;
    const near = allowed(asked);
    if ((point.horizon === null && !point.at_rest) || NUMBERS.some((name) => near[name] !== asked[name])) return null;
    const found = Theory.answer(near);
    return point.at_rest ? found.at_rest.value : found.critical_size.value;
  }

  const wrapped = (text, length = 58) => {
    const lines = [""];
    for (const word of text.split(" ")) {
      if ((lines[lines.length - 1] + word).length > length) lines.push("");
      lines[lines.length - 1] += `${word} `;
    }
    return lines.join("<br>");
  };

  // A region as people read it, with what training from scratch shows there.
  function named(region) {
    const { regimes, region_labels: labels } = Theory.data.common;
    return labels[regimes.indexOf(region)];
  }

  function textOf(point) {
    const many = point.interval ? ` (${Panels.shown(point.interval[0])} – ${Panels.shown(point.interval[1])})` : "";
    const what = point.n_train === undefined
      ? `<b>${Panels.shown(point.size)}${many} examples${point.at_rest ? ", at rest" : ""}</b>`
      : `<b>D = ${Panels.grouped(point.n_train)}, seed ${point.seed}: ${point.dynamics}</b>`;
    const predicted = point.n_train === undefined && point.predicted !== null
      ? `<br>predicted: ${Panels.shown(point.predicted)}` : "";
    const from = point.n_train === undefined
      ? `<br>${point.n_runs ? `${point.n_runs} runs, ` : ""}${point.origin}` : "";
    const repeat = point.command ? `<br><i>${wrapped(point.command)}</i>` : "";
    return `${what}<br>${wrapped(describe(point))}${predicted}${from}${repeat}`;
  }

  function prepare() {
    Theory.data.points.forEach((point, index) => Object.assign(point, { index, command: commandOf(point) }));
    for (const point of Theory.data.points) {
      point.predicted = point.n_train === undefined ? predictedOf(point) : null;
      point.text = textOf(point);
    }
  }

  // Points of the same law; the same question where all controls agree.
  function beside(place, points) {
    const { subject } = place;
    return points
      .filter(({ problem }) => subject.tasks.includes(problem.task) && problem.model === subject.model &&
        problem.activation === subject.activation && problem.depth === 1)
      .map((point) => ({
        ...point,
        same: usual(point) && point.problem.width === place.width && point.problem.weight_decay === place.decay &&
          point.horizon !== null && Math.abs(point.horizon - place.horizon) <= 1,
      }));
  }

  // ---- numbers

  const range = (one) => `${Panels.shown(one.low)} – ${Panels.shown(one.high)}`;

  function card(id, one, unit) {
    const box = byId(id);
    const value = box.querySelector(".value");
    value.classList.toggle("words", one.value === null);
    value.textContent = one.value === null ? one.reason : `${Panels.shown(one.value)} ${unit}`;
    box.querySelector(".interval").textContent = one.value === null ? "" :
      `90 % interval: ${range(one)}${one.reason ? `; ${one.reason}` : ""}`;
  }

  function cards(found) {
    card("critical-size", found.critical_size, "examples");
    byId("critical-size").querySelector(".horizon").textContent = Panels.grouped(found.horizon);
    card("at-rest", found.at_rest, "examples");
    card("capacity", found.capacity, "examples");
    const star = byId("star");
    star.querySelector(".value").classList.toggle("words", found.star.value === null);
    star.querySelector(".value").textContent = found.star.value === null
      ? found.star.reason : `${Panels.shown(found.star.n_train.value)} examples`;
    star.querySelector(".interval").textContent = found.star.value === null ? "" :
      `90 % interval: ${range(found.star.n_train)}; at width ${Panels.shown(found.star.width.value)} ` +
      `(${range(found.star.width)})`;
    byId("here").querySelector(".value").textContent = named(found.regime.name);
    const chance = found.regime.likeliest === null ? "" :
      `${found.regime.name === found.regime.likeliest ? "probability" : `${named(found.regime.likeliest)} is likeliest, with probability`} ` +
      `${found.regime.probability.toFixed(2)}; `;
    byId("here").querySelector(".interval").textContent =
      `${chance}with ${Panels.grouped(question.n_train)} of ${Panels.grouped(found.pairs)} pairs and ` +
      `${Panels.shown(found.n_params)} parameters` +
      (found.silence ? "" : `; test accuracy ${found.accuracy.toFixed(2)} after ${Panels.grouped(found.horizon)} steps`);
    const notes = byId("notes");
    notes.className = found.outside.length ? "outside" : "";
    notes.replaceChildren();
    const line = document.createElement("div");
    line.textContent = found.outside.length
      ? "This question extrapolates: it lies outside the runs that the law was fitted to. Intervals are wider for it."
      : "This question lies within the runs that the law was fitted to.";
    notes.append(line);
    if (found.outside.length) {
      const list = document.createElement("ul");
      for (const text of found.outside) {
        const item = document.createElement("li");
        item.textContent = text;
        list.append(item);
      }
      notes.append(list);
    }
  }

  function commands() {
    const more = { horizon: question.horizon };
    put(byId("command-predict"), command(["predict", "critical-size"], here(), more));
    put(byId("command-measure"), command(["measure", "critical-size"], here(), more));
    put(byId("command-simulate"), command(["simulate"], here(), { n_train: question.n_train, steps: question.horizon }));
    put(byId("command-train"), command(["train"], here(), { n_train: question.n_train, steps: question.horizon }));
  }

  // ---- controls

  const sliderOf = (name, value) => {
    const [low, high] = limits(name, question);
    return Math.round((1000 * Math.log(value / low)) / Math.log(high / low));
  };
  const ofSlider = (name, part) => {
    const [low, high] = limits(name, question);
    return Number((low * (high / low) ** (part / 1000)).toPrecision(name === "weight_decay" ? 3 : 8));
  };

  function choices(select, words, chosen, label = (word) => word) {
    select.replaceChildren(...words.map((word) => new Option(label(word), word, false, word === chosen)));
  }

  function controls(except) {
    const { tasks } = Theory.data.common;
    const known = Object.keys(tasks).filter((task) => Theory.data.subjects.some((one) => one.tasks.includes(task)));
    choices(byId("task"), known, question.task, (task) => `${task}: ${tasks[task].formula}`);
    const fitting = variants().filter((one) => Theory.subjectOf(question.task, one.model, one.activation));
    choices(byId("model"), [...new Set(fitting.map((one) => one.model))], question.model,
      (model) => ({ mlp: "pair-MLP", transformer: "transformer" })[model] ?? model);
    choices(byId("activation"), [...new Set(
      fitting.filter((one) => one.model === question.model).map((one) => one.activation))], question.activation);
    const place = Theory.placeOf(question);
    for (const name of NUMBERS) {
      const value = name === "horizon" ? place.horizon : question[name];
      const [low, high] = limits(name, question);
      const field = byId(name);
      Object.assign(field, { min: low, max: high, step: name === "width" ? place.subject.width_step : "any" });
      if (field !== except) field.value = value;
      const slider = byId(`${name}-slider`);
      if (slider !== except) slider.value = sliderOf(name, value);
      byId(`${name}-limits`).textContent = `${Panels.shown(low)} to ${Panels.shown(high)}`;
    }
    byId("protocol").checked = question.horizon === 0;
    for (const id of ["horizon", "horizon-slider"]) byId(id).disabled = question.horizon === 0;
    byId("width-help-name").textContent = `${place.subject.width_symbol}, ${place.subject.width_name}.`;
    byId("calibration").textContent = place.subject.calibration;
  }

  function draw() {
    const place = Theory.placeOf(question);
    const known = Theory.logs(place);
    const found = Theory.answer(question);
    const points = beside(place, Theory.data.points.filter((one) => one.n_train === undefined));
    const runs = beside(place, Theory.data.points.filter((one) => one.n_train !== undefined));
    const isHere = (one) => one.symbols === place.symbols;
    const rows = Theory.diagram(place);
    const star = Theory.star(place);
    const view = {
      place, question, known, regime: named(found.regime.name), quiet: found.silence, rows, star,
      measured: points.filter(isHere).map((one) => ({
        ...one, same: one.same || (usual(one) && one.horizon === place.horizon && one.problem.weight_decay === place.decay),
      })),
      runs: runs.filter(isHere).map((one) => ({ ...one, same: true })),
    };
    Panels.diagram(view);
    Panels.accuracy({ ...view, measured: points.filter(isHere), runs: runs.filter(isHere) });
    Panels.training({ ...view, curves: Theory.training(place, question.n_train), runs: runs.filter(isHere) });
    Panels.modulus({ question, lines: Theory.overModulus(question), measured: points });
    cards({ ...found, star });
    commands();
  }

  function set(changes, except) {
    question = allowed({ ...question, ...changes });
    controls(except);
    toAddress();
    draw();
  }

  function listen() {
    for (const name of ["task", "model", "activation"])
      byId(name).addEventListener("change", (event) => set({ [name]: event.target.value }));
    for (const name of NUMBERS) {
      byId(name).addEventListener("change", (event) => set({ [name]: event.target.value || question[name] }));
      byId(`${name}-slider`).addEventListener("input", (event) =>
        set({ [name]: ofSlider(name, Number(event.target.value)) }, event.target));
    }
    byId("protocol").addEventListener("change", (event) =>
      set({ horizon: event.target.checked ? 0 : Theory.placeOf(question).horizon }));
    addEventListener("hashchange", () => set(fromAddress()));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-copy], button[data-go]");
      if (!button) return;
      if (button.dataset.go !== undefined) {
        go(Theory.data.points[Number(button.dataset.go)]);
        return;
      }
      copy(button.dataset.copy ? byId(button.dataset.copy).textContent : location.href, button);
    });
  }

  function copy(text, button) {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    const before = button.textContent;
    button.textContent = "copied";
    setTimeout(() => { button.textContent = before; }, 1200);
  }

  function go(point) {
    const asked = questionOf(point);
    if (!point.horizon) asked.horizon = question.horizon;
    set(asked);
    scrollTo({ top: 0 });
  }

  // What was clicked, with its command as text that can be copied.
  function pick(point) {
    byId("picked").hidden = false;
    byId("picked-text").innerHTML = textOf({ ...point, command: "" });
    put(byId("picked-command"), point.command || "published by others: there is no command that repeats it");
    byId("picked-copy").hidden = !point.command;
    byId("picked-go").dataset.go = point.index;
    byId("picked-go").hidden = !Theory.subjectOf(point.problem.task, point.problem.model, point.problem.activation);
  }

  function table() {
    const body = byId("points");
    for (const point of Theory.data.points.filter((one) => one.n_train === undefined)) {
      const row = body.insertRow();
      const text = (words) => {
        const cell = row.insertCell();
        cell.textContent = words;
        return cell;
      };
      text(describe(point));
      const cell = text("");
      if (Theory.subjectOf(point.problem.task, point.problem.model, point.problem.activation)) {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.go = point.index;
        button.textContent = "go there";
        button.setAttribute("aria-label", `go to ${describe(point)}`);
        cell.append(button);
      }
      text(point.at_rest ? "at rest" : "from scratch");
      text(Panels.shown(point.size) + (point.interval ? ` (${range({ low: point.interval[0], high: point.interval[1] })})` : ""));
      text(point.predicted === null ? "–" : Panels.shown(point.predicted));
      text(point.predicted === null ? "–" : Math.log(point.predicted / point.size).toFixed(3));
      const code = document.createElement("code");
      put(code, point.command);
      text("").append(code);
      text(`${point.n_runs ? `${point.n_runs} runs, ` : ""}${point.origin}`);
    }
  }

  function start() {
    const [first] = Theory.data.subjects.filter((one) => one.tasks.includes(Theory.data.usual.task) &&
      one.model === Theory.data.usual.model && one.activation === Theory.data.usual.activation);
    defaults = {
      task: Theory.data.usual.task, model: first.model, activation: first.activation, modulus: Theory.data.usual.modulus,
      width: Theory.data.usual.width, horizon: 0, weight_decay: Theory.data.usual.weight_decay, n_train: 0,
    };
    const { critical_size: size } = Theory.answer({ ...defaults, n_train: 1 });
    defaults.n_train = Math.round(size.value);
    prepare();
    table();
    listen();
    set(fromAddress());
    for (const id of ["diagram", "accuracy", "modulus"])
      byId(`${id}-plot`).on("plotly_click", ({ points: [one] }) => {
        if (one.customdata !== undefined) pick(Theory.data.points[one.customdata]);
      });
  }

  return { start, get question() { return question; } };
})();

async function unpacked(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

async function main() {
  const text = async (id) => new TextDecoder().decode(await unpacked(id));
  document.head.append(Object.assign(document.createElement("script"), { textContent: await text("library") }));
  Theory.load(JSON.parse(await text("facts")), new Uint16Array(await unpacked("grids")));
  Page.start();
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  document.getElementById("failure").textContent =
    `This page could not start: ${error.message}. It needs a browser of 2023 or later.`;
  throw error;
});
