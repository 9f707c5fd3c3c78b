/**
 * The container that a run takes place in, as far as one can tell from inside. An image's digest is known outside of
 * the container; inside of it only where an engine or somebody who started it left word. Nothing is guessed.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What is known of the container. */
export interface ContainerFacts {
  /** `docker`, `podman`, `kubernetes`, `apptainer`, `lxc`, …; null outside of any that is known. */
  readonly container: string | null;
  /** The id that the engine gave the container. */
  readonly containerId?: string;
  /** The image it was made of: a name, an id or digest, and who says so. */
  readonly image?: { readonly name?: string; readonly id?: string; readonly source: string };
}

/** @param root where the system's files lie; tests have a folder of their own */
export function containerFacts(env: NodeJS.ProcessEnv, root = "/"): ContainerFacts {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(join(root, path), "utf8");
    } catch {
      return undefined;
    }
  };
  const podman = read("run/.containerenv");
  const groups = read("proc/self/cgroup") ?? "";
  const container = engineOf(env, root, podman, groups, read);
  if (container === null) return { container };
  // Docker mounts three files of the container's own folder; the control group, where it is told, ends with the id.
  const mounts = read("proc/self/mountinfo") ?? "";
  const id =
    valueIn(podman, "id") ??
    /\/containers\/([0-9a-f]{64})\/(?:hostname|hosts|resolv\.conf)\b/.exec(mounts)?.[1] ??
    /(?:\/|docker-|libpod-|crio-|cri-containerd-)([0-9a-f]{64})(?:\.scope)?$/m.exec(groups)?.[1];
  const image = imageOf(env, podman);
  return {
    container,
    ...(id !== undefined && { containerId: id }),
    ...(image !== undefined && { image }),
  };
}

function engineOf(
  env: NodeJS.ProcessEnv,
  root: string,
  podman: string | undefined,
  groups: string,
  read: (path: string) => string | undefined,
): string | null {
  if (env["APPTAINER_CONTAINER"] !== undefined || env["SINGULARITY_CONTAINER"] !== undefined)
    return "apptainer";
  const account = "run/secrets/kubernetes.io/serviceaccount";
  if (groups.includes("/kubepods") || existsSync(join(root, account))) return "kubernetes";
  if (podman !== undefined) return "podman";
  if (existsSync(join(root, ".dockerenv"))) return "docker";
  const named = read("run/systemd/container")?.trim();
  return named === undefined || named === "" ? null : named;
}

function imageOf(env: NodeJS.ProcessEnv, podman: string | undefined): ContainerFacts["image"] {
  // Whoever starts the container knows it: `docker run -e MLPIPE_IMAGE=registry/name@sha256:…`.
  const said = env["MLPIPE_IMAGE"];
  if (said) return { ...named(said), source: "MLPIPE_IMAGE" };
  const [name, id] = [valueIn(podman, "image"), valueIn(podman, "imageid")];
  if (name !== undefined || id !== undefined)
    return {
      ...(name !== undefined && named(name)),
      ...(id !== undefined && { id }),
      source: "/run/.containerenv",
    };
  const apptainer = env["APPTAINER_CONTAINER"] ?? env["SINGULARITY_CONTAINER"];
  if (apptainer) return { name: apptainer, source: "APPTAINER_CONTAINER" };
  const gitlab = env["GITLAB_CI"] === "true" ? env["CI_JOB_IMAGE"] : undefined;
  return gitlab ? { ...named(gitlab), source: "CI_JOB_IMAGE" } : undefined;
}

/** `name@sha256:…` as name and digest. */
function named(image: string): { readonly name?: string; readonly id?: string } {
  const [name = "", digest] = image.split("@");
  return { ...(name !== "" && { name }), ...(digest !== undefined && { id: digest }) };
}

/** A value of Podman's file: `image="docker.io/library/node:24"`. */
function valueIn(text: string | undefined, name: string): string | undefined {
  return (text === undefined ? null : new RegExp(`^${name}="([^"]+)"$`, "m").exec(text))?.[1];
}
