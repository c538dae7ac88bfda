/** Continues prompts, or answers sources: one token of each at a time, keeping keys and values. */
import { FormatError } from "../core/errors.ts";
import { begin, type Writing } from "./begin.ts";
import type { GenerateOptions, GenerateOutput, GenerationModel, ScoredOptions, TokenIds } from "./generate-options.ts";
import { isBatch } from "./prompts.ts";
import { rounds } from "./rounds.ts";
import type { Draft } from "./search/search.ts";

/** See load-generate.ts, by which users reach it. */
export async function generate(
  model: GenerationModel,
  inputIds: TokenIds | readonly TokenIds[],
  options: GenerateOptions & Partial<ScoredOptions> = {},
): Promise<number[] | number[][] | GenerateOutput> {
  const writing = begin(model, inputIds, options);
  const { settings } = writing;
  const isScored = (options.outputLogProbs ?? null) !== null;
  const isOne = !isBatch(inputIds);
  if (isOne && !isScored) expectOne(settings.numReturnSequences);
  const tell = teller(writing, options.onToken ?? (() => {}));
  for await (const _ of rounds(writing)) if (settings.numBeams === 1) tell();
  tell();
  const drafts = draftsOf(writing);
  const sequences = drafts.map(({ ids }) => [...ids]);
  if (isScored) {
    const sequencesScores = settings.numBeams > 1 ? drafts.map(({ score }) => score) : null;
    return { sequences, logProbs: drafts.map(({ logProbs }) => [...logProbs]), sequencesScores };
  }
  return isOne ? sequences[0]! : sequences;
}

/** One text id by id: of beam search all at the end. */
export async function* generateTokens(
  model: GenerationModel,
  inputIds: TokenIds,
  options: GenerateOptions = {},
): AsyncGenerator<number, void> {
  if (isBatch(inputIds))
    throw new FormatError("stream: several prompts are given, expected one; generate takes several");
  const writing = begin(model, inputIds, options);
  const { settings } = writing;
  expectOne(settings.numReturnSequences);
  let told = 0;
  for await (const _ of rounds(writing)) {
    if (settings.numBeams > 1) continue;
    const { ids } = draftsOf(writing)[0]!;
    while (told < ids.length) yield ids[told++]!;
  }
  yield* draftsOf(writing)[0]!.ids.slice(told);
}

const nothing: Draft = { ids: [], logProbs: [], score: 0 };

/** What is written so far, the texts of the first prompt first. */
function draftsOf({ prompts, settings }: Writing): readonly Draft[] {
  return prompts.flatMap(({ search }) => search?.drafts ?? Array<Draft>(settings.numReturnSequences).fill(nothing));
}

/** A function that calls `onToken` with the ids that are new since the last time. */
function teller(writing: Writing, onToken: (id: number, text: number) => void): () => void {
  const told: number[] = [];
  return () => {
    for (const [text, { ids }] of draftsOf(writing).entries()) {
      for (const id of ids.slice(told[text] ?? 0)) onToken(id, text);
      told[text] = ids.length;
    }
  };
}

function expectOne(numReturnSequences: number): void {
  if (numReturnSequences === 1) return;
  throw new FormatError(
    `generate: "numReturnSequences" is ${numReturnSequences}, and one prompt gives one text; give the prompt in a list, [ids], for a list of texts`,
  );
}
