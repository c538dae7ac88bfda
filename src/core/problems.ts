/** The largest number of problems that one message lists. */
const MAX_PROBLEMS = 20;

/** A message with one indented line per problem, and a count of the omitted ones. */
export function listProblems(summary: string, problems: readonly string[], most: number = MAX_PROBLEMS): string {
  const count = `${problems.length} ${problems.length === 1 ? "problem" : "problems"}`;
  const shown = problems.slice(0, most).map((problem) => `\n  ${problem}`);
  const more = problems.length > most ? `\n  and ${problems.length - most} more` : "";
  return `${summary} (${count})${shown.join("")}${more}`;
}
