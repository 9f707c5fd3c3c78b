import type { Example } from "./example.ts";

/** Past and future of a date: a model learns from one and is judged on the other. */
export function splitByDate(
  examples: readonly Example[],
  testFrom: string,
): { readonly train: readonly Example[]; readonly test: readonly Example[] } {
  const train = examples.filter(({ date }) => date < testFrom);
  const test = examples.filter(({ date }) => date >= testFrom);
  if (train.length === 0 || test.length === 0) {
    throw new Error(`${testFrom} leaves ${train.length} days to learn from and ${test.length} to judge by.`);
  }
  return { train, test };
}
