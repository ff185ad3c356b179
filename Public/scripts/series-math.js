// What a chart computes: smoothing, axes, buckets. Pure functions on arrays; no page.

/** Exponential moving average with bias correction, as Adam's moments have it; values that are not finite are passed over. */
export function smoothed(values, weight) {
  if (!(weight > 0)) return values;
  const result = new Float64Array(values.length);
  let mean = 0;
  let correction = 1;
  for (let i = 0; i < values.length; i += 1) {
    if (Number.isFinite(values[i])) {
      mean = weight * mean + (1 - weight) * values[i];
      correction *= weight;
    }
    result[i] = correction === 1 ? NaN : mean / (1 - correction);
  }
  return result;
}

/** The middle of neighbours: of a series of bucket minima and maxima, roughly the course between them. */
export function pairMeans(values) {
  return values.map((value, i) => {
    const next = values[Math.min(i + 1, values.length - 1)];
    return Number.isFinite(value) && Number.isFinite(next) ? (value + next) / 2 : value;
  });
}

/** Round numbers between two bounds, about `count` of them. */
export function linearTicks(low, high, count) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const ticks = [];
  for (let i = Math.ceil(low / unit - 1e-9); i * unit <= high + unit * 1e-9; i += 1) ticks.push(Number((i * unit).toPrecision(12)));
  return ticks;
}

/** Powers of ten, and 2 and 5 between them where there is room. */
export function logTicks(low, high, count) {
  const ticks = [];
  const decades = Math.log10(high / low);
  const factors = decades > count ? [1] : decades > count / 2.5 ? [1, 3] : [1, 2, 5];
  const stride = Math.max(1, Math.ceil(decades / Math.max(1, count)));
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    if (factors.length === 1 && power % stride !== 0) continue;
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  return ticks.length > 1 ? ticks : linearTicks(low, high, count);
}

/** A mapping of numbers to pixels. */
export function scale({ low, high, from, to, log }) {
  const f = log ? Math.log : (x) => x;
  const a = f(low);
  const span = f(high) - a || 1;
  const toPixel = (x) => from + ((f(x) - a) / span) * (to - from);
  const toValue = (pixel) => {
    const y = a + ((pixel - from) / (to - from)) * span;
    return log ? Math.exp(y) : y;
  };
  return { low, high, log, toPixel, toValue };
}

/** Smallest and largest finite value (positive only for a logarithmic axis). Null when there is none. */
export function extent(values, positiveOnly = false) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value) || (positiveOnly && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Index of the step nearest to `x` in ascending `steps`. */
export function nearestIndex(steps, x) {
  let low = 0;
  let high = steps.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < x) low = middle + 1; else high = middle;
  }
  return low > 0 && x - steps[low - 1] <= steps[low] - x ? low - 1 : low;
}

/** Smallest and largest value for every pixel column: what a thick line of many points really covers. */
export function columns(steps, values, xScale, log) {
  const result = new Map();
  for (let i = 0; i < steps.length; i += 1) {
    const value = values[i];
    if (!Number.isFinite(value) || (log && value <= 0)) continue;
    const column = Math.round(xScale.toPixel(steps[i]));
    const entry = result.get(column);
    if (!entry) result.set(column, [value, value]);
    else {
      if (value < entry[0]) entry[0] = value;
      if (value > entry[1]) entry[1] = value;
    }
  }
  return [...result].sort((left, right) => left[0] - right[0]);
}

/** Series whose names differ only in the split belong on one chart: train/loss with validation/loss. */
export function grouped(names) {
  const groups = new Map();
  for (const name of names) {
    const base = name.replace(/^(train|validation|val|test)\//, "");
    if (!groups.has(base)) groups.set(base, []);
    groups.get(base).push(name);
  }
  const rank = (base) => (base === "loss" ? 0 : /accuracy|r2|auc|f1/.test(base) ? 1 : 2);
  return [...groups].sort((left, right) => rank(left[0]) - rank(right[0]) || left[0].localeCompare(right[0]));
}
