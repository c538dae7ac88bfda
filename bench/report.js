/** Rows of the results: each measurement with its target. */

/** From here on a figure is too unsure to judge by: the interquartile range of its samples over their median. */
export const UNSTABLE = 0.05;

/** `found` is { value, spread? } or { missing }; `sign` is ">=" or "<="; without a target, the row is informational. */
export function row(what, found, sign, bar, { unit = "", digits = 2 } = {}) {
  return { what, ...found, sign, bar, unit, digits };
}

/** "met", "missed by 12 %", or why there is nothing to judge; and whether the figure is unstable. */
export function verdict(row) {
  return [judgment(row), instability(row)].filter(Boolean).join("; ");
}

/** "unstable: spread 7 %", or nothing. */
export function instability({ spread = 0 }) {
  return spread > UNSTABLE ? `unstable: spread ${(100 * spread).toFixed(0)} %` : "";
}

function judgment({ value, missing, sign, bar }) {
  if (missing) return `not measured: ${missing}`;
  if (bar === undefined) return "";
  if (sign === ">=" ? value >= bar : value <= bar) return "met";
  const percent = 100 * Math.abs(value / bar - 1);
  return `missed by ${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
}

const shown = (value, { digits, unit }) => (unit === "" ? value.toFixed(digits) : `${value.toFixed(digits)} ${unit}`);

/** A case as a section of a page; `parts` are more tables and pictures, in Markdown. */
export function section({ title, about, rows = [], notes = [], parts = [] }) {
  const lines = rows.map((each) => {
    const measured = each.missing ? "" : shown(each.value, each);
    const bar = each.bar === undefined ? "" : `${each.sign === ">=" ? "≥" : "≤"} ${shown(each.bar, each)}`;
    return `| ${each.what} | ${measured} | ${bar} | ${verdict(each)} |`;
  });
  const table = rows.length > 0 && ["| | measured | bar | |", "| --- | ---: | ---: | --- |", ...lines].join("\n");
  const list = notes.map((note) => `* ${note}`).join("\n");
  return [`## ${title}`, about, table, list, ...parts].filter(Boolean).join("\n\n");
}
