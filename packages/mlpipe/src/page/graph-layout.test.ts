import { expect, it } from "vitest";
import { type Box, layered, type Layout } from "./graph-layout.ts";

/** Nodes of a layer that stand in each other's way. */
function overlaps(boxes: readonly Box[], { places }: Layout): readonly string[] {
  return boxes.flatMap((a, index) =>
    boxes.slice(index + 1).flatMap((b) => {
      const [one, other] = [places.get(a.id), places.get(b.id)];
      const isApart =
        one === undefined ||
        other === undefined ||
        one.layer !== other.layer ||
        Math.abs(one.x - other.x) >= (a.width + b.width) / 2;
      return isApart ? [] : [`${a.id} ${b.id}`];
    }),
  );
}

it("a chain stands in a line, a diamond is symmetric", () => {
  const box = (id: string, ...needs: readonly string[]): Box => ({ id, width: 100, needs });
  const chain = layered([box("a"), box("b", "a"), box("c", "b")]);
  expect([...chain.places.values()]).toEqual([0, 1, 2].map((layer) => ({ x: 50, layer })));
  const diamond = layered([box("a"), box("b", "a"), box("c", "a"), box("d", "b", "c")]);
  const x = (id: string): number => Math.round(diamond.places.get(id)?.x ?? NaN);
  expect(x("a")).toBe(x("d"));
  expect(x("b") + x("c")).toBe(2 * x("a"));
});

it("what needs nothing stands right above what needs it", () => {
  const { places } = layered([
    { id: "a", width: 50, needs: [] },
    { id: "b", width: 50, needs: ["a"] },
    { id: "late", width: 50, needs: [] },
    { id: "c", width: 50, needs: ["b", "late"] },
  ]);
  expect(places.get("late")?.layer).toBe(1);
});

it("in random graphs everything is below what it needs, nothing overlaps, and edges go through every layer", () => {
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 60; round++) {
    const boxes: Box[] = [];
    for (let index = 0; index < 3 + random(60); index++) {
      const needs = Array.from({ length: Math.min(index, random(4)) }, () => `n${random(index)}`);
      boxes.push({ id: `n${index}`, width: 60 + random(150), needs: [...new Set(needs)] });
    }
    const layout = layered(boxes);
    expect(overlaps(boxes, layout)).toEqual([]);
    expect(layout.edges).toHaveLength(boxes.reduce((sum, { needs }) => sum + needs.length, 0));
    for (const { from, to, xs } of layout.edges) {
      const [above, below] = [layout.places.get(from), layout.places.get(to)];
      expect(xs).toHaveLength((below?.layer ?? NaN) - (above?.layer ?? NaN) + 1);
      expect([xs.at(0), xs.at(-1)]).toEqual([above?.x, below?.x]);
    }
    for (const { x } of layout.places.values()) {
      expect(x).toBeGreaterThan(0);
      expect(x).toBeLessThan(layout.width);
    }
  }
});
