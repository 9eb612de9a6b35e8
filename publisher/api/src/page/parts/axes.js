// Axes: round tick values and their positions. Pure.

/** About `wanted` round values from 0 to at least `most`. */
export function ticks(most, wanted = 4) {
  if (!(most > 0)) return [0, 1];
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, at) => at * step);
}

/** A function from `[0, most]` to `[from, to]`. */
export const scale = (most, from, to) => (value) => from + ((to - from) * value) / (most || 1);
