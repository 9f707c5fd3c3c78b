import { readFileSync } from "node:fs";
import type { Run } from "./records.ts";

/** What started a run, as the environment of known CI systems tells it. */
export function triggerOf(env: NodeJS.ProcessEnv): Run["trigger"] {
  if (env["GITHUB_ACTIONS"] === "true") return github(env);
  if (env["GITLAB_CI"] === "true") {
    const merge = env["CI_MERGE_REQUEST_IID"];
    const isMain =
      env["CI_COMMIT_BRANCH"] !== undefined && env["CI_COMMIT_BRANCH"] === env["CI_DEFAULT_BRANCH"];
    return known({
      kind: env["CI_PIPELINE_SOURCE"] === "schedule" ? "schedule" : "ci",
      provider: "gitlab",
      event: env["CI_PIPELINE_SOURCE"],
      runUrl: env["CI_JOB_URL"],
      actor: env["GITLAB_USER_LOGIN"],
      trust: merge !== undefined ? `pr/${merge}` : isMain ? "main" : "branch",
    });
  }
  if (env["BUILDKITE"] === "true") {
    const pull = env["BUILDKITE_PULL_REQUEST"];
    const isMain = env["BUILDKITE_BRANCH"] === env["BUILDKITE_PIPELINE_DEFAULT_BRANCH"];
    return known({
      kind: env["BUILDKITE_SOURCE"] === "schedule" ? "schedule" : "ci",
      provider: "buildkite",
      event: env["BUILDKITE_SOURCE"],
      runUrl: env["BUILDKITE_BUILD_URL"],
      actor: env["BUILDKITE_BUILD_CREATOR"],
      trust: pull !== undefined && pull !== "false" ? `pr/${pull}` : isMain ? "main" : "branch",
    });
  }
  const isCi = env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false";
  return isCi ? { kind: "ci", trust: "branch" } : { kind: "cli", trust: "local" };
}

function github(env: NodeJS.ProcessEnv): Run["trigger"] {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  const event = eventOf(env["GITHUB_EVENT_PATH"]);
  const number = event.pull_request?.number;
  const isMain =
    event.repository?.default_branch !== undefined &&
    env["GITHUB_REF"] === `refs/heads/${event.repository.default_branch}`;
  return known({
    kind: env["GITHUB_EVENT_NAME"] === "schedule" ? "schedule" : "ci",
    provider: "github",
    event: env["GITHUB_EVENT_NAME"],
    runUrl: server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined,
    actor: env["GITHUB_ACTOR"],
    trust: number !== undefined ? `pr/${number}` : isMain ? "main" : "branch",
  });
}

interface GithubEvent {
  readonly pull_request?: { readonly number?: number };
  readonly repository?: { readonly default_branch?: string };
}

function eventOf(path: string | undefined): GithubEvent {
  if (path === undefined) return {};
  try {
    const event: unknown = JSON.parse(readFileSync(path, "utf8"));
    // Written by the runner of GitHub; what is missing reads as undefined.
    return typeof event === "object" && event !== null ? event : {};
  } catch {
    return {};
  }
}

/** Leaves out what is not known. */
function known(trigger: {
  readonly kind: Run["trigger"]["kind"];
  readonly provider: string;
  readonly event: string | undefined;
  readonly runUrl: string | undefined;
  readonly actor: string | undefined;
  readonly trust: string;
}): Run["trigger"] {
  const { event, runUrl, actor, ...rest } = trigger;
  return {
    ...rest,
    ...(event !== undefined && { event }),
    ...(runUrl !== undefined && { runUrl }),
    ...(actor !== undefined && { actor }),
  };
}
