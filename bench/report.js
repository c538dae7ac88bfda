/** Rows of the results: each measurement with its target. */

/** `found` is { value } or { missing }; `sign` is ">=" or "<="; without a target, the row is informational. */
export function row(what, found, sign, bar, { unit = "", digits = 2 } = {}) {
  return { what, ...found, sign, bar, unit, digits };
}

/** "met", "missed by 12 %", or why there is nothing to judge. */
export function verdict({ value, missing, sign, bar }) {
  if (missing) return `not measured: ${missing}`;
  if (bar === undefined) return "";
  if (sign === ">=" ? value >= bar : value <= bar) return "met";
  const percent = 100 * Math.abs(value / bar - 1);
  return `missed by ${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
}

const shown = (value, { digits, unit }) => (unit === "" ? value.toFixed(digits) : `${value.toFixed(digits)} ${unit}`);

/** A case as a section of a page. */
export function section({ title, about, rows, notes = [] }) {
  const lines = rows.map((each) => {
    const measured = each.missing ? "" : shown(each.value, each);
    const bar = each.bar === undefined ? "" : `${each.sign === ">=" ? "≥" : "≤"} ${shown(each.bar, each)}`;
    return `| ${each.what} | ${measured} | ${bar} | ${verdict(each)} |`;
  });
  const table = ["| | measured | bar | |", "| --- | ---: | ---: | --- |", ...lines].join("\n");
  return [`## ${title}`, about, table, notes.map((note) => `* ${note}`).join("\n")].filter(Boolean).join("\n\n");
}
