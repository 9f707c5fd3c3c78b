/** A real browser without a window, driven through pipes by the protocol of its developer tools. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

const names = [
  process.env["CHROME"] ?? "",
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The program of a browser; nothing if this machine has none. */
export const browserProgram = names.find(
  (name) => name !== "" && spawnSync(name, ["--version"], { timeout: 20_000 }).status === 0,
);

/** How a page is looked at. */
export interface View {
  readonly width: number;
  readonly height?: number;
  readonly isDark?: boolean;
  readonly isPhone?: boolean;
  readonly isPrinted?: boolean;
}

type Answer = Readonly<Record<string, unknown>>;

export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #input: Writable;
  readonly #waiting = new Map<number, (message: Answer) => void>();
  readonly #listeners: ((method: string, params: Answer) => void)[] = [];
  #last = 0;
  #session: string | undefined;

  /** What the page said, asked for or was refused since it was opened. */
  readonly complaints: string[] = [];
  readonly requests: string[] = [];

  private constructor(program: string) {
    this.#folder = mkdtempSync(join(tmpdir(), "mlpipe-browser-"));
    this.#process = spawn(
      program,
      [
        "--headless=new",
        // The page is our own; as root, as in most containers, the sandbox does not start.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        `--user-data-dir=${this.#folder}`,
        "--remote-debugging-pipe",
        "about:blank",
      ],
      { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
    );
    // Both were asked for as pipes.
    this.#input = this.#process.stdio[3] as Writable;
    this.#listen(this.#process.stdio[4] as Readable);
  }

  static async start(program: string): Promise<Browser> {
    const browser = new Browser(program);
    const { targetId } = await browser.#send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#send("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = String(sessionId);
    browser.#listeners.push((method, params) => {
      browser.#note(method, params);
    });
    for (const domain of ["Page", "Runtime", "Network", "Log", "Security"])
      await browser.#send(`${domain}.enable`);
    return browser;
  }

  /** Opens a file and waits until all of it is there. */
  async open(path: string, { width, height = 900, ...view }: View): Promise<void> {
    this.complaints.length = 0;
    this.requests.length = 0;
    await this.#send("Emulation.setDeviceMetricsOverride", {
      width,
      height,
      deviceScaleFactor: view.isPhone === true ? 2 : 1,
      mobile: view.isPhone === true,
    });
    await this.#send("Emulation.setEmulatedMedia", {
      media: view.isPrinted === true ? "print" : "screen",
      features: [{ name: "prefers-color-scheme", value: view.isDark === true ? "dark" : "light" }],
    });
    const loaded = new Promise<void>((resolve) => {
      this.#listeners.push((method) => {
        if (method === "Page.loadEventFired") resolve();
      });
    });
    await this.#send("Page.navigate", { url: `file://${path}` });
    await loaded;
  }

  /** The value of an expression in the page. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    // What was returned by value; whoever asks knows what for.
    return (result as { value: Value }).value;
  }

  /** A picture of the whole page, as PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send("Page.captureScreenshot", {
      format: "png",
      captureBeyondViewport: true,
    });
    return Buffer.from(String(data), "base64");
  }

  /** The page as it is printed. */
  async pdf(): Promise<Buffer> {
    const { data } = await this.#send("Page.printToPDF", { printBackground: false, preferCSSPageSize: true });
    return Buffer.from(String(data), "base64");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#send("Browser.close").catch(() => {});
    const impatience = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await gone;
    clearTimeout(impatience);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #note(method: string, params: Answer): void {
    const text = JSON.stringify(params);
    if (method === "Network.requestWillBeSent") {
      const { url } = params["request"] as { readonly url: string };
      if (!url.startsWith("data:")) this.requests.push(url);
    } else if (
      method === "Runtime.consoleAPICalled" ||
      method === "Runtime.exceptionThrown" ||
      method === "Log.entryAdded" ||
      method === "Page.javascriptDialogOpening"
    )
      this.complaints.push(text);
  }

  async #send(method: string, params: Answer = {}): Promise<Answer> {
    const id = ++this.#last;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#process.once("exit", () => {
        reject(new Error(`the browser went away before it answered ${method}`));
      });
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result as Answer);
        else reject(new Error(`${method}: ${JSON.stringify(error)}`));
      });
    });
    this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return answered;
  }

  #listen(output: Readable): void {
    let rest = "";
    output.setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) {
        // The protocol is that of the browser.
        const { id, method, params, ...answer } = JSON.parse(message) as {
          readonly id?: number;
          readonly method?: string;
          readonly params?: Answer;
        };
        if (id !== undefined) {
          this.#waiting.get(id)?.(answer);
          this.#waiting.delete(id);
        } else if (method !== undefined)
          for (const listener of this.#listeners) listener(method, params ?? {});
      }
    });
    this.#process.setMaxListeners(100);
  }
}
