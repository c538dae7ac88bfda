/**
 * The documentation site: the pages of docs/, and an API reference that TypeDoc makes from the doc comments. Both are put into pages/,
 * because packages are found from there.
 */
import { existsSync, readFileSync } from "node:fs";
import { defineConfig } from "vitepress";

const docs = new URL("../pages/", import.meta.url);

/** The first heading of a page. */
function titleOf(page) {
  const title = /^# (.+)$/m.exec(readFileSync(new URL(`${page}.md`, docs), "utf8"))?.[1];
  if (title === undefined) throw new Error(`docs/${page}.md has no heading`);
  return title;
}

const section = (text, pages) => ({ text, items: pages.map((page) => ({ text: titleOf(page), link: `/${page}` })) });

const apiSidebar = new URL("api/typedoc-sidebar.json", docs);
const api = existsSync(apiSidebar) ? JSON.parse(readFileSync(apiSidebar, "utf8")) : [];

export default defineConfig({
  title: "Lorikeet",
  description: "Parameter-efficient fine-tuning that runs wherever JavaScript runs",
  srcDir: "pages",
  outDir: "../build/site",
  cacheDir: "../build/site-cache",
  cleanUrls: true,
  lastUpdated: false,
  // A dead link fails the build.
  ignoreDeadLinks: false,
  head: [["link", { rel: "icon", type: "image/svg+xml", href: "/logo.svg" }]],
  markdown: {
    config: (markdown) => {
      // "ts no-run" and "sh no-run" tell the snippet test what not to execute; a reader does not need to see it.
      const { code_inline: inline, fence } = markdown.renderer.rules;
      // Braces in code are code, not Vue's.
      markdown.renderer.rules.code_inline = (...given) => inline(...given).replace("<code", "<code v-pre");

      markdown.renderer.rules.fence = (tokens, index, ...rest) => {
        tokens[index].info = tokens[index].info.replace(/ no-run.*$/, "");
        return fence(tokens, index, ...rest);
      };
    },
  },
  themeConfig: {
    logo: "/logo.svg",
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Get started", link: "/getting-started" },
      { text: "Guides", link: "/guides/classify-texts" },
      { text: "Architecture", link: "/architecture" },
      { text: "API", link: "/api/" },
    ],
    sidebar: {
      "/api/": [{ text: "API reference", link: "/api/", items: api }],
      "/": [
        section("Start", ["getting-started", "from-peft", "concepts"]),
        section("Guides", [
          "guides/classify-texts",
          "guides/chat-model",
          "guides/defaults",
          "guides/pipelines",
          "guides/many-adapters",
          "guides/memory-and-speed",
          "guides/resume",
          "guides/workers",
          "guides/trainer",
        ]),
        section("Reference", ["data", "methods", "optimizers", "training-settings", "troubleshooting", "glossary"]),
        section("Inside", ["architecture", "decisions", "differences", "reliability"]),
        section("Extend", ["extend/add-a-method", "extend/add-a-model", "extend/add-a-task", "extend/add-a-kernel"]),
      ],
    },
  },
});
