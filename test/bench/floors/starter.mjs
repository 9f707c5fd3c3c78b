// Starts what it is asked to, a JSON array a line, one after the other, and says how it ended and what it said.
const { spawn } = process.getBuiltinModule("node:child_process");

process.stdin.on("data", (line) => {
  const [program, ...args] = JSON.parse(line);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => (said += text));
  child.once("close", (code) => process.stdout.write(JSON.stringify({ code, said })));
});
