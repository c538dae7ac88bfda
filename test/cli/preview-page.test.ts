import { expect, test } from "vitest";
import { previewPage } from "../../src/cli/preview-page.ts";

test("every token is apart, what is learned is marked, and text is no markup", () => {
  const tokens = [
    { id: 7, text: "<script>", learned: false },
    { id: 8, text: '"&', learned: true },
  ];
  const page = previewPage("a < b", [{ where: "d:1", tokens, target: null, label: "<x>", learned: 1, uncut: null }]);
  expect(page).toContain('<pre><i title="7">&lt;script&gt;</i><b title="8">&quot;&amp;</b></pre>');
  expect(page).toContain("<p>label: <strong>&lt;x&gt;</strong></p>");
  expect(page).toContain("<title>a &lt; b</title>");
  expect(page).not.toContain("<script>");
});
