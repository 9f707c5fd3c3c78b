/**
 * Places for the nodes of a graph, in layers from top to bottom (the method of Sugiyama, Tagawa and Toda, 1981): each
 * node below those it needs, the order within a layer by the mean place of what is next to it, and then as near below
 * and above its neighbours as the order lets it.
 */

/** What is to be placed. */
export interface Box {
  readonly id: string;
  readonly width: number;
  /** Ids of those above it. */
  readonly needs: readonly string[];
}

/** Where everything went. */
export interface Layout {
  readonly width: number;
  readonly layers: number;
  /** By id: the middle, and the layer from the top. */
  readonly places: ReadonlyMap<string, { readonly x: number; readonly layer: number }>;
  /** Edges, each with the middles of the layers it passes through, both ends included. */
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly xs: readonly number[];
  }[];
}

/** A node, or the place where an edge passes through a layer. */
interface Cell {
  readonly layer: number;
  readonly width: number;
  readonly up: Cell[];
  readonly down: Cell[];
  x: number;
  order: number;
}

const gap = 28;
/** Room that an edge takes between nodes. */
const edgeWidth = 10;
const sweeps = 24;

/** @param boxes each after those it needs */
export function layered(boxes: readonly Box[]): Layout {
  const cells = new Map<string, Cell>();
  for (const { id, width, needs } of boxes) {
    const above = needs.flatMap((need) => cells.get(need)?.layer ?? []);
    const layer = above.length === 0 ? 0 : Math.max(...above) + 1;
    cells.set(id, { layer, width, up: [], down: [], x: 0, order: 0 });
  }
  settleSources(boxes, cells);
  const layers: Cell[][] = [];
  for (const cell of cells.values()) (layers[cell.layer] ??= []).push(cell);
  const edges = boxes.flatMap(({ id, needs }) =>
    needs.flatMap((need) => {
      const [from, to] = [cells.get(need), cells.get(id)];
      return from === undefined || to === undefined || from.layer >= to.layer
        ? []
        : [{ from: need, to: id, path: joined(from, to, layers) }];
    }),
  );
  const filled = layers.map((layer) => layer.map((cell, order) => Object.assign(cell, { order })));
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const layer of isDown ? filled : filled.toReversed())
      arrange(layer, (cell) => (isDown ? cell.up : cell.down));
  }
  for (let sweep = 0; sweep < sweeps; sweep++)
    for (const layer of sweep % 2 === 0 ? filled : filled.toReversed()) place(layer);
  const all = filled.flat();
  const left = Math.min(...all.map(({ x, width }) => x - width / 2));
  const right = Math.max(...all.map(({ x, width }) => x + width / 2));
  return {
    width: all.length === 0 ? 0 : right - left,
    layers: filled.length,
    places: new Map([...cells].map(([id, { x, layer }]) => [id, { x: x - left, layer }])),
    edges: edges.map(({ from, to, path }) => ({ from, to, xs: path.map(({ x }) => x - left) })),
  };
}

/** What needs nothing stands right above the first that needs it, not at the very top. */
function settleSources(boxes: readonly Box[], cells: Map<string, Cell>): void {
  for (const { id, needs } of boxes) {
    const cell = cells.get(id);
    if (cell === undefined || needs.length > 0) continue;
    const users = boxes.flatMap((box) => (box.needs.includes(id) ? (cells.get(box.id)?.layer ?? []) : []));
    if (users.length > 0) cells.set(id, { ...cell, layer: Math.max(0, Math.min(...users) - 1) });
  }
}

/** An edge as cells, one in each layer. */
function joined(from: Cell, to: Cell, layers: Cell[][]): readonly Cell[] {
  const path = [from];
  for (let layer = from.layer + 1; layer < to.layer; layer++) {
    const cell: Cell = { layer, width: edgeWidth, up: [], down: [], x: 0, order: 0 };
    (layers[layer] ??= []).push(cell);
    path.push(cell);
  }
  path.push(to);
  for (const [index, cell] of path.entries()) {
    const next = path[index + 1];
    if (next === undefined) continue;
    cell.down.push(next);
    next.up.push(cell);
  }
  return path;
}

function arrange(layer: Cell[], neighboursOf: (cell: Cell) => readonly Cell[]): void {
  const wanted = new Map(
    layer.map((cell) => {
      const near = neighboursOf(cell);
      return [cell, near.length === 0 ? cell.order : mean(near.map(({ order }) => order))];
    }),
  );
  layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || a.order - b.order);
  layer.forEach((cell, order) => {
    cell.order = order;
  });
}

/**
 * Puts the cells of a layer as near to the middle of their neighbours as their order and widths allow: the least
 * squares under the order, by pooling those that stand in each other's way.
 */
function place(layer: readonly Cell[]): void {
  let offset = 0;
  const pools: { sum: number; count: number }[] = [];
  const offsets = layer.map((cell, index) => {
    const before = layer[index - 1];
    if (before !== undefined) offset += (before.width + cell.width) / 2 + gap;
    return offset;
  });
  for (const [index, cell] of layer.entries()) {
    const near = [...cell.up, ...cell.down];
    const wanted = near.length === 0 ? cell.x : mean(near.map(({ x }) => x));
    let pool = { sum: wanted - (offsets[index] ?? 0), count: 1 };
    for (let last = pools.at(-1); last !== undefined; last = pools.at(-1)) {
      if (last.sum / last.count <= pool.sum / pool.count) break;
      pools.pop();
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  }
  let index = 0;
  for (const { sum, count } of pools) {
    for (let member = 0; member < count; member++, index++) {
      const cell = layer[index];
      if (cell !== undefined) cell.x = sum / count + (offsets[index] ?? 0);
    }
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
