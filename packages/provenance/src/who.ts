import { hostname, userInfo } from "node:os";

/** Who runs, and where. */
export function whoAndWhere(cwd: string): { user: string; host: string; cwd: string } {
  let user = "unknown";
  try {
    user = userInfo().username;
  } catch {
    // A user id without an entry in the system's table, as in many containers.
  }
  return { user, host: hostname(), cwd };
}
