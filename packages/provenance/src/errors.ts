/** What each error about records means, for `docs/errors.md` and `mlpipe help CODE`. */
export const provenanceErrors = {
  MLP5001: {
    title: "No such run or step run",
    explain: "`mlpipe runs` lists the runs. A run is named by its id, by the beginning of it, or as `last`.",
  },
  MLP5002: {
    title: "A record that cannot be read",
    explain: "A record of a run does not have the shape of any version that this mlpipe knows.",
  },
  MLP5003: {
    title: "Nothing that records know",
    explain:
      "`mlpipe trace` and `mlpipe impact` know files and folders by their bytes. No step run that is recorded in this " +
      "store made, took or deployed these; or what was given names nothing.",
  },
} as const;
