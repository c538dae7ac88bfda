/** Data files of every ending but Parquet's, packed or not. */
import { gzipSync } from "node:zlib";
import { parseRows } from "../../../dist/index.js";
import { text } from "../seeds.mjs";

const UNPACKED = 16e6;
/** Text takes two bytes a character in memory, and rows of one character some more. */
export const memory = 8 * UNPACKED;

const chat = {
  messages: [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello." },
  ],
};
const rows = [
  [{ text: "one é" }, { text: "two" }],
  [
    { prompt: "Who?", completion: " Me." },
    { instruction: "Add", input: "1 2", output: "3" },
  ],
  [
    chat,
    {
      messages: [{ role: "system", content: "x" }, ...chat.messages],
      tools: [{ type: "function", function: { name: "f" } }],
    },
  ],
  [
    { text: "good", label: "yes" },
    { text: "bad", label: "no" },
    { text: "a", text_pair: "b", label: 1 },
  ],
  [{ input_ids: [1, 2, 3], labels: [-100, 2, 3] }, { input_ids: [4] }],
  [
    { tokens: ["a", "b"], tags: ["O", "B-X"] },
    { question: "Who?", context: "It is me.", answers: { text: ["me"], answer_start: [6] } },
  ],
  [
    { image: "a.png", label: "cat" },
    { text: "x", labels: [0, 1, 0] },
    { text: "x", label: 0.5 },
  ],
];
const lines = rows.map((list) => text(list.map((row) => `${JSON.stringify(row)}\n`).join("")));
const tables = [
  'text,label\n"a, b",yes\n"say ""x""",no\n',
  "prompt,completion\r\n1,2\r\n3,4\r\n",
  "input_ids,labels\n[1;2],3\n",
].map(text);

export const words = [
  '"',
  '""',
  ",",
  "\t",
  "\r\n",
  "\u0000",
  "{",
  "}",
  "[",
  "]",
  "null",
  "NaN",
  "1e999",
  "4294967301",
  "-1",
  '"text":',
  '"input_ids":',
  "\\ud800",
];

export const seeds = () => [
  ...lines.flatMap((bytes) => [{ "x.jsonl": bytes }, { "x.jsonl.gz": new Uint8Array(gzipSync(bytes)) }]),
  ...rows.map((list) => ({ "x.json": text(JSON.stringify(list)) })),
  ...tables.flatMap((bytes) => [
    { "x.csv": bytes },
    { "x.tsv": text(new TextDecoder().decode(bytes).replaceAll(",", "\t")) },
  ]),
  ...tables.map((bytes) => ({ "x.csv.gz": new Uint8Array(gzipSync(bytes)) })),
  { "x.txt": text("Once upon a time.\n\nThe end.\n") },
];

export async function run(files) {
  for (const [name, bytes] of Object.entries(files)) await parseRows(name, bytes, { maxUnpackedBytes: UNPACKED });
}
