import { readFileSync } from "node:fs";
import { withoutCredentials } from "./git.ts";
import type { Run } from "./records.ts";

type Trigger = Run["trigger"];

/** What started a run, as the environment of known CI systems tells it. What they do not tell is left out. */
export function triggerOf(env: NodeJS.ProcessEnv): Trigger {
  if (env["GITHUB_ACTIONS"] === "true") return github(env);
  if (env["GITLAB_CI"] === "true") return gitlab(env);
  if (env["BUILDKITE"] === "true") return buildkite(env);
  if (env["CIRCLECI"] === "true") return circle(env);
  if (env["TF_BUILD"] === "True") return azure(env);
  if (env["JENKINS_URL"]) return jenkins(env);
  const isCi = env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false";
  return isCi ? { kind: "ci", trust: "branch" } : { kind: "cli", trust: "local" };
}

function github(env: NodeJS.ProcessEnv): Trigger {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  const { pull_request: pull, repository: of } = eventOf(env["GITHUB_EVENT_PATH"]);
  const isMain = of?.default_branch !== undefined && env["GITHUB_REF"] === `refs/heads/${of.default_branch}`;
  return known({
    isScheduled: env["GITHUB_EVENT_NAME"] === "schedule",
    provider: "github",
    event: env["GITHUB_EVENT_NAME"],
    runUrl: server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined,
    actor: env["GITHUB_ACTOR"],
    ref: env["GITHUB_REF"],
    workflow: env["GITHUB_WORKFLOW"],
    job: env["GITHUB_JOB"],
    attempt: env["GITHUB_RUN_ATTEMPT"],
    pull: pull?.number,
    // The commit that is checked out is a merge that exists for this run alone: these two are what it is made of.
    head: pull?.head?.sha,
    base: pull?.base?.sha,
    isMain,
  });
}

function gitlab(env: NodeJS.ProcessEnv): Trigger {
  const branch = env["CI_COMMIT_BRANCH"];
  return known({
    isScheduled: env["CI_PIPELINE_SOURCE"] === "schedule",
    provider: "gitlab",
    event: env["CI_PIPELINE_SOURCE"],
    runUrl: env["CI_JOB_URL"],
    actor: env["GITLAB_USER_LOGIN"],
    ref: env["CI_COMMIT_REF_NAME"],
    workflow: env["CI_PIPELINE_NAME"],
    job: env["CI_JOB_NAME"],
    pull: env["CI_MERGE_REQUEST_IID"],
    // The first is told of merged results alone, where the commit is one that exists for the pipeline only.
    head: env["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"] || env["CI_COMMIT_SHA"],
    base: env["CI_MERGE_REQUEST_DIFF_BASE_SHA"],
    isMain: branch !== undefined && branch === env["CI_DEFAULT_BRANCH"],
  });
}

function buildkite(env: NodeJS.ProcessEnv): Trigger {
  const pull = env["BUILDKITE_PULL_REQUEST"];
  const branch = env["BUILDKITE_BRANCH"];
  return known({
    isScheduled: env["BUILDKITE_SOURCE"] === "schedule",
    provider: "buildkite",
    event: env["BUILDKITE_SOURCE"],
    runUrl: env["BUILDKITE_BUILD_URL"],
    actor: env["BUILDKITE_BUILD_CREATOR"],
    ref: branch,
    workflow: env["BUILDKITE_PIPELINE_SLUG"],
    job: env["BUILDKITE_STEP_KEY"] || env["BUILDKITE_LABEL"],
    // Theirs begins with 0.
    attempt:
      env["BUILDKITE_RETRY_COUNT"] === undefined ? undefined : Number(env["BUILDKITE_RETRY_COUNT"]) + 1,
    pull: pull === "false" ? undefined : pull,
    head: env["BUILDKITE_COMMIT"],
    isMain: branch !== undefined && branch === env["BUILDKITE_PIPELINE_DEFAULT_BRANCH"],
  });
}

function circle(env: NodeJS.ProcessEnv): Trigger {
  return known({
    isScheduled: env["CIRCLE_PIPELINE_TRIGGER_SOURCE"] === "scheduled_pipeline",
    provider: "circleci",
    event: env["CIRCLE_PIPELINE_TRIGGER_SOURCE"],
    runUrl: env["CIRCLE_BUILD_URL"],
    actor: env["CIRCLE_USERNAME"],
    ref: env["CIRCLE_TAG"] || env["CIRCLE_BRANCH"],
    job: env["CIRCLE_JOB"],
    pull: /\/(\d+)$/.exec(env["CIRCLE_PULL_REQUEST"] ?? "")?.[1],
    head: env["CIRCLE_SHA1"],
    // It does not tell which branch is the main one.
    isMain: false,
  });
}

function azure(env: NodeJS.ProcessEnv): Trigger {
  const {
    SYSTEM_TEAMFOUNDATIONCOLLECTIONURI: server,
    SYSTEM_TEAMPROJECT: project,
    BUILD_BUILDID: build,
  } = env;
  return known({
    isScheduled: env["BUILD_REASON"] === "Schedule",
    provider: "azure-pipelines",
    event: env["BUILD_REASON"],
    runUrl:
      server && project && build
        ? `${server}${encodeURIComponent(project)}/_build/results?buildId=${build}`
        : undefined,
    actor: env["BUILD_REQUESTEDFOR"],
    ref: env["BUILD_SOURCEBRANCH"],
    workflow: env["BUILD_DEFINITIONNAME"],
    job: env["SYSTEM_JOBDISPLAYNAME"],
    attempt: env["SYSTEM_JOBATTEMPT"],
    pull: env["SYSTEM_PULLREQUEST_PULLREQUESTNUMBER"] ?? env["SYSTEM_PULLREQUEST_PULLREQUESTID"],
    head: env["SYSTEM_PULLREQUEST_SOURCECOMMITID"],
    isMain: false,
  });
}

function jenkins(env: NodeJS.ProcessEnv): Trigger {
  return known({
    isScheduled: false,
    provider: "jenkins",
    event: undefined,
    runUrl: env["BUILD_URL"],
    actor: env["BUILD_USER_ID"],
    ref: env["BRANCH_NAME"] ?? env["GIT_BRANCH"],
    workflow: env["JOB_NAME"],
    job: env["STAGE_NAME"],
    pull: env["CHANGE_ID"],
    isMain: env["BRANCH_IS_PRIMARY"] === "true",
  });
}

/** What of GitHub's event is looked at: it wrote it, and what is missing reads as undefined. */
interface GithubEvent {
  readonly pull_request?: {
    readonly number?: number;
    readonly head?: { readonly sha?: string };
    readonly base?: { readonly sha?: string };
  };
  readonly repository?: { readonly default_branch?: string };
}

function eventOf(path: string | undefined): GithubEvent {
  if (path === undefined) return {};
  try {
    const event: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof event === "object" && event !== null ? event : {};
  } catch {
    return {};
  }
}

/** What a provider tells; empty texts are nothing. */
interface Told {
  readonly isScheduled: boolean;
  readonly provider: string;
  readonly event: string | undefined;
  readonly runUrl: string | undefined;
  readonly actor: string | undefined;
  readonly ref: string | undefined;
  readonly workflow?: string | undefined;
  readonly job: string | undefined;
  /** From 1. */
  readonly attempt?: string | number | undefined;
  /** The number of the pull or merge request. */
  readonly pull: string | number | undefined;
  /** The commits that it proposes, and that it is proposed to. */
  readonly head?: string | undefined;
  readonly base?: string | undefined;
  readonly isMain: boolean;
}

function known(told: Told): Trigger {
  const { provider, event, runUrl, actor, ref, workflow, job, head, base } = told;
  const [attempt, pull] = [wholeNumber(told.attempt), wholeNumber(told.pull)];
  return {
    kind: told.isScheduled ? "schedule" : "ci",
    provider,
    ...texts({ event, runUrl: runUrl && withoutCredentials(runUrl), actor, ref, workflow, job }),
    ...(attempt !== undefined && { attempt }),
    ...(pull !== undefined && { pullRequest: { number: pull, ...texts({ head, base }) } }),
    trust: pull !== undefined ? `pr/${pull}` : told.isMain ? "main" : "branch",
  };
}

function wholeNumber(value: string | number | undefined): number | undefined {
  const number = Number(value);
  return value === undefined || value === "" || !Number.isSafeInteger(number) || number < 1
    ? undefined
    : number;
}

/** Those that say something. */
function texts<Name extends string>(
  all: Readonly<Record<Name, string | undefined>>,
): Partial<Record<Name, string>> {
  const some: Partial<Record<Name, string>> = {};
  // The keys are those of the type.
  for (const [name, text] of Object.entries(all) as [Name, string | undefined][]) if (text) some[name] = text;
  return some;
}
