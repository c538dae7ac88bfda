/**
 * A URL as messages and files may show it: without user name, password, query and fragment, any of which may be a secret
 * (a signed URL's signature is in its query).
 *
 * @example
 * shownUrl("https://me:secret@example.org/model?sig=abc"); // "https://example.org/model"
 */
export function shownUrl(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** A text in which any URL is replaced by what may be shown of it, such as the message of an error of the host. */
export function withoutSecrets(text: string): string {
  return text.replace(/https?:\/\/[^\s"'<>]+/g, (url) => (URL.canParse(url) ? shownUrl(url) : "a URL"));
}
