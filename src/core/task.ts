/** What a model is for: PEFT's `task_type`s, and image classification, for which PEFT has none. */
export const tasks = [
  "CAUSAL_LM",
  "SEQ_2_SEQ_LM",
  "SEQ_CLS",
  "TOKEN_CLS",
  "QUESTION_ANS",
  "FEATURE_EXTRACTION",
  "IMAGE_CLS",
] as const;

/** One of `tasks`. */
export type Task = (typeof tasks)[number];
