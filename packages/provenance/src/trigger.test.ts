import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { triggerOf } from "./trigger.ts";

it("a person at a command line", () => {
  expect(triggerOf({})).toEqual({ kind: "cli", trust: "local" });
  expect(triggerOf({ CI: "false" })).toEqual({ kind: "cli", trust: "local" });
});

it("a CI system that nobody knows", () => {
  expect(triggerOf({ CI: "1" })).toEqual({ kind: "ci", trust: "branch" });
});

it("a pull request on GitHub, by the event that GitHub wrote", () => {
  const folder = mkdtempSync(join(tmpdir(), "mlpipe-trigger-"));
  const event = join(folder, "event.json");
  writeFileSync(
    event,
    JSON.stringify({ pull_request: { number: 7 }, repository: { default_branch: "main" } }),
  );
  const trigger = triggerOf({
    GITHUB_ACTIONS: "true",
    GITHUB_EVENT_NAME: "pull_request",
    GITHUB_EVENT_PATH: event,
  });
  rmSync(folder, { recursive: true });
  expect(trigger).toEqual({ kind: "ci", provider: "github", event: "pull_request", trust: "pr/7" });
});

it("a schedule on GitLab", () => {
  expect(
    triggerOf({
      GITLAB_CI: "true",
      CI_PIPELINE_SOURCE: "schedule",
      CI_COMMIT_BRANCH: "main",
      CI_DEFAULT_BRANCH: "main",
      GITLAB_USER_LOGIN: "ada",
    }),
  ).toEqual({ kind: "schedule", provider: "gitlab", event: "schedule", actor: "ada", trust: "main" });
});

it("a pull request on Buildkite", () => {
  expect(triggerOf({ BUILDKITE: "true", BUILDKITE_PULL_REQUEST: "12", BUILDKITE_SOURCE: "webhook" })).toEqual(
    {
      kind: "ci",
      provider: "buildkite",
      event: "webhook",
      trust: "pr/12",
    },
  );
});
