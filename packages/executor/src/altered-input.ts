/** What is said of an input that is no longer what its step made: who has altered it cannot be seen, only who could have. */

/** More are counted and not named. */
const mostNamed = 5;

/**
 * @param made the step that made it
 * @param holders the steps of the run that were at work and had it when that was found, the one that tells among them
 */
export function alteredInput(
  step: string,
  { port, made }: { readonly port: string; readonly made: string },
  holders: readonly string[],
): { readonly message: string; readonly hint: string } {
  const others = holders.filter((each) => each !== step);
  const suspects =
    others.length === 0
      ? `No other step of the run had it: "${step}" has written to it, or something outside of the run.`
      : `${listed([step, ...others])} had it at the time: one of them has written to it, or something outside of the run.`;
  return {
    message: `The input ${port} of "${step}", made by ${made}, was altered while the step had it.`,
    hint: `${suspects}\nSteps must never write to their inputs. What was altered is made again by the next run.`,
  };
}

function listed(steps: readonly string[]): string {
  const named = steps.slice(0, mostNamed).map((each) => `"${each}"`);
  const more = steps.length - named.length;
  if (more > 0) named.push(`${more} more`);
  return `${named.slice(0, -1).join(", ")} and ${named.at(-1)}`;
}
