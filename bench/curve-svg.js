/** Draws curves of cost over size, both axes logarithmic: a panel for each quantity, what was measured beside what was expected. */

const WIDTH = 680;
const HEIGHT = 250;
const FRAME = { left: 56, right: 14, top: 50, bottom: 40 };
const STYLE =
  "text{font-family:system-ui,-apple-system,Segoe UI,sans-serif;fill:#1b1f24}.t{font-size:14px;font-weight:600}.n{font-size:11px;fill:#57606a}" +
  ".g{stroke:#e9ecef}.m{fill:none;stroke:#1c7ed6;stroke-width:2}.e{fill:none;stroke:#868e96;stroke-width:1.5;stroke-dasharray:5 4}.p{fill:#1c7ed6}";

/**
 * An SVG with `panels` side by side. A panel is { title, note, measured, expected }, numbers for each of `x.values`; `expected` may be
 * null.
 */
export function curveSvg({ title, x, panels }) {
  const width = WIDTH / panels.length;
  const drawn = panels.map((panel, i) => panelSvg(panel, x, i * width, width));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">\n` +
    `<style>${STYLE}</style>\n<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>\n${drawn.join("\n")}\n</svg>\n`
  );
}

function panelSvg({ title, note, measured, expected }, x, at, width) {
  const across = scale(x.values, at + FRAME.left, at + width - FRAME.right);
  const up = scale([...measured, ...(expected ?? [])], HEIGHT - FRAME.bottom, FRAME.top);
  const line = (values, kind) =>
    `<polyline class="${kind}" points="${values.map((value, i) => `${across(x.values[i])},${up(value)}`).join(" ")}"/>`;
  const [left, right, bottom] = [at + FRAME.left, at + width - FRAME.right, HEIGHT - FRAME.bottom];
  const rows = ticks([...measured, ...(expected ?? [])]).map(
    (value) =>
      `<line class="g" x1="${left}" x2="${right}" y1="${up(value)}" y2="${up(value)}"/>` +
      `<text class="n" x="${left - 6}" y="${up(value) + 4}" text-anchor="end">${short(value)}</text>`,
  );
  const columns = x.values.map(
    (value) => `<text class="n" x="${across(value)}" y="${bottom + 15}" text-anchor="middle">${short(value)}</text>`,
  );
  return [
    `<text class="t" x="${left}" y="20">${escaped(title)}</text>`,
    `<text class="n" x="${left}" y="37">${escaped(note)}</text>`,
    ...rows,
    ...columns,
    `<text class="n" x="${(left + right) / 2}" y="${bottom + 32}" text-anchor="middle">${escaped(x.label)}</text>`,
    expected && line(expected, "e"),
    line(measured, "m"),
    ...measured.map((value, i) => `<circle class="p" r="3" cx="${across(x.values[i])}" cy="${up(value)}"/>`),
  ]
    .filter(Boolean)
    .join("\n");
}

/** From values to coordinates, to a tenth: the logarithm, with a margin where the values hardly differ. */
function scale(values, from, to) {
  const [least, most] = rangeOf(values);
  const share = (value) => Math.log(value / least) / Math.log(most / least);
  return (value) => Math.round(10 * (from + (to - from) * share(value))) / 10;
}

/** At least a factor of two, so that noise does not look like growth. */
function rangeOf(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = Math.max(1, Math.sqrt(2 / (most / least)));
  return [least / margin, most * margin];
}

/** 1, 2 and 5 of every decade in the range; of a wide range the decades alone. */
function ticks(values) {
  const [least, most] = rangeOf(values);
  const steps = most / least > 100 ? [1] : [1, 2, 5];
  const decades = Array.from(
    { length: Math.ceil(Math.log10(most)) - Math.floor(Math.log10(least)) + 1 },
    (_, i) => 10 ** (Math.floor(Math.log10(least)) + i),
  );
  return decades
    .flatMap((decade) => steps.map((step) => step * decade))
    .filter((tick) => tick >= least && tick <= most);
}

/** "1024", "131k", "1.5M", "0.02". */
function short(value) {
  if (value >= 100 && value < 1e4) return String(Math.round(value));
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
