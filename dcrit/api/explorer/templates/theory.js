// What the theory says of one question, interpolated between values that Python computed. No law is written here.
"use strict";

const Theory = (() => {
  let data, codes, spreads, chances;

  // Which number of a question an axis of a grid is about.
  const VARIABLE = {
    symbols: "symbols", few_symbols: "symbols", width: "width",
    decay: "decay", few_decays: "decay", horizon: "horizon", part: "part", known_part: "part",
  };
  const NOTHING = 65535;

  function load(facts, blob) {
    data = facts;
    codes = blob;
    // Standard deviations by which the transition is wider than the law says, and the probability of each.
    const { largest_spread: most, n_spreads: n } = data.common;
    spreads = Array.from({ length: n }, (_, k) => (most * (2 * k - (n - 1))) / (n - 1));
    const weights = spreads.map((u) => Math.exp((-u * u) / 2));
    const total = weights.reduce((sum, one) => sum + one, 0);
    chances = weights.map((one) => one / total);
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

  // A grid at a place as a function of the logarithm on its last axis.
  function along(subject, name, place) {
    const grid = subject.grids[name];
    const last = subject.logs[grid.axes[grid.axes.length - 1]];
    const variable = VARIABLE[grid.axes[grid.axes.length - 1]];
    const values = last.map((log) => read(subject, name, { ...place, [variable]: Math.exp(log) }));
    return (log) => {
      const { first, weights } = stencil(last, log, 4);
      return weights.reduce((sum, weight, k) => sum + weight * values[first + k], 0);
    };
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

  // Six digits at most, as Python's %g has them: halves are rounded to even, where toPrecision rounds them up.
  function digits(value, n = 6) {
    const scale = 10 ** (n - 1 - Math.floor(Math.log10(Math.abs(value) || 1)));
    const below = Math.floor(value * scale);
    const tie = value * scale - below === 0.5;
    return String(Number((tie ? (below + (below % 2)) / scale : value).toPrecision(n)));
  }
  const short = (value) => (Number.isInteger(value) && Math.abs(value) < 1e9 ? value.toFixed(0) : digits(value, 4));

  const odds = (level) => Math.log(level / (1 - level));
  const part = (logOdds) => 1 / (1 + Math.exp(-logOdds));

  // Normal distribution function, to 2e-7 (Abramowitz and Stegun 7.1.26).
  function normal(z) {
    const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2);
    const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    const upper = 0.5 * series * Math.exp((-z * z) / 2);
    return z > 0 ? 1 - upper : upper;
  }

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
    const asked = { ...place, load: place.symbols / place.width };
    return place.subject.ranges
      .filter(([, axis, low, high]) => asked[axis] < low * (1 - 1e-9) || asked[axis] > high * (1 + 1e-9))
      .map(([name, axis, low, high]) => {
        const value = asked[axis];
        const below = value < low;
        return `${name} ${short(value)} is ${digits(Math.max(low / value, value / high), 3)} times ` +
          `${below ? "below the least" : "the largest"} calibrated for ${data.common.law}, ${short(below ? low : high)}`;
      });
  }

  // Why nothing is said; empty where something is.
  function silence(place, horizon) {
    const most = place.subject.farthest_load;
    const load = place.symbols / place.width;
    if (load > most)
      return `cannot tell: there are ${digits(load, 3)} symbols per unit of width, and the law says ` +
        `nothing beyond ${digits(most, 3)}`;
    const usual = place.subject.usual_decay;
    const strongest = data.common.farthest_decay * usual;
    if (place.decay > strongest)
      return `cannot tell: weight decay ${digits(place.decay)} is ${digits(place.decay / usual, 3)} times that of ` +
        `calibration runs, and above ${digits(strongest)} a network need not fit its examples`;
    const spread = data.common.half_width * deviationOf(place, read(place.subject, "deviation", { ...place, horizon }));
    const ratio = Math.exp(2 * Math.min(350, spread));
    return ratio > data.common.widest
      ? `cannot tell: the interval's ends would be ${ratio > 100 ? "more than 100" : digits(ratio, 3)} times apart` : "";
  }

  // So far outside that the circuits at rest are none of a network: then nothing is told at all.
  function senseless(place) {
    return Object.entries(data.common.least).some(([name, least]) => !(read(place.subject, name, place) > least))
      ? "cannot tell: the laws do not reach so far outside the calibration" : "";
  }

  // How much less is known of networks narrower than those that were measured, at rest or from scratch.
  function beyondLoad(place, most) {
    return most === null ? 0 : data.common.per_load * Math.max(0, Math.log(place.symbols / place.width / most));
  }
  const beyondRest = (place) => beyondLoad(place, place.subject.most_at_rest);

  // Standard deviation of ln D_crit(T), from its logarithm for networks as wide as those that were measured.
  const deviationOf = (place, log) =>
    Math.hypot(Math.exp(log), beyondLoad(place, place.subject.most_from_scratch), deviationOfUnits(place));

  // Of networks that hold a part of the rule only: the scatter of κ, and their lag.
  function deviationOfUnits(place) {
    if (!("ceiling_low" in place.subject.grids)) return 0;
    const [held, least, most] = ["ceiling", "ceiling_low", "ceiling_high"].map(
      (name) => 1 - part(read(place.subject, name, place)));
    const lag = place.subject.lag * (1 - held);
    if (held <= 0.5) return lag;
    if (least <= 0.5) return data.common.largest_deviation;
    const { shift } = levelsOf(place);
    return Math.min(data.common.largest_deviation, Math.hypot(lag, (shift(0.5 / least) - shift(0.5 / most)) / 2));
  }

  // What a network's memory does to its test accuracy: D_eff(D), the part a of the rule that it holds, and the part h of
  // unseen pairs that it knows without the rule.
  function memoryOf(place) {
    const { subject } = place;
    const capacity = read(subject, "capacity", place);
    const beta = subject.overload ?? 0;
    const mirrors = "mirrored" in subject.grids;
    const [mirrored, unordered] = mirrors ? ["mirrored", "unordered"].map((name) => along(subject, name, place)) : [];
    const pairs = Math.log(place.pairs);
    return {
      capacity,
      ceiling: 1 - part(read(subject, "ceiling", place)),
      effective: (log) => log + beta * Math.max(0, log - capacity),
      size: (log) => log - (beta / (1 + beta)) * Math.max(0, log - capacity),
      known: (log) => (mirrors
        ? mirrored(log - pairs) * part(unordered(log - pairs)) * Math.min(1, Math.exp(capacity - log)) : 0),
      mirrors,
    };
  }

  // How log-odds of what is found of the rule depend on ln D − ln D_half, and the inverse: straight between the levels.
  function levelsOf(place) {
    const [low, high] = data.common.levels;
    const [onset, completion] = [read(place.subject, "onset", place), read(place.subject, "completion", place)];
    return {
      found: (excess) => part(excess < 0 ? (excess / onset) * odds(low) : (excess / completion) * odds(high)),
      shift: (level) => (level < 0.5 ? (odds(level) / odds(low)) * onset : (odds(level) / odds(high)) * completion),
    };
  }

  // Test accuracy: a·(P + (1 − P)·h).
  function accuracyAt(logSize, { half, levels, memory }) {
    const found = levels.found(memory.effective(logSize) - half);
    return memory.ceiling * (found + (1 - found) * memory.known(logSize));
  }

  // Ln of the size that reaches a test accuracy; infinite where the network never does.
  function sizeAt(level, curve) {
    const { half, levels, memory } = curve;
    const found = level / memory.ceiling;
    if (found >= 1) return Infinity;
    let high = memory.size(half + levels.shift(found));
    if (!memory.mirrors) return high;
    let low = high - 5;
    for (let k = 0; k < 40; k += 1) {
      const middle = (low + high) / 2;
      if (accuracyAt(middle, curve) < level) low = middle;
      else high = middle;
    }
    return high;
  }

  // ln D of a test accuracy less that of the middle, where the transition is so many standard deviations wider.
  function distancesOf(place, curve, middle, level) {
    const { subject } = place;
    const wider = spreads.map((u) => Math.exp(subject.width_scatter * u));
    if (!("ceiling_low" in subject.grids)) {
      const away = sizeAt(level, curve) - sizeAt(middle, curve);
      return wider.map((factor) => factor * away);
    }
    // Log-odds of what is not held, with κ lower by u standard deviations: a parabola through three of them.
    const [most, own, least] = ["ceiling_high", "ceiling", "ceiling_low"].map((name) => read(subject, name, place));
    return spreads.map((u, k) => {
      const moved = 1 - part(own + (u * (least - most)) / 2 + (u * u * (least + most - 2 * own)) / 2);
      const held = moved > middle ? moved : curve.memory.ceiling;
      const { shift } = curve.levels;
      return level < held ? wider[k] * (shift(level / held) - shift(middle / held)) : Infinity;
    });
  }

  // Probability that a test accuracy is reached from a size on, by distances from the middle.
  const chanceOf = (distances, known, logSize) => distances.reduce(
    (sum, one, k) => sum + chances[k] * normal((logSize - known.middle - one) * (data.common.half_width / known.spread)),
    0);

  const around = (log, spread) => [Math.exp(log - spread), Math.exp(log), Math.exp(log + spread)];

  const curveOf = (place) => ({
    half: read(place.subject, "half", place), levels: levelsOf(place), memory: memoryOf(place),
  });

  // Natural logarithms of all sizes, and half widths of their intervals.
  function logs(place) {
    const { subject } = place;
    const curve = curveOf(place);
    const z = data.common.half_width;
    const [low, high] = data.common.levels;
    const middle = curve.memory.ceiling > 0.5 ? 0.5 : curve.memory.ceiling / 2;
    return {
      ...curve,
      middle: sizeAt(middle, curve),
      beginning: distancesOf(place, curve, middle, low),
      end: distancesOf(place, curve, middle, high),
      onset: sizeAt(low, curve),
      critical: sizeAt(0.5, curve),
      completion: sizeAt(high, curve),
      spread: z * deviationOf(place, read(subject, "deviation", place)),
      carriedOn: z * Math.exp(read(subject, "deviation", place)),  // a star has the scatter of measured stars instead
      capacity: curve.memory.capacity,
      capacitySpread: z * Math.exp(read(subject, "capacity_widening", place)) *
        Math.sqrt(Math.max(1e-9, read(subject, "capacity_variance", place))),
      rest: read(subject, "rest", place),
      restSpread: z * Math.hypot(Math.exp(read(subject, "rest_deviation", place)), beyondRest(place)),
      params: read(subject, "params", place),
    };
  }

  const none = (reason) => ({ value: null, low: null, high: null, reason });

  const tooNarrow = (place, known) =>
    `width ${place.width} can hold ${known.memory.ceiling.toFixed(2)} of the rule, so accuracy never reaches 0.5`;

  function critical(place, known) {
    const [low, value, high] = around(known.critical, known.spread);
    const most = data.common.largest_fraction * place.pairs;
    const quiet = senseless(place) || silence(place, place.horizon);
    const memory = Math.exp(known.capacity).toFixed(0);
    if (quiet) return none(quiet);
    if (!Number.isFinite(value)) return none(tooNarrow(place, known));
    const over = known.critical > known.capacity;
    if (over && place.subject.overload === null)
      return none(`cannot tell: it would be ${value.toFixed(0)} by step ${place.horizon}, over the capacity of ${memory}`);
    if (value > most)
      return none(`the transition would need ${value.toFixed(0)} of ${place.pairs} examples, so none are left to test`);
    const open = high > most;
    const notes = [
      open ? "perhaps there is no transition at all" : "",
      over ? `D_crit is above the capacity of ${memory}: the rule is found before everything is memorized` : "",
    ];
    return { value, low, high: open ? place.pairs : high, reason: notes.filter(Boolean).join("; ") };
  }

  function rest(place, known) {
    const quiet = senseless(place) || silence(place, place.protocol);
    if (quiet) return none(quiet);
    if (known.memory.ceiling <= 0.5) return none(tooNarrow(place, known));
    const [low, value, high] = around(known.rest, known.restSpread);
    if (high > data.common.widest * low)
      return none("cannot tell: so far outside the calibration the interval's ends would be " +
        `${high > 100 * low ? "more than 100" : digits(high / low, 2)} times apart`);
    return { value, low, high, reason: "" };
  }

  function capacity(place, known) {
    const [low, value, high] = around(known.capacity, known.capacitySpread);
    if (senseless(place)) return none(senseless(place));
    if (high > data.common.widest * low)
      return none("cannot tell: so far outside the calibration the interval's ends would be " +
        `${high > 100 * low ? "more than 100" : digits(high / low, 2)} times apart`);
    return { value, low, high, reason: "" };
  }

  // Probability that the circuit that generalizes does not fit into so small a network.
  function unfit(place) {
    const far = ([symbols]) => Math.abs(Math.log(symbols / place.symbols));
    const [, not, yes] = place.subject.fits.reduce((best, one) => (far(one) < far(best) ? one : best));
    return yes === 0 ? 0 : Math.min(1, Math.max(0, Math.log(yes / place.width) / Math.log(yes / not)));
  }

  // Probabilities of the four dynamics, and that nothing that generalizes fits.
  function shares(place, known, logSize) {
    const z = data.common.half_width;
    const over = normal((logSize - known.capacity) * (z / known.capacitySpread));
    const [begun, ended] = [known.beginning, known.end].map((one) => chanceOf(one, known, logSize));
    const fits = 1 - unfit(place);
    return [over, (1 - over) * (1 - begun), (1 - over) * (begun - ended), (1 - over) * ended]
      .map((share) => share * fits).concat(1 - fits);
  }

  function regime(place, known, nTrain) {
    const { regimes, stands_out: least } = data.common;
    const chances = shares(place, known, Math.log(nTrain));
    const best = chances.indexOf(Math.max(...chances));
    const told = !senseless(place) && !silence(place, place.horizon);
    return {
      name: told && chances[best] >= least ? regimes[best] : regimes[regimes.length - 1],
      likeliest: told ? regimes[best] : null,
      probability: told ? chances[best] : null,
    };
  }

  // Steps until the training set is memorized; infinitely many where that never happens.
  function memorizedAt(place, nTrain) {
    return 1 / Math.max(0, read(place.subject, "memorized", { ...place, part: nTrain / place.pairs }));
  }

  function widthsOf(place) {
    const [low, high] = place.subject.widths;
    const found = Array.from({ length: 64 }, (_, k) => low * (high / low) ** (k / 63));
    const quiet = found.map((width) =>
      [place.protocol, place.horizon].some((horizon) => silence({ ...place, width }, horizon)));
    return found.slice(quiet.lastIndexOf(true) + 1);
  }

  const rowsAt = (place, widths) => widths.map((width) => ({ width, known: logs({ ...place, width }) }));

  // The size at rest of a network that is likely to hold the rule, as the phase diagram draws it.
  function kept(place, known) {
    return unfit(place) <= 0.5 ? rest(place, known) : none("its circuit is likely not to fit in");
  }

  // All curves over model size, with the ends of their intervals.
  const diagram = (place) => rowsAt(place, widthsOf(place)).map(
    (row) => ({ ...row, rest: kept({ ...place, width: row.width }, row.known) }));

  // The likeliest regime of sizes (M) at each width (K): indices into the regimes, M rows of K.
  function plane(place, rows, sizes) {
    const columns = rows.map(({ width, known }) => sizes.map((size) => {
      const chances = shares({ ...place, width }, known, Math.log(size));
      return chances[4] > 0.5 ? 4 : chances.indexOf(Math.max(...chances.slice(0, 4)));
    }));
    return sizes.map((_, m) => columns.map((column) => column[m]));
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
  function star(place) {
    const widest = place.subject.star_widths[place.subject.star_widths.length - 1];
    const quiet = silence({ ...place, width: widest }, place.horizon);
    if (quiet) return none(quiet);
    const rows = rowsAt(place, place.subject.star_widths);
    const all = Math.log(place.pairs);
    const z = data.common.half_width;
    const most = Math.log(data.common.largest_fraction * place.pairs);
    const seen = (log) => (log > most ? all : log);
    const xs = rows.map((row) => Math.log(row.width));
    const memory = rows.map((row) => row.known.capacity);
    const params = rows.map((row) => row.known.params);
    const root = lastFall(xs, rows.map((row) => seen(row.known.critical) - row.known.capacity));
    if (!Number.isFinite(root))
      return none(`the curves cross ${root < 0 ? "below the smallest" : "above the largest"} width looked at, ` +
        `${Math.exp(root < 0 ? xs[0] : xs[xs.length - 1]).toFixed(0)}`);
    const [forSize, forMemory, forStar] = data.common.draws;
    const drawn = forSize.map((one, k) => {
      const mine = rows.map((row) => row.known.capacity + (row.known.capacitySpread / z) * forMemory[k]);
      const found = lastFall(xs, rows.map(
        (row, i) => seen(row.known.critical + (row.known.carriedOn / z) * one) - mine[i]));
      const clipped = Math.min(Math.max(found, xs[0]), xs[xs.length - 1]);
      const moved = between(clipped, xs, params) + data.common.star_scatter * forStar[k];
      const x = Number.isFinite(found) ? between(moved, params, xs) : clipped;
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
    const width = xs.reduce((best, x) => (Math.abs(x - root) < Math.abs(best - root) ? x : best));
    return {
      value: Math.exp(root), reason: "", outside: outside({ ...place, width: Math.round(Math.exp(width)) }),
      width: estimate(root, "x"),
      n_params: estimate(between(root, xs, params), "params"),
      n_train: estimate(between(root, xs, memory), "size"),
    };
  }

  // Test accuracy over training time: the clock's at every step, and 0 before the training set is memorized.
  function training(place, nTrain, n = 90) {
    const first = place.subject.nodes.horizon[0];
    const memorized = memorizedAt(place, nTrain);
    // Where it never is, accuracy is the clock's throughout.
    const begin = Number.isFinite(memorized) ? memorized : 0;
    const log = Math.log(nTrain);
    const last = Math.max(place.horizon, 2 * first);
    const steps = Array.from({ length: n }, (_, k) => first * (last / first) ** (k / (n - 1)));
    const [levels, memory] = [levelsOf(place), memoryOf(place)];
    const [half, deviation] = ["half", "deviation"].map((name) => along(place.subject, name, place));
    return {
      memorized,
      rows: steps.map((step) => {
        const curve = { half: half(Math.log(step)), levels, memory };
        const spread = data.common.half_width * deviationOf(place, deviation(Math.log(step)));
        const [accuracy, low, high] = [0, -spread, spread].map(
          (shift) => (step < begin ? 0 : accuracyAt(log + shift, curve)));
        return { step, accuracy, low, high };
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
    return {
      symbols: place.symbols, pairs: place.pairs, horizon: place.horizon, n_params: Math.exp(known.params),
      outside: outside(place), silence: senseless(place) || silence(place, place.horizon),
      critical_size: critical(place, known), at_rest: rest(place, known), capacity: capacity(place, known),
      regime: regime(place, known, question.n_train),
      accuracy: accuracyAt(Math.log(question.n_train), known),
    };
  }

  return {
    load, subjectOf, placeOf, logs, answer, diagram, kept, plane, star, training, overModulus, accuracyAt, protocolHorizon,
    get data() { return data; },
  };
})();
