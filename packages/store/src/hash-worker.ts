import { parentPort } from "node:worker_threads";
import { placesOf, type SharedJob, work } from "./hash-job.ts";

// The body of a hashing thread: every message is a job to help with. Errors are not reported from here: a file that
// could not be hashed stays open in the job, and the thread that asked tries it again and sees the error itself.
parentPort?.on("message", (shared: SharedJob) => {
  work(shared.job, placesOf(shared));
});
