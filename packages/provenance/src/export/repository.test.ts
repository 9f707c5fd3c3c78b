import { describe, expect, it } from "vitest";
import { gitUrl, webUrl } from "./repository.ts";

describe("the remote of a repository", () => {
  it.each([
    ["https://github.com/acme/line.git", "https://github.com/acme/line", "https://github.com/acme/line.git"],
    ["git@github.com:acme/line.git", "https://github.com/acme/line", "ssh://git@github.com/acme/line.git"],
    [
      "ssh://git@host.example/acme/line",
      "https://host.example/acme/line",
      "ssh://git@host.example/acme/line",
    ],
    ["host.example:acme/line.git", undefined, "ssh://host.example/acme/line.git"],
    ["file:///srv/line.git", undefined, "file:///srv/line.git"],
    ["/srv/line.git", undefined, "/srv/line.git"],
    ["../line", undefined, "../line"],
  ])("%s has the page %s and is cloned from %s", (remote, page, clone) => {
    expect(webUrl(remote)).toBe(page);
    expect(gitUrl(remote)).toBe(clone);
  });
});
