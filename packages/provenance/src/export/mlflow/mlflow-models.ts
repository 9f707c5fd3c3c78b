/** Models in MLflow: their files, what is known of them, and the registry with its aliases. Same bytes, same model. */
import { join } from "node:path";
import { type Content, isDigest, type Store } from "@mlpipe/store";
import type { Artifact } from "../artifact.ts";
import { mlflowTags } from "./mlflow-data.ts";
import { loggedName } from "./mlflow-names.ts";
import { type MlflowAnswer, MlflowRefusal, type MlflowServer } from "./mlflow-server.ts";
import { list, record, text } from "./mlflow-answer.ts";

/** A model that is in MLflow. */
export interface MlflowModel {
  /** Of the logged model; nothing on servers before MLflow 3, which have none. */
  readonly id: string | undefined;
  /** What a version of the registry names as its source. */
  readonly source: string;
  /** The run that it is an artifact of. */
  readonly run: string;
}

/** Where a model comes from. */
export interface ModelOrigin {
  readonly experiment: string;
  /** MLflow's run of the step that made it. */
  readonly run: string;
  /** Of the mlpipe run. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Told what could not be handed over and does not keep the rest from it. */
export type Remark = (message: string) => void;

export class MlflowModels {
  readonly #server: MlflowServer;
  readonly #store: Store;
  readonly #remark: Remark;
  readonly #known = new Map<string, MlflowModel>();
  /** Whether the server has models as things of their own; not known before it was asked. */
  #areLogged: boolean | undefined;

  constructor(server: MlflowServer, store: Store, remark: Remark) {
    this.#server = server;
    this.#store = store;
    this.#remark = remark;
  }

  /** A model that is there, whoever handed it over. */
  async find(digest: string, experiment: string): Promise<MlflowModel | undefined> {
    const known = this.#known.get(digest);
    if (known !== undefined || this.#areLogged === false) return known;
    try {
      const info = await this.#search(digest, experiment);
      const model = info !== undefined && isReady(info) ? asModel(info, "") : undefined;
      if (model !== undefined) this.#known.set(digest, model);
      return model;
    } catch (error) {
      if (!isUnknownPath(error)) throw error;
      this.#areLogged = false;
      return undefined;
    }
  }

  /** Hands over a model, unless it is there. Nothing if it cannot be had, or the server takes no files. */
  async put(artifact: Artifact, origin: ModelOrigin): Promise<MlflowModel | undefined> {
    const known = this.#known.get(artifact.digest);
    if (known !== undefined) return known;
    const model = await this.#put(artifact, origin);
    if (model !== undefined) this.#known.set(artifact.digest, model);
    return model;
  }

  async #put(artifact: Artifact, origin: ModelOrigin): Promise<MlflowModel | undefined> {
    if (this.#areLogged === false) return this.#asArtifact(artifact, origin);
    try {
      return await this.#logged(artifact, origin);
    } catch (error) {
      if (!isUnknownPath(error)) throw error;
      this.#areLogged = false;
      return this.#asArtifact(artifact, origin);
    }
  }

  /** As MLflow 3 has it: a model is a thing of its own. */
  async #logged(artifact: Artifact, origin: ModelOrigin): Promise<MlflowModel | undefined> {
    let model = await this.#search(artifact.digest, origin.experiment);
    if (model !== undefined && isReady(model)) return asModel(model, origin.run);
    if (this.#content(artifact) === undefined) return undefined;
    model ??= await this.#create(artifact, origin);
    const uri = text(model, "artifact_uri");
    const isWhole = await this.#upload(artifact, uri);
    await this.#server.patch(`logged-models/${text(model, "model_id")}`, {
      model_id: text(model, "model_id"),
      status: isWhole ? "LOGGED_MODEL_READY" : "LOGGED_MODEL_UPLOAD_FAILED",
    });
    return isWhole ? asModel(model, origin.run) : undefined;
  }

  async #search(digest: string, experiment: string): Promise<MlflowAnswer | undefined> {
    const answer = await this.#server.post("logged-models/search", {
      experiment_ids: [experiment],
      filter: `tags.\`mlpipe.digest\` = '${digest}'`,
      max_results: 50,
    });
    const infos = list(answer, "models").map((each) => record(each, "info"));
    return infos.find(isReady) ?? infos[0];
  }

  async #create(artifact: Artifact, { experiment, run, tags }: ModelOrigin): Promise<MlflowAnswer> {
    const answer = await this.#server.post("logged-models", {
      experiment_id: experiment,
      name: loggedName(`${artifact.step}-${artifact.port}`),
      source_run_id: run,
      tags: mlflowTags({
        ...tags,
        "mlpipe.digest": artifact.digest,
        "mlpipe.output": `${artifact.step}.${artifact.port}`,
      }),
    });
    return record(record(answer, "model"), "info");
  }

  /** As servers had it before MLflow 3: a folder among the artifacts of a run. */
  async #asArtifact(artifact: Artifact, { run }: ModelOrigin): Promise<MlflowModel | undefined> {
    if (this.#content(artifact) === undefined) return undefined;
    const answer = await this.#server.get("runs/get", { run_id: run });
    const uri = `${text(record(record(answer, "run"), "info"), "artifact_uri")}/models/${loggedName(artifact.port)}`;
    return (await this.#upload(artifact, uri)) ? { id: undefined, source: uri, run } : undefined;
  }

  /** Whether all of it is there now. */
  async #upload(artifact: Artifact, uri: string): Promise<boolean> {
    const content = this.#content(artifact);
    const name = `${artifact.step}.${artifact.port}`;
    if (content === undefined) return false;
    if (!this.#server.takesFilesAt(uri)) {
      this.#remark(
        `the model ${name} was not uploaded: the server takes no files, and keeps its own in ${uri}`,
      );
      return false;
    }
    const at = this.#store.objects.pathOf(content);
    const files =
      content.type === "file"
        ? [{ file: at, size: content.size, path: artifact.fileName }]
        : this.#store.objects.tree(content).entries.flatMap((entry) => {
            if (entry.type === "file") {
              return [
                { file: join(at, entry.path), size: entry.size, path: `${artifact.fileName}/${entry.path}` },
              ];
            }
            if (entry.type === "link")
              this.#remark(`${entry.path} of the model ${name} is a link, which MLflow has not`);
            return [];
          });
    for (const { file, size, path } of files) {
      try {
        await this.#server.upload(file, size, { uri, path });
      } catch (error) {
        // Of a file that is refused for its name or its size the rest is independent.
        const isOfTheFile = error instanceof MlflowRefusal && [400, 413].includes(error.status);
        if (!isOfTheFile) throw error;
        this.#remark(`the model ${name} is not whole: ${path}: ${error.message}`);
        return false;
      }
    }
    return true;
  }

  /** What the store has of it, as it was made. */
  #content({ type, digest, size, step, port }: Artifact): Content | undefined {
    const content = isDigest(digest) ? { type, digest, size } : undefined;
    const state = content === undefined ? "missing" : this.#store.objects.verify(content);
    if (state === "ok") return content;
    this.#remark(
      `the model ${step}.${port} was not uploaded: it ${state === "missing" ? "left the store" : "is damaged in the store"}`,
    );
    return undefined;
  }
}

function isReady(info: MlflowAnswer): boolean {
  return text(info, "status") === "LOGGED_MODEL_READY";
}

/** Servers before MLflow 3 do not know the path; what they answer then is not the same for all of them. */
function isUnknownPath(error: unknown): boolean {
  return (
    error instanceof MlflowRefusal &&
    [404, 405].includes(error.status) &&
    error.code !== "RESOURCE_DOES_NOT_EXIST"
  );
}

function asModel(info: MlflowAnswer, run: string): MlflowModel {
  const id = text(info, "model_id");
  return { id, source: `models:/${id}`, run: text(info, "source_run_id") || run };
}
