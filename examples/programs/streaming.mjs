// Streams text as a server would: piece by piece, until the reader leaves or a limit on time has passed.
import { AutoModelForCausalLM, AutoTokenizer, stream } from "lorikeet";

const tokenizer = await AutoTokenizer.fromPretrained("examples/pocket");
const model = await AutoModelForCausalLM.fromPretrained("examples/pocket");
const options = { maxNewTokens: 400, temperature: 0.7, seed: 1, eosTokenId: null };

/** The text up to the end, or to the signal. */
async function read(prompt, signal, onPiece) {
  let [text, pieces] = ["", 0];
  for await (const piece of stream(model, tokenizer, prompt, { ...options, signal })) {
    text += piece;
    onPiece(++pieces);
  }
  return { text, pieces };
}
const reader = new AbortController();
const left = await read("It was a", reader.signal, (pieces) => pieces === 25 && reader.abort());
console.log(`the reader left after ${left.pieces} pieces: It was a${left.text}`);

let ticks = 0;
const clock = setInterval(() => ticks++, 1); // other work of the program goes on
const late = await read("It was a", AbortSignal.timeout(300), () => {});
clearInterval(clock);
console.log(
  `after 300 ms: ${late.pieces > 0 && late.pieces < 400 ? "cut" : "not cut"}, the clock ${ticks > 0 ? "went on" : "stood still"}`,
);
if (left.pieces !== 25 || late.pieces === 400 || !ticks) throw new Error("the streams did not end when they should");
