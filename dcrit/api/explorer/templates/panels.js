// The four pictures, drawn by Plotly from what Theory says.
"use strict";

const Panels = (() => {
  const { colours, opacity } = JSON.parse(document.getElementById("look").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const touch = matchMedia("(pointer: coarse)").matches;
  const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false };

  const grouped = (value) => Number(value).toLocaleString("en-US", { maximumFractionDigits: 0 });
  // Sizes whole, and smaller numbers with three digits.
  const shown = (value) => (Math.abs(value) >= 100 ? grouped(value) : String(Number(value.toPrecision(3))));
  const fade = (colour, alpha) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return `rgba(${r},${g},${b},${alpha})`;
  };

  function ticks(low, high) {
    if (high < 5 * low) {
      const rough = (high - low) / (innerWidth < 520 ? 4 : 6);
      const unit = 10 ** Math.floor(Math.log10(rough));
      const step = [1, 2, 5, 10].map((one) => one * unit).find((one) => one >= rough);
      const first = Math.ceil(low / step);
      return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(8)));
    }
    const from = Math.floor(Math.log10(low));
    const decades = Array.from({ length: Math.ceil(Math.log10(high)) - from + 1 }, (_, k) => from + k);
    for (const steps of [[1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]]) {
      const found = decades.flatMap((decade) => steps.map((step) => step * 10 ** decade))
        .filter((value) => value >= low * 0.999 && value <= high * 1.001);
      if (found.length <= (innerWidth < 520 ? 5 : 7) || steps.length === 1) return found;
    }
    return [];
  }

  function logAxis(title, low, high) {
    const places = ticks(low, high);
    return {
      type: "log", title: { text: title }, tickangle: 0, range: [Math.log10(low), Math.log10(high)],
      tickvals: places, ticktext: places.map((value) => (value < 1 ? String(Number(value.toPrecision(1))) : grouped(value))),
    };
  }

  const accuracyAxis = () => ({ title: { text: "test accuracy [fraction of unseen pairs]" }, range: [-0.03, 1.03] });

  function layout(xaxis, yaxis, extra = {}) {
    const axis = {
      gridcolor: css("--line"), linecolor: css("--muted"), zeroline: false, automargin: true,
      tickfont: { color: css("--ink"), size: 12 },
    };
    const title = (one) => ({ ...one.title, font: { color: css("--ink"), size: 13 }, standoff: 8 });
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css("--ink"), family: "system-ui, sans-serif", size: 12 },
      margin: { l: 10, r: 12, t: 10, b: 10 }, dragmode: touch ? false : "zoom", hovermode: "closest",
      hoverlabel: {
        bgcolor: css("--card"), bordercolor: css("--muted"), font: { color: css("--ink"), size: 12 }, align: "left",
        namelength: -1,
      },
      legend: { orientation: "h", x: 0, xanchor: "left", y: -0.22, yanchor: "top", font: { size: 11.5 } },
      xaxis: { ...axis, ...xaxis, title: title(xaxis) },
      yaxis: { ...axis, ...yaxis, title: title(yaxis) },
      ...extra,
    };
  }

  // A curve with the band of its interval.
  function band(x, low, high, colour, name) {
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", legendgroup: name, showlegend: false };
    return [{ ...edge, y: low }, { ...edge, y: high, fill: "tonexty", fillcolor: fade(colour, opacity.band) }];
  }

  function curve(x, y, colour, name, dash = "solid", hover = "%{y:,.0f} examples") {
    return {
      x, y, mode: "lines", name, line: { color: colour, width: 2.5, dash }, legendgroup: name,
      hovertemplate: `${hover}<extra>${name}</extra>`, connectgaps: false,
    };
  }

  const here = (x, y, text) => ({
    x: [x], y: [y], mode: "markers", name: "you are here",
    marker: { symbol: "x", size: 14, color: css("--ink"), line: { color: css("--paper"), width: 2 } },
    hovertemplate: `${text}<extra>you are here</extra>`,
  });

  // Measured points: filled where they answer the very question, hollow where another one.
  function points(unsorted, place, name, colour, symbol) {
    const some = [...unsorted].sort((a, b) => a.same - b.same);
    return {
      x: some.map(place.x), y: some.map(place.y), mode: "markers", name, customdata: some.map((one) => one.index),
      marker: {
        size: 8, color: some.map((one) => (one.same ? colour : css("--paper"))),
        symbol: symbol ?? some.map((one) => colours.symbols[one.dynamics]),
        line: { color: colour, width: 1.6 },
      },
      ...(place.error ? errors(some, place.error, colour) : {}),
      text: some.map((one) => one.text), hovertemplate: "%{text}<extra></extra>",
    };
  }

  const errors = (some, axis, color) => ({
    [`error_${axis}`]: {
      type: "data", symmetric: false, thickness: 1.2, width: 2, color,
      array: some.map((one) => (one.interval ? one.interval[1] - one.size : 0)),
      arrayminus: some.map((one) => (one.interval ? one.size - one.interval[0] : 0)),
    },
  });

  function draw(id, traces, shape, label) {
    const box = document.getElementById(`${id}-plot`);
    box.setAttribute("aria-label", label);
    Plotly.react(box, traces, shape, CONFIG);
  }

  function diagram(view) {
    const { place, question, rows, star, measured, runs, known } = view;
    const own = Math.exp(known.params);
    const x = rows.map((row) => Math.exp(row.known.params));
    const value = (name) => rows.map((row) => Math.exp(row.known[name]));
    const end = (name, spread, sign) => rows.map((row) => Math.exp(row.known[name] + sign * row.known[spread]));
    const low = Math.max(1, Theory.data.common.smallest_fraction * place.pairs);
    const top = place.pairs;
    const clip = (values) => values.map((one) => Math.min(Math.max(one, low), top));
    const most = Theory.data.common.largest_fraction * place.pairs;
    // The likeliest regime as colours, each named where its area is highest.
    const names = Theory.data.common.region_labels;
    const sizes = Array.from({ length: 90 }, (_, k) => low * (top / low) ** (k / 89));
    const codes = Theory.plane(place, rows, sizes);
    const colour = (k) => fade(colours.regimes[k], opacity.area);
    const last = colours.regimes.length - 1;
    const area = {
      type: "heatmap", x, y: sizes, z: codes, zmin: 0, zmax: last, showscale: false, hoverinfo: "skip",
      colorscale: colours.regimes.flatMap((_, k) => [[k / (last + 1), colour(k)], [(k + 1) / (last + 1), colour(k)]]),
    };
    Object.assign(area, { zmin: -0.5, zmax: last + 0.5 });
    const taken = [own, ...(star.value === null ? [] : [star.n_params.value])];
    const annotations = names.slice(0, last + 1).flatMap((name, code) => {
      const heights = x.map((one, i) => {
        const mine = sizes.filter((_, m) => codes[m][i] === code);
        const near = i < 10 || i > x.length - 11 || taken.some((mark) => Math.abs(Math.log(one / mark)) < 0.4);
        return near ? [] : mine;
      });
      const at = heights.reduce((best, one, i) => (one.length > heights[best].length ? i : best), 0);
      const mine = heights[at];
      if (mine.length < 10) return [];
      const middle = Math.sqrt(mine[0] * mine[mine.length - 1]);
      return [{ x: Math.log10(x[at]), y: Math.log10(middle), text: name, showarrow: false, font: { color: css("--ink") } }];
    });
    const traces = rows.length < 2 ? [] : [
      area,
      ...band(x, clip(end("critical", "spread", -1)), clip(end("critical", "spread", 1)), colours.critical,
        "D<sub>crit</sub>"),
      curve(x, value("critical").map((one) => (one > most ? null : one)), colours.critical, "D<sub>crit</sub>"),
      ...band(x, clip(end("capacity", "capacitySpread", -1)), clip(end("capacity", "capacitySpread", 1)),
        colours.capacity, "D<sub>mem</sub>"),
      curve(x, value("capacity"), colours.capacity, "D<sub>mem</sub>", "dash"),
    ];
    const kept = rows.filter((row) => row.rest.value !== null);
    if (rows.length >= 2 && kept.length) {
      const name = "D<sub>rest</sub>";
      const end = (which) => clip(kept.map((row) => row.rest[which]));
      traces.push(
        ...band(kept.map((row) => Math.exp(row.known.params)), end("low"), end("high"), colours.kept, name),
        curve(x, rows.map((row) => row.rest.value), css("--ink"), name, "dashdot"));
    }
    const sized = measured.filter((one) => !one.at_rest);
    if (sized.length)
      traces.push(points(sized, { x: (one) => one.n_params, y: (one) => one.size, error: "y" },
        "measured D<sub>crit</sub>", colours.critical, "circle"));
    if (runs.length)
      traces.push(points(runs, { x: (one) => one.n_params, y: (one) => one.n_train }, "runs of the store",
        css("--ink")));
    if (star.value !== null) {
      const arm = (one) => ({
        type: "data", symmetric: false, thickness: 1.6, array: [one.high - one.value], arrayminus: [one.value - one.low],
      });
      traces.push({
        x: [star.n_params.value], y: [star.n_train.value], mode: "markers", name: "the star",
        marker: { symbol: "star", size: 16, color: css("--ink"), line: { color: css("--paper"), width: 1 } },
        error_x: arm(star.n_params), error_y: arm(star.n_train),
        hovertemplate: `${grouped(star.n_params.value)} parameters<br>${grouped(star.n_train.value)} examples` +
          "<extra>the star</extra>",
      });
    }
    traces.push(here(own, question.n_train,
      `${shown(own)} parameters<br>${grouped(question.n_train)} examples<br>${view.regime}`));
    const shape = layout(
      logAxis("model size N [parameters]", Math.min(x[0] ?? own, own) * 0.95, Math.max(x[x.length - 1] ?? own, own) * 1.05),
      logAxis("training-set size D [examples]", low, top * 1.05), { annotations });
    draw("diagram", traces, shape,
      `Phase diagram over model size and training-set size. You are at ${grouped(own)} parameters and ` +
      `${grouped(question.n_train)} examples: ${view.regime}.`);
  }

  function accuracy(view) {
    const { place, question, known, measured, runs } = view;
    const { onset, critical, completion, spread } = known;
    const low = Math.min(Math.exp((Number.isFinite(onset) ? onset : known.half) - 2 * spread), question.n_train,
      ...runs.filter((one) => one.same).map((one) => one.n_train)) * 0.9;
    const high = Math.min(place.pairs, Math.max(Math.exp(completion + 2 * spread), question.n_train) * 1.1);
    const from = Math.max(1, Math.min(low, high * 0.7));
    const sizes = Array.from({ length: 160 }, (_, k) => from * (high / from) ** (k / 159));
    const at = (shift) => sizes.map((size) => Theory.accuracyAt(Math.log(size) + shift, known));
    const traces = view.quiet ? [] : [
      ...band(sizes, at(-known.spread), at(known.spread), colours.critical, "predicted"),
      curve(sizes, at(0), colours.critical, "predicted", "solid", "%{x:,.0f} examples: %{y:.2f}"),
      here(question.n_train, Theory.accuracyAt(Math.log(question.n_train), known),
        `${grouped(question.n_train)} examples`),
    ];
    const exact = measured.filter((one) => one.same && !one.at_rest);
    if (exact.length)
      traces.push(points(exact, { x: (one) => one.size, y: () => 0.5, error: "x" },
        "measured D<sub>crit</sub>", colours.critical, "circle"));
    const mine = runs.filter((one) => one.same && one.accuracy !== null);
    if (mine.length)
      traces.push(points(mine, { x: (one) => one.n_train, y: (one) => one.accuracy }, "runs of the store",
        css("--ink")));
    draw("accuracy", traces, layout(logAxis("training-set size D [examples]", from, high), accuracyAxis()),
      `Test accuracy after ${place.horizon} steps over the training-set size. ` + (view.quiet || `It passes one half ` +
      `at ${grouped(Math.exp(critical))} examples.`));
  }

  function training(view) {
    const { place, question, curves, runs } = view;
    const steps = curves.rows.map((row) => row.step);
    const get = (name) => curves.rows.map((row) => row[name]);
    const traces = view.quiet ? [] : [
      ...band(steps, get("low"), get("high"), colours.critical, "test accuracy, predicted"),
      curve(steps, get("accuracy"), colours.critical, "test accuracy, predicted", "solid", "step %{x:,.0f}: %{y:.2f}"),
    ];
    const shapes = [];
    if (curves.memorized <= place.horizon && !view.quiet) {
      traces.push({
        x: [curves.memorized, curves.memorized], y: [0, 1], mode: "lines", name: "training set memorized, predicted",
        line: { color: colours.capacity, width: 2, dash: "dash" },
        hovertemplate: `step ${grouped(curves.memorized)}<extra>training set memorized</extra>`,
      });
    }
    const close = runs.filter((one) => one.same && Math.abs(Math.log(one.n_train / question.n_train)) < 0.05);
    close.slice(0, 12).forEach((run, k) => {
      const seen = run.steps.map((_, i) => i).filter((i) => run.steps[i] > 0);
      const line = (name, dash, width) => ({
        x: seen.map((i) => run.steps[i]), y: seen.map((i) => run[name][i]), mode: "lines", legendgroup: name,
        showlegend: k === 0, name: `${name} accuracy, runs of the store`, line: { color: css("--ink"), width, dash },
        hovertemplate: `seed ${run.seed}, D = ${run.n_train}, step %{x:,.0f}: %{y:.2f}<extra>${name} accuracy</extra>`,
      });
      traces.push(line("test", "solid", 1.3), line("train", "dot", 1));
    });
    draw("training", traces,
      layout(logAxis("training time [steps]", steps[0], steps[steps.length - 1]),
        { ...accuracyAxis(), title: { text: "accuracy [fraction]" } }, { shapes }),
      `Test accuracy over training time with ${question.n_train} examples. ` + (view.quiet ||
      `It ends at ${curves.rows[curves.rows.length - 1].accuracy.toFixed(2)} after ${place.horizon} steps.`));
  }

  function modulus(view) {
    const { question, lines, measured } = view;
    const x = lines.map((one) => one.modulus);
    const get = (name, key) => lines.map((one) => one[name][key]);
    const told = lines.filter((one) => one.critical.value !== null);
    const traces = [];
    for (const [name, label, colour, dash] of [
      ["critical", "D<sub>crit</sub>", colours.critical, "solid"], ["rest", "D<sub>rest</sub>", colours.rest, "dashdot"],
    ]) {
      const some = lines.filter((one) => one[name].value !== null);
      traces.push(...band(some.map((one) => one.modulus), some.map((one) => one[name].low),
        some.map((one) => one[name].high), colour, label), curve(x, get(name, "value"), colour, label, dash));
    }
    for (const [origin, symbol] of [["measured", "circle"], ["published", "diamond"]])
      for (const atRest of [false, true]) {
        const some = measured.filter(
          (one) => one.at_rest === atRest && one.origin.startsWith("published") === (origin === "published"));
        if (some.length)
          traces.push(points(some, { x: (one) => one.problem.modulus, y: (one) => one.size, error: "y" },
            `${origin} D<sub>${atRest ? "rest" : "crit"}</sub>`, atRest ? colours.rest : colours.critical, symbol));
      }
    const mine = lines.find((one) => one.modulus === question.modulus);
    if (mine.critical.value !== null)
      traces.push(here(question.modulus, mine.critical.value, `p = ${question.modulus}`));
    const sizes = [
      ...lines.flatMap((one) => [one.critical.low, one.critical.high, one.rest.low]).filter((one) => one !== null),
      ...measured.map((one) => one.size),
    ];
    const [low, high] = sizes.length ? [Math.min(...sizes) * 0.85, Math.max(...sizes) * 1.2] : [10, 1000];
    draw("modulus", traces,
      layout(logAxis("modulus p", x[0] * 0.95, x[x.length - 1] * 1.05), logAxis("size [examples]", low, high)),
      `Critical size and size at rest over the modulus` + (told.length ? `, from ${grouped(told[0].critical.value)} ` +
      `examples at p = ${told[0].modulus} to ${grouped(told[told.length - 1].critical.value)} at ` +
      `p = ${told[told.length - 1].modulus}.` : ": nothing is told here."));
  }

  return { diagram, accuracy, training, modulus, grouped, shown };
})();
