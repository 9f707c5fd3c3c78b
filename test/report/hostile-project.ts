/** A pipeline whose names, params, logs and plots try to be more than text on a page. */
import { Project } from "../e2e/project.ts";

/** What must never stand on a page. */
export const secret = "tok-8f1d77aa-secret";

/** A param that is no text on a careless page. */
export const hostileText = '</code></script><script>alert("param")</script>';

export function hostileProject(): Project {
  return new Project({
    'data/<b>x</b> & "q"/a.csv': "x,y\n1,2\n",
    "steps.ts": `import { csv, data, dir, evaluate, file, metrics, plot, secret } from "mlpipe";
import { mkdir, writeFile } from "node:fs/promises";
import { z } from "zod";
const Row = z.object({ x: z.number(), y: z.number() });
const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 6"><script>alert("svg")</script><image href="https://example.org/x.png"/><circle cx="5" cy="3" r="2" onload="alert(4)"/></svg>';
export const read = data("read", {
  inputs: { rows: csv(Row), text: z.string() },
  outputs: { out: csv(Row), shape: plot("svg"), page: plot("html"), large: plot("png"), shots: dir() },
  env: [secret("TOKEN")],
  async run({ rows, text }, out) {
    console.log("</script></pre><script>alert('log')</script> \\u001b[31mred\\u001b[0m \\u202egnirts", process.env.TOKEN);
    console.error("</PRE><img src=x onerror=alert(2)>", text);
    await out.out.write(await rows.all());
    await writeFile(out.shape.path, svg);
    await writeFile(out.page.path, "<script>alert(5)</script>");
    await writeFile(out.large.path, Buffer.alloc(1100 * 1024));
    await mkdir(out.shots.path + "/deep", { recursive: true });
    await writeFile(out.shots.path + '/deep/"><script>alert(6)<.svg', svg);
  },
});
export const fit = data("fit", {
  inputs: { rows: csv(Row), lr: z.number(), limit: z.number() },
  outputs: { m: file("txt") },
  async run({ lr, limit }, out) {
    if (lr > limit) {
      for (let n = 1; n <= 300; n++) console.error("epoch " + n + " </pre>");
      throw new Error("no convergence </pre><script>alert('error')</script>");
    }
    await writeFile(out.m.path, String(lr));
  },
});
export const score = evaluate("score", {
  inputs: { m: file("txt") },
  outputs: { metrics: metrics({ mae: "min" }) },
  async run({ m }) {
    return { metrics: { mae: Number(await m.text()) } };
  },
});
`,
    "hostile.pipeline.ts": `import { csv, each, pipeline, source } from "mlpipe";
import { z } from "zod";
import { fit, read, score } from "./steps.ts";
const Row = z.object({ x: z.number(), y: z.number() });
const Params = z.object({ text: z.string().default(${JSON.stringify(hostileText)}), "a<b": z.object({ c: z.int() }).default({ c: 1 }), limit: z.number().default(1) });
export default pipeline("hostile", Params, (p) => {
  const { out } = read({ rows: source('data/<b>x</b> & "q"/a.csv', csv(Row)), text: p.text });
  each([0.1, 0.2, 0.3], (lr) => "lr=" + lr, (lr) => score({ m: fit({ rows: out, lr, limit: p.limit }).m }));
  return { out };
});
`,
  });
}
