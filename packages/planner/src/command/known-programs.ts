/**
 * Programs whose way with their arguments is known. A program that is in none of these is met with
 * caution: what it is given counts by its bytes, and scripts among it as if it ran them.
 */

/** Start another program, named after their own options. */
export const wrappers = words(
  "env nice nohup time timeout stdbuf setsid ionice taskset chrt numactl unbuffer xvfb-run catchsegv",
  "mpirun mpiexec srun flock strace ltrace command exec sudo caffeinate",
);

/** `X run program …`: start a program in a project's own environment. */
export const environmentRunners = words("uv poetry pdm hatch pipenv rye pixi conda mamba micromamba");

/** Python programs that run the scripts they are given. */
export const pythonLaunchers = words(
  "torchrun accelerate deepspeed coverage pytest py.test streamlit ipython ipython3 kernprof mprof scalene viztracer",
  "horovodrun spark-submit py-spy memray debugpy",
);

/** The same as modules: `python -m torch.distributed.run train.py`. */
export const pythonLauncherModules = words(
  "torch.distributed.run torch.distributed.launch accelerate.commands.launch deepspeed.launcher.runner pytest coverage",
  "cProfile profile pdb trace debugpy streamlit IPython kernprof memory_profiler scalene viztracer memray",
);

export const shells = words("sh bash dash zsh ksh mksh fish ash");

/** Run JavaScript or TypeScript, whose modules another part of the planner follows. */
export const nodes = words("node nodejs tsx ts-node bun deno");

/** Run a script in a language whose imports are not followed. */
export const otherInterpreters = words(
  "Rscript R julia perl ruby php lua luajit octave matlab tclsh pwsh raku racket groovy scala ghc runghc",
  "papermill gnuplot",
);

/** Read files that the command does not name: a Makefile, a repository, a package.json, a list on standard input. */
export const selfInstructed = words(
  "git make gmake just task ninja npm pnpm yarn npx bunx cargo go docker podman docker-compose snakemake nextflow dvc cmake",
  "gradle mvn bazel dbt meson tox nox invoke rake ant scons doit java kotlin dotnet swift sbt mill lein clojure mix elixir",
  "stack cabal dart flutter pants mise pre-commit kedro dagster prefect airflow luigi zenml xargs parallel",
);

/** Take files as data and never as programs. */
export const dataTools = words(
  "cp mv ln cat tac head tail sort uniq wc cut paste join comm tr nl od diff cmp md5sum sha1sum sha224sum sha256sum",
  "sha384sum sha512sum b2sum cksum base64 tar zip unzip gzip gunzip zcat zstd xz bzip2 7z split csplit grep egrep fgrep rg sed",
  "awk gawk mawk jq yq sqlite3 curl wget test true false echo printf sleep touch mkdir rmdir rm ls stat du file rsync",
  "install tee basename dirname realpath readlink date seq shuf chmod xxd strings",
);

/** Extensions of scripts whose imports are not followed. */
export const scriptExtensions = new Set([
  ".sh",
  ".bash",
  ".zsh",
  ".fish",
  ".ksh",
  ".r",
  ".jl",
  ".pl",
  ".pm",
  ".rb",
  ".php",
  ".lua",
  ".m",
  ".tcl",
  ".ps1",
  ".ipynb",
  ".rmd",
  ".qmd",
  ".groovy",
  ".mk",
  ".pyw",
  ".pyz",
]);

/** Extensions of JavaScript and TypeScript modules. */
export const moduleExtensions = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"]);

function words(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.join(" ").split(" "));
}
