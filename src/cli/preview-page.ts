/** Rows as they will be trained, as a page that needs nothing else. */
import type { ExamplePreview } from "../data/preview-example.ts";
import type { PreviewToken } from "../data/preview-tokens.ts";
import { headOf } from "./preview.ts";

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1d2126, #e6e8ea); --dim: light-dark(#646c76, #98a0aa);
  --paper: light-dark(#ffffff, #15181c); --card: light-dark(#f6f7f8, #1e2228); --learned: light-dark(#c9efd3, #1d5232); }
body { max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
article { margin: 1.25rem 0; padding: 0.75rem 1rem 1rem; border-radius: 0.5rem; background: var(--card); }
h1 { font-size: 1.25rem; } h2 { margin: 0 0 0.5rem; color: var(--dim); font-size: 0.85rem; font-weight: 500; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 0.95rem/1.7 ui-monospace, monospace; color: var(--dim); }
pre + pre, p { margin: 0.75rem 0 0; }
i, b { font: inherit; box-shadow: inset 0 -1px light-dark(#0002, #fff2); border-radius: 2px; margin-right: 1px; }
b, strong { color: var(--ink); background: var(--learned); } strong { padding: 0 0.3rem; border-radius: 2px; font-weight: 500; }
`;

/** The page. Each token is apart, with its number as its title; what is learned has a background. */
export function previewPage(title: string, previews: readonly ExamplePreview[]): string {
  const articles = previews.map((preview) => {
    const { tokens, target, label } = preview;
    const parts = [
      `<h2>${escaped(headOf(preview))}</h2>`,
      tokens.length > 0 && `<pre>${tokensHtml(tokens)}</pre>`,
      target !== null && `<pre aria-label="target">${tokensHtml(target)}</pre>`,
      label !== null && `<p>label: <strong>${escaped(label)}</strong></p>`,
    ];
    return `<article>\n${parts.filter((part) => part !== false).join("\n")}\n</article>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
<p><strong>learned</strong> and not learned. Each token is underlined; point at it for its number.</p>
${articles.join("\n")}
</html>
`;
}

function tokensHtml(tokens: readonly PreviewToken[]): string {
  return tokens
    .map(({ id, text, learned }) => {
      const tag = learned ? "b" : "i";
      return `<${tag} title="${id}">${escaped(text)}</${tag}>`;
    })
    .join("");
}

function escaped(text: string): string {
  const marks: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (mark) => marks[mark]!);
}
