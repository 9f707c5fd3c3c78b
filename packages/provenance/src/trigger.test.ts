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
    JSON.stringify({
      pull_request: { number: 7, head: { sha: "aaa" }, base: { sha: "bbb" } },
      repository: { default_branch: "main" },
    }),
  );
  const trigger = triggerOf({
    GITHUB_ACTIONS: "true",
    GITHUB_EVENT_NAME: "pull_request",
    GITHUB_EVENT_PATH: event,
    GITHUB_REF: "refs/pull/7/merge",
    GITHUB_WORKFLOW: "train",
    GITHUB_JOB: "run",
    GITHUB_RUN_ATTEMPT: "2",
  });
  rmSync(folder, { recursive: true });
  expect(trigger).toEqual({
    kind: "ci",
    provider: "github",
    event: "pull_request",
    ref: "refs/pull/7/merge",
    workflow: "train",
    job: "run",
    attempt: 2,
    pullRequest: { number: 7, head: "aaa", base: "bbb" },
    trust: "pr/7",
  });
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
      pullRequest: { number: 12 },
      trust: "pr/12",
    },
  );
});

it("CI systems that tell less, and a URL with a password in it", () => {
  expect(
    triggerOf({
      CIRCLECI: "true",
      CIRCLE_BUILD_URL: "https://circleci.com/gh/a/b/9",
      CIRCLE_USERNAME: "ada",
      CIRCLE_BRANCH: "more-trees",
      CIRCLE_TAG: "",
      CIRCLE_JOB: "train",
      CIRCLE_PULL_REQUEST: "https://github.com/a/b/pull/31",
      CIRCLE_SHA1: "ccc",
    }),
  ).toEqual({
    kind: "ci",
    provider: "circleci",
    runUrl: "https://circleci.com/gh/a/b/9",
    actor: "ada",
    ref: "more-trees",
    job: "train",
    pullRequest: { number: 31, head: "ccc" },
    trust: "pr/31",
  });
  expect(
    triggerOf({
      TF_BUILD: "True",
      BUILD_REASON: "Schedule",
      BUILD_SOURCEBRANCH: "refs/heads/main",
      SYSTEM_TEAMFOUNDATIONCOLLECTIONURI: "https://dev.azure.com/acme/",
      SYSTEM_TEAMPROJECT: "Rain or shine",
      BUILD_BUILDID: "5",
      SYSTEM_JOBATTEMPT: "1",
    }),
  ).toEqual({
    kind: "schedule",
    provider: "azure-pipelines",
    event: "Schedule",
    runUrl: "https://dev.azure.com/acme/Rain%20or%20shine/_build/results?buildId=5",
    ref: "refs/heads/main",
    attempt: 1,
    trust: "branch",
  });
  expect(
    triggerOf({
      JENKINS_URL: "https://ci.example.org/",
      BUILD_URL: "https://ada:secret@ci.example.org/job/train/3/",
      JOB_NAME: "train",
      BRANCH_NAME: "main",
      BRANCH_IS_PRIMARY: "true",
    }),
  ).toEqual({
    kind: "ci",
    provider: "jenkins",
    runUrl: "https://ci.example.org/job/train/3/",
    workflow: "train",
    ref: "main",
    trust: "main",
  });
});
