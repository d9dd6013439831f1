// What the theory says of one question, interpolated between values that Python computed. No law is written here.
"use strict";

const Theory = (() => {
  let data, codes;

  // Which number of a question an axis of a grid is about.
  const VARIABLE = {
    symbols: "symbols", few_symbols: "symbols", width: "width", few_widths: "width",
    decay: "decay", few_decays: "decay", horizon: "horizon", part: "part",
  };
  const NOTHING = 65535;

  function load(facts, blob) {
    data = facts;
    codes = blob;
    for (const subject of data.subjects)
      subject.logs = Object.fromEntries(
        Object.entries(subject.nodes).map(([axis, places]) => [axis, places.map(Math.log)]));
  }

  function subjectOf(task, model, activation) {
    return data.subjects.find(
      (one) => one.tasks.includes(task) && one.model === model && one.activation === activation);
  }

  // Lagrange's weights of the n nodes around a place.
  function stencil(nodes, place, n) {
    const x = Math.min(Math.max(place, nodes[0]), nodes[nodes.length - 1]);
    const count = Math.min(n, nodes.length);
    let before = 0;
    while (before < nodes.length - 2 && x >= nodes[before + 1]) before += 1;
    const first = Math.max(0, Math.min(before - (count >> 1) + 1, nodes.length - count));
    const weights = Array.from({ length: count }, (_, i) => {
      let weight = 1;
      for (let j = 0; j < count; j += 1)
        if (j !== i) weight *= (x - nodes[first + j]) / (nodes[first + i] - nodes[first + j]);
      return weight;
    });
    return { first, weights };
  }

  // A grid's value at a place; NaN where one of the values around it does not exist.
  function read(subject, name, place, n = 4) {
    const grid = subject.grids[name];
    const parts = grid.axes.map((axis) => stencil(subject.logs[axis], Math.log(place[VARIABLE[axis]]), n));
    function sum(depth, offset) {
      if (depth === parts.length) {
        const code = codes[grid.offset + offset];
        return code === NOTHING ? NaN : grid.low + grid.step * code;
      }
      let total = 0;
      const { first, weights } = parts[depth];
      for (let i = 0; i < weights.length; i += 1)
        if (weights[i] !== 0) total += weights[i] * sum(depth + 1, offset * grid.shape[depth] + first + i);
      return total;
    }
    const found = sum(0, 0);
    return Number.isNaN(found) && n > 2 ? read(subject, name, place, 2) : found;
  }

  // Six digits at most, as Python's %g has them.
  const digits = (value, n = 6) => String(Number(value.toPrecision(n)));

  function protocolHorizon(subject, decay) {
    return Math.ceil(data.common.protocol * (1 / (subject.learning_rate * decay)));
  }

  function placeOf(question) {
    const subject = subjectOf(question.task, question.model, question.activation);
    const task = data.common.tasks[question.task];
    const symbols = task.symbols[task.moduli.indexOf(question.modulus)];
    const protocol = protocolHorizon(subject, question.weight_decay);
    return {
      subject, symbols, protocol, pairs: symbols ** 2, width: question.width, decay: question.weight_decay,
      horizon: question.horizon || protocol,
    };
  }

  // What of a question lies outside the runs that the constants come from, and by how much.
  function outside(place) {
    const { ranges } = place.subject;
    const axes = [
      ["the number of symbols", place.symbols, ranges.symbols],
      ["the width", place.width, ranges.width],
      ["symbols per unit of width", place.symbols / place.width, ranges.load],
      ["the weight decay", place.decay, ranges.decay],
      ["the horizon", place.horizon, ranges.horizon],
    ];
    return axes
      .filter(([, value, [low, high]]) => value < low * (1 - 1e-9) || value > high * (1 + 1e-9))
      .map(([name, value, [low, high]]) => {
        const below = value < low;
        return `${name} ${digits(value)} is ${digits(Math.max(low / value, value / high), 2)} times ` +
          `${below ? "below the least" : "above the largest"} calibrated, ${digits(below ? low : high)}`;
      });
  }

  // Why nothing is said; empty where something is.
  function silence(place, horizon) {
    const most = place.subject.farthest_load;
    const load = place.symbols / place.width;
    if (load > most)
      return `cannot tell: ${place.symbols} symbols are ${digits(load, 3)} per unit of width, and the law says ` +
        `nothing beyond ${digits(most, 3)}`;
    const spread = data.common.half_width * Math.exp(read(place.subject, "deviation", { ...place, horizon }));
    const ratio = Math.exp(2 * Math.min(350, spread));
    return ratio > data.common.widest
      ? `cannot tell: the interval's ends would be ${digits(ratio, 3)} times apart` : "";
  }

  // So far outside that the circuits at rest are none of a network: then nothing is told at all.
  function senseless(place) {
    return Object.entries(data.common.least).some(([name, least]) => !(read(place.subject, name, place) > least))
      ? "cannot tell: the laws describe no network so far outside the calibration" : "";
  }

  const around = (log, spread) => [Math.exp(log - spread), Math.exp(log), Math.exp(log + spread)];

  // Natural logarithms of all sizes, and half widths of their intervals.
  function logs(place) {
    const { subject } = place;
    const half = read(subject, "size", place);
    const z = data.common.half_width;
    return {
      half,
      onset: half + read(subject, "onset", place),
      completion: half + read(subject, "completion", place),
      spread: z * Math.exp(read(subject, "deviation", place)),
      capacity: read(subject, "capacity", place),
      capacitySpread: z * Math.exp(read(subject, "capacity_deviation", place)),
      rest: read(subject, "rest", place),
      restSpread: z * Math.exp(read(subject, "rest_deviation", place)),
      params: read(subject, "params", place),
    };
  }

  const none = (reason) => ({ value: null, low: null, high: null, reason });

  function critical(place, known) {
    const [low, value, high] = around(known.half, known.spread);
    const most = data.common.largest_fraction * place.pairs;
    const quiet = senseless(place) || silence(place, place.horizon);
    if (quiet) return none(quiet);
    if (known.half > known.capacity)
      return none(`cannot tell: it would be ${value.toFixed(0)} by step ${place.horizon}, above the capacity of ` +
        `${Math.exp(known.capacity).toFixed(0)}`);
    if (value > most)
      return none(`the transition would need ${value.toFixed(0)} of ${place.pairs} examples, which leaves none to test`);
    const open = high > most;
    return { value, low, high: open ? place.pairs : high, reason: open ? "perhaps there is no transition at all" : "" };
  }

  function rest(place, known) {
    const quiet = senseless(place) || silence(place, place.protocol);
    if (quiet) return none(quiet);
    const [low, value, high] = around(known.rest, known.restSpread);
    return { value, low, high, reason: "" };
  }

  function capacity(place, known) {
    const [low, value, high] = around(known.capacity, known.capacitySpread);
    if (senseless(place)) return none(senseless(place));
    if (high > data.common.widest * low)
      return none("cannot tell: so far outside the calibration the interval's ends would be " +
        `${digits(high / low, 2)} times apart`);
    return { value, low, high, reason: "" };
  }

  // Whether the circuit that generalizes is more likely not to fit into so small a network.
  function unfit(place) {
    const far = ([symbols]) => Math.abs(Math.log(symbols / place.symbols));
    const nearest = place.subject.fits.reduce((best, one) => (far(one) < far(best) ? one : best));
    return place.width < nearest[1];
  }

  function regime(place, known, nTrain) {
    const [progression, ungrokking, semi, grokking, doesNotFit, cannotTell] = data.common.regimes;
    const log = Math.log(nTrain);
    if (senseless(place) || silence(place, place.horizon)) return cannotTell;
    if (unfit(place)) return doesNotFit;
    if (log > known.capacity) return progression;
    if (log < known.onset) return ungrokking;
    return log < known.completion ? semi : grokking;
  }

  // Test accuracy where ln D_crit is known: log-odds are linear in ln D between the levels and beyond them.
  function accuracyAt(logSize, known) {
    const odds = (level) => Math.log(level / (1 - level));
    const [low, high] = data.common.levels;
    const [from, to, edge, slopeTo] = logSize < known.half
      ? [known.onset, known.half, odds(low), 0] : [known.half, known.completion, 0, odds(high)];
    return 1 / (1 + Math.exp(-(edge + ((slopeTo - edge) / (to - from)) * (logSize - from))));
  }

  // Steps until the training set is memorized; NaN where that never happens.
  function memorizedAt(place, nTrain) {
    return Math.exp(read(place.subject, "memorized", { ...place, part: nTrain / place.pairs }));
  }

  function widthsOf(place) {
    const [low, high] = place.subject.widths;
    const found = Array.from({ length: 64 }, (_, k) => low * (high / low) ** (k / 63));
    const quiet = found.map((width) => Boolean(silence({ ...place, width }, place.protocol)));
    return found.slice(quiet.lastIndexOf(true) + 1);
  }

  // Both curves over model size, with the ends of their intervals.
  function diagram(place) {
    return widthsOf(place).map((width) => {
      const here = { ...place, width };
      const known = logs(here);
      const hidden = Math.exp(known.half) > data.common.largest_fraction * place.pairs;
      return { width, known, hidden, quiet: Boolean(silence(here, place.horizon)) };
    });
  }

  function lastFall(xs, excess) {
    const above = excess.findLastIndex((value) => value > 0);
    if (above < 0) return -Infinity;
    if (above === xs.length - 1) return Infinity;
    return xs[above] + ((xs[above + 1] - xs[above]) * excess[above]) / (excess[above] - excess[above + 1]);
  }

  function between(x, xs, ys) {
    if (x <= xs[0]) return ys[0];
    const after = xs.findIndex((one) => one >= x);
    if (after < 0) return ys[ys.length - 1];
    return ys[after - 1] + ((ys[after] - ys[after - 1]) * (x - xs[after - 1])) / (xs[after] - xs[after - 1]);
  }

  function quantile(sorted, part) {
    const at = part * (sorted.length - 1);
    const low = Math.floor(at);
    return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  }

  // Where D_crit(N) meets D_mem(N), by the same draws as Python's.
  function star(place, rows = diagram(place)) {
    if (rows.length < 2 || rows.some((row) => row.quiet)) return none("cannot tell: the law does not reach these widths");
    const all = Math.log(place.pairs);
    const z = data.common.half_width;
    const most = Math.log(data.common.largest_fraction * place.pairs);
    const seen = (log) => (log > most ? all : log);
    const xs = rows.map((row) => Math.log(row.width));
    const memory = rows.map((row) => row.known.capacity);
    const params = rows.map((row) => row.known.params);
    const root = lastFall(xs, rows.map((row) => seen(row.known.half) - row.known.capacity));
    if (!Number.isFinite(root))
      return none(`the curves cross ${root < 0 ? "below the smallest" : "above the largest"} width looked at, ` +
        `${Math.exp(root < 0 ? xs[0] : xs[xs.length - 1]).toFixed(0)}`);
    const [forSize, forMemory] = data.common.draws;
    const drawn = forSize.map((normal, k) => {
      const mine = rows.map((row) => row.known.capacity + (row.known.capacitySpread / z) * forMemory[k]);
      const found = lastFall(xs, rows.map(
        (row, i) => seen(row.known.half + (row.known.spread / z) * normal) - mine[i]));
      const x = Math.min(Math.max(found, xs[0]), xs[xs.length - 1]);
      return { x, params: between(x, xs, params), size: between(x, xs, mine) };
    });
    const tail = (1 - data.common.level) / 2;
    function estimate(best, name) {
      const sorted = drawn.map((one) => Math.exp(one[name])).sort((a, b) => a - b);
      const value = Math.exp(best);
      return {
        value,
        low: Math.min(value, quantile(sorted, tail)),
        high: Math.max(value, quantile(sorted, 1 - tail)),
      };
    }
    return {
      value: Math.exp(root), reason: "",
      width: estimate(root, "x"),
      n_params: estimate(between(root, xs, params), "params"),
      n_train: estimate(between(root, xs, memory), "size"),
    };
  }

  // Test accuracy over training time: the clock's at every step, and 0 before the training set is memorized.
  function training(place, nTrain, n = 90) {
    const first = place.subject.nodes.horizon[0];
    const begin = memorizedAt(place, nTrain);
    const log = Math.log(nTrain);
    const last = Math.max(place.horizon, 2 * first);
    const steps = Array.from({ length: n }, (_, k) => first * (last / first) ** (k / (n - 1)));
    return {
      memorized: begin,
      rows: steps.map((step) => {
        const known = logs({ ...place, horizon: step });
        const early = step < begin;
        return {
          step,
          accuracy: early ? 0 : accuracyAt(log, known),
          low: early ? 0 : accuracyAt(log - known.spread, known),
          high: early ? 0 : accuracyAt(log + known.spread, known),
        };
      }),
    };
  }

  // Both thresholds over the modulus; nothing where the law says nothing.
  function overModulus(question, n = 50) {
    const { moduli } = data.common.tasks[question.task];
    const step = Math.max(1, Math.floor(moduli.length / n));
    return moduli.filter((modulus, k) => k % step === 0 || modulus === question.modulus).map((modulus) => {
      const place = placeOf({ ...question, modulus });
      const known = logs(place);
      return { modulus, critical: critical(place, known), rest: rest(place, known) };
    });
  }

  // Everything about one question.
  function answer(question) {
    const place = placeOf(question);
    const known = logs(place);
    const far = outside(place);
    return {
      symbols: place.symbols, pairs: place.pairs, horizon: place.horizon, n_params: Math.exp(known.params),
      outside: far, silence: senseless(place) || silence(place, place.horizon),
      critical_size: critical(place, known), at_rest: rest(place, known), capacity: capacity(place, known),
      star: star(place),
      regime: regime(place, known, question.n_train),
      accuracy: accuracyAt(Math.log(question.n_train), known),
    };
  }

  return {
    load, subjectOf, placeOf, logs, answer, diagram, star, training, overModulus, accuracyAt, protocolHorizon,
    silence, get data() { return data; },
  };
})();
