/** A conversation in the terminal: what was said, and the ids that ask for the next answer. */
import { ShapeError } from "../../core/errors.ts";
import type { Message } from "../../text/message.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

export class Conversation {
  readonly #tokenizer: Tokenizer;
  /** Whether turns are lines of one text, without a chat template. */
  readonly #raw: boolean;
  /** What the system says first, null for the default of the template. */
  system: string | null;
  /** The turns of the user and the assistant by turns. */
  #turns: Message[] = [];

  constructor(tokenizer: Tokenizer, { system, raw }: { readonly system: string | null; readonly raw: boolean }) {
    this.#tokenizer = tokenizer;
    this.#raw = raw;
    this.system = system;
  }

  /** All of it, as chat templates and rows of data have it. */
  get messages(): readonly Message[] {
    return this.system === null ? this.#turns : [{ role: "system", content: this.system }, ...this.#turns];
  }

  reset(): void {
    this.#turns = [];
  }

  ask(content: string): void {
    this.#turns.push({ role: "user", content });
  }

  /** Takes the answer to the last question; without one, the question is taken back. */
  answer(content: string): void {
    if (content === "") this.#turns.pop();
    else this.#turns.push({ role: "assistant", content });
  }

  /**
   * Ids that ask for the next answer, and how many of the oldest questions were forgotten with their answers so that `room` tokens
   * more fit into the context. Throws ShapeError if the last question alone is too long.
   */
  prompt(contextLength: number, room: number): { readonly ids: number[]; readonly forgotten: number } {
    for (let forgotten = 0; ; forgotten++) {
      const ids = this.#ids();
      if (ids.length + room <= contextLength) return { ids, forgotten };
      if (this.#turns.length === 1) {
        this.#turns = [];
        throw new ShapeError(
          `the question has ${ids.length} tokens with what the template adds, the model's context is ${contextLength}, of which ${room} are kept for the answer`,
        );
      }
      this.#turns.splice(0, 2);
    }
  }

  #ids(): number[] {
    if (!this.#raw)
      return this.#tokenizer.applyChatTemplate(this.messages, { addGenerationPrompt: true, tokenize: true });
    return this.#tokenizer.encode(this.messages.map(({ content }) => content as string).join("\n"));
  }
}
