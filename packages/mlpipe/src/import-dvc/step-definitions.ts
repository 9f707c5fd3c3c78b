/** Which steps the stages become: those of one loop may share a definition. */
import type { ImportedStep } from "./imported-step.ts";
import { camelCase, Names, reserved, stepName } from "./names.ts";
import { definitionCode } from "./step-code.ts";

/** A step's definition, and the stages that are calls of it. */
export interface StepDefinitionCode {
  readonly variable: string;
  readonly name: string;
  readonly code: string;
  readonly steps: readonly ImportedStep[];
}

/** Stages of one loop become one step where their definitions are the same, and one each where they are not. */
export function stepDefinitions(
  steps: readonly ImportedStep[],
  hasHidden: boolean,
): readonly StepDefinitionCode[] {
  const variables = new Names(reserved);
  const ids = new Names();
  const byGroup = Map.groupBy(steps, ({ stage }) => stage.group);
  return [...byGroup.values()].flatMap((group): StepDefinitionCode[] => {
    const codes = group.map((step) => definitionCode(step, hasHidden));
    const [first] = group;
    const [code = ""] = codes;
    const take = (label: string): { variable: string; name: string } => ({
      variable: variables.take(`${camelCase(label)}Stage`),
      name: ids.take(stepName(label)),
    });
    if (first !== undefined && codes.every((each) => each === code)) {
      return [{ ...take(first.stage.group), code, steps: group }];
    }
    return group.map((step, index) => ({
      ...take(step.stage.name),
      code: codes[index] ?? "",
      steps: [step],
    }));
  });
}
