import { expect, test } from "vitest";
import { shownUrl, withoutSecrets } from "../../../src/core/io/shown-url.ts";

test("user names, passwords, queries and fragments are not shown", () => {
  expect(shownUrl("https://me:secret@example.org:8443/a/b.bin?sig=secret#secret")).toBe(
    "https://example.org:8443/a/b.bin",
  );
});

test("URLs in the message of a host are shown the same way", () => {
  const text =
    'Request cannot be constructed from a URL that includes credentials: "https://me:secret@example.org/a?b=secret"';
  expect(withoutSecrets(text)).toBe(
    'Request cannot be constructed from a URL that includes credentials: "https://example.org/a"',
  );
  expect(withoutSecrets("fetch failed")).toBe("fetch failed");
});
