/** What each error about a DVC project means, for `docs/errors.md` and `mlpipe help CODE`. */
export const importErrors = {
  MLP6201: {
    title: "A DVC project that is not there",
    explain:
      "`mlpipe init --from-dvc` reads the `dvc.yaml` of the folder, or the file or folder that it is given, and every " +
      "file that these name as `vars`.",
  },
  MLP6202: {
    title: "A YAML file that cannot be read",
    explain: "A file of the DVC project is no valid YAML; the place is where the parser gave up.",
  },
  MLP6203: {
    title: "An unknown variable in ${…}",
    explain:
      "A template of `dvc.yaml` names a variable that neither `params.yaml` nor `vars`, `item` or `key` has. DVC would " +
      "refuse it as well. Templates can take values from YAML and JSON files; those of TOML and Python files are not read.",
  },
  MLP6204: {
    title: "A dvc.yaml that does not hold",
    explain:
      "A part of `dvc.yaml` has another shape than DVC gives it: a stage without `cmd`, a `foreach` over something that " +
      "is no list, two stages that make one file.",
  },
} as const;
