/**
 * Names of models on the Hugging Face hub: `name` or `org/name`, optionally with `@revision` (branch, tag or commit).
 */
import { FormatError } from "../core/errors.ts";
import type { RepoType } from "../core/host.ts";

/** A model and the requested revision. */
export interface HubName {
  /** Such as "gpt2" or "bigscience/mt0-large". */
  readonly repo: string;
  readonly revision: string | null;
}

/** The hub's own limit for one part of a name. */
const MAX_PART = 96;

/**
 * Parses a name. Null if the text cannot be one, such as a path that starts with "./" or contains more than one "/".
 */
export function parseHubName(text: string): HubName | null {
  const [, repo, revision = null] = /^([\w.-]+(?:\/[\w.-]+)?)(?:@(\S+))?$/.exec(text) ?? [];
  if (repo === undefined) return null;
  const fits = (part: string) => part.length <= MAX_PART && !/^[.-]|[.-]$|--|\.\./.test(part);
  return repo.split("/").every(fits) ? { repo, revision } : null;
}

/** The same, with the revision from an option. Throws FormatError for an invalid model name. */
export function expectHubName(text: string, revision?: string): { repo: string; revision: string } {
  const name = parseHubName(text);
  if (name !== null) return { repo: name.repo, revision: revision ?? name.revision ?? "main" };
  throw new FormatError(
    `${JSON.stringify(text)} is not a valid model name: expected "name" or "org/name", optionally followed by "@revision"`,
  );
}

/** What messages call a model or a data set. */
export function labelOf(repo: string, revision: string, type: RepoType = "model"): string {
  return `${type} "${repo}${revision === "main" ? "" : `@${revision}`}"`;
}
