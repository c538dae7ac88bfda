/** Whether a run continues, and from where: `true` for the newest checkpoint, or the name of one. */
export type Resume = boolean | string;

/** What the name of a checkpoint looks like. */
export const RESUME_NAME = {
  pattern: /^checkpoint-\d+$/,
  expected: 'the name of a checkpoint, such as "checkpoint-300"',
};
