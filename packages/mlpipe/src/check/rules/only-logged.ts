import { Node } from "ts-morph";

/** Whether a value goes nowhere but into a log, which no result depends on. */
export function onlyLogged(node: Node): boolean {
  for (const above of node.getAncestors()) {
    if (Node.isCallExpression(above) && /^console\.\w+$/.test(above.getExpression().getText())) return true;
    if (Node.isStatement(above)) return false;
  }
  return false;
}
