// Layered layout of an acyclic graph, left to right: layers by longest path, few crossings by barycentres,
// long edges through bends of their own. Pure: nodes and edges in, coordinates out.

export const BOX = { width: 176, height: 52 };
const GAP = { x: 76, y: 18 };
const MARGIN = 6;
const SWEEPS = 6;

/** `{nodes: [{…node, x, y}], edges: [{…edge, points}], width, height}`; x and y are the top left of a box. */
export function layout(nodes, edges) {
  const vertices = new Map(nodes.map((node) => [node.id, vertex(node)]));
  const known = edges.filter(({ from, to }) => vertices.has(from) && vertices.has(to) && from !== to);
  const depth = depths(vertices, known);
  for (const [id, each] of vertices) each.layer = depth.get(id);
  const routes = known.map((edge) => ({ edge, stops: route(edge, vertices) }));
  const layers = stack(vertices, routes);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) reorder(layers, sweep % 2 === 0);
  place(layers);
  return measured(nodes, vertices, routes, layers);
}

const vertex = (node) => ({ node, height: node ? BOX.height : 8, before: [], after: [], y: 0 });

// Longest path from a source. The server refuses cycles; an unexpected cycle is cut where it closes.
function depths(vertices, edges) {
  const sources = new Map();
  for (const { from, to } of edges) sources.set(to, [...(sources.get(to) ?? []), from]);
  const known = new Map();
  const open = new Set();
  const visit = (id) => {
    if (known.has(id) || open.has(id)) return known.get(id) ?? 0;
    open.add(id);
    const deepest = Math.max(-1, ...(sources.get(id) ?? []).map(visit));
    open.delete(id);
    known.set(id, deepest + 1);
    return deepest + 1;
  };
  for (const id of vertices.keys()) visit(id);
  return known;
}

// Points of an edge: both ends, and a bend in each layer between.
function route({ from, to }, vertices) {
  const [first, last] = [vertices.get(from), vertices.get(to)];
  const stops = [first];
  for (let layer = first.layer + 1; layer < last.layer; layer += 1) stops.push({ ...vertex(null), layer });
  stops.push(last);
  for (let at = 1; at < stops.length; at += 1) {
    stops[at - 1].after.push(stops[at]);
    stops[at].before.push(stops[at - 1]);
  }
  return stops;
}

function stack(vertices, routes) {
  const layers = [];
  const all = new Set([...vertices.values(), ...routes.flatMap(({ stops }) => stops)]);
  for (const each of all) {
    layers[each.layer] ??= [];
    layers[each.layer].push(each);
  }
  for (const layer of layers) layer.forEach((each, at) => { each.order = at; });
  return layers;
}

// Sorts vertices by the barycentre of their neighbours in the previous (or next) layer.
function reorder(layers, forward) {
  const side = forward ? "before" : "after";
  for (const layer of forward ? layers : layers.toReversed()) {
    const middle = (each) => mean(each[side].map((other) => other.order), each.order);
    const sorted = layer.map((each) => [middle(each), each]).sort(([a], [b]) => a - b);
    sorted.forEach(([, each], at) => { layer[at] = each; each.order = at; });
  }
}

// Heights: stacked first, then moved towards the neighbours as far as the order permits.
function place(layers) {
  for (const layer of layers) settle(layer, () => 0);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const forward = sweep % 2 === 0;
    const side = forward ? "before" : "after";
    const wish = (each) => mean(each[side].map((other) => other.y), each.y);
    for (const layer of forward ? layers : layers.toReversed()) settle(layer, wish);
  }
}

// Centres as near to the desired positions as the minimum distance permits.
function settle(layer, wish) {
  const wishes = layer.map(wish);
  let bottom = -Infinity;
  layer.forEach((each, at) => {
    each.y = Math.max(wishes[at], bottom + each.height / 2);
    bottom = each.y + each.height / 2 + GAP.y;
  });
  const shift = mean(layer.map((each, at) => wishes[at] - each.y), 0);
  for (const each of layer) each.y += shift;
}

function measured(nodes, vertices, routes, layers) {
  const all = layers.flat();
  const top = Math.min(...all.map((each) => each.y - each.height / 2), Infinity);
  const bottom = Math.max(...all.map((each) => each.y + each.height / 2), -Infinity);
  const x = (each) => MARGIN + each.layer * (BOX.width + GAP.x);
  const y = (each) => MARGIN + each.y - top;
  const points = (stops) => stops.flatMap((stop, at) => [
    ...(at > 0 ? [[x(stop), y(stop)]] : []),
    ...(at < stops.length - 1 ? [[x(stop) + BOX.width, y(stop)]] : []),
  ]);
  return {
    nodes: nodes.map((node) => {
      const each = vertices.get(node.id);
      return { ...node, x: x(each), y: y(each) - BOX.height / 2 };
    }),
    edges: routes.map(({ edge, stops }) => ({ ...edge, points: points(stops) })),
    width: layers.length ? 2 * MARGIN + layers.length * (BOX.width + GAP.x) - GAP.x : 0,
    height: layers.length ? 2 * MARGIN + bottom - top : 0,
  };
}

const mean = (values, otherwise) =>
  values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : otherwise;
