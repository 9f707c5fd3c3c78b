import { appendFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** Ends a test run with its plain count, `412 passed, 0 failed`, for people and machines alike. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      let tests = 0;
      for (const test of module.children.allTests()) {
        tests++;
        const { state } = test.result();
        counts[state === "pending" ? "failed" : state]++;
      }
      // A file that could not be loaded has no tests, and must not pass for it.
      if (module.state() === "failed" && (tests === 0 || module.errors().length > 0)) counts.failed++;
    }
    counts.failed += unhandledErrors.length;
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    const line = `${counts.passed} passed, ${counts.failed} failed${skipped}`;
    // The default reporter prints its own summary after this hook.
    process.once("exit", () => console.log(line));
    const file = process.env["MLPIPE_TEST_COUNT"];
    if (file !== undefined) appendFileSync(file, `${line}\n`);
  }
}
