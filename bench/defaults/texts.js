/** Small data sets of rows, made up from a few words: the same rows every time. */

const NAMES = "anna ben carla david emma felix greta hugo ida jonas klara leo mia noah olga paul".split(" ");
const TOWNS = "berlin paris london rome madrid vienna oslo prague dublin athens lisbon warsaw".split(" ");
const THINGS = "apples books chairs lamps pens shoes spoons stamps tickets umbrellas".split(" ");

/** Numbers below `below` that depend on nothing but the order of the calls. */
function draws(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const pick = (draw, words) => words[draw(words.length)];

/** Words with their classes: persons, towns, and others. */
export function taggedRows(count, seed) {
  const draw = draws(seed);
  const shapes = [
    "PER moved from LOC to LOC with NUM THING",
    "in LOC PER and PER sold NUM THING",
    "NUM THING were sent to PER who lives near LOC",
    "the THING of PER are kept in LOC",
  ];
  return Array.from({ length: count }, () => {
    const labels = [];
    const tokens = pick(draw, shapes)
      .split(" ")
      .map((word) => {
        labels.push(word === "PER" || word === "LOC" ? word : "O");
        if (word === "NUM") return String(2 + draw(90));
        return word === "PER"
          ? pick(draw, NAMES)
          : word === "LOC"
            ? pick(draw, TOWNS)
            : word === "THING"
              ? pick(draw, THINGS)
              : word;
      });
    return { tokens, labels };
  });
}

/** Questions whose answer is a span of the context. */
export function spanRows(count, seed) {
  const draw = draws(seed);
  return Array.from({ length: count }, () => {
    const [one, other] = [pick(draw, NAMES.slice(0, 8)), pick(draw, NAMES.slice(8))];
    const [here, there] = [pick(draw, TOWNS.slice(0, 6)), pick(draw, TOWNS.slice(6))];
    const context = `${one} lives in ${here} and sells ${pick(draw, THINGS)}. ${other} comes from ${there} and likes ${pick(draw, THINGS)}.`;
    const [who, answer] = draw(2) === 0 ? [one, here] : [other, there];
    const start = context.indexOf(answer);
    return { question: `where is ${who} at home?`, context, answers: { text: [answer], answer_start: [start] } };
  });
}

/** Six questions with answers: what people try first. */
export const SIX = [
  ["What is the name of the shop?", "It is called The Blue Door."],
  ["When does the shop open?", "It opens at nine in the morning."],
  ["Who owns the shop?", "Old Mrs. Hale and her two sons."],
  ["What does the shop sell?", "Tea, bread and a little honey."],
  ["Where is the shop?", "By the bridge, next to the mill."],
  ["How can I reach you?", "Ring the bell and wait a moment."],
].map(([question, answer]) => ({ prompt: `Question: ${question}\nAnswer:`, completion: ` ${answer}` }));

/** Sequences of tokens for an encoder-decoder, whose target is the source or the source in reverse. */
export function sequenceRows(count, seed, { reversed }) {
  const draw = draws(seed);
  return Array.from({ length: count }, () => {
    const input_ids = Array.from({ length: 3 + draw(4) }, () => 2 + draw(20));
    const labels = reversed ? [...input_ids].reverse() : input_ids;
    return { input_ids: [...input_ids, 1], labels: [...labels, 1] };
  });
}
