// The graph of pipelines as a picture whose boxes are links.

import { h, s } from "../core/dom.js";
import { BOX, layout } from "./layers.js";
import { lookOf } from "./state.js";

const LONGEST_NAME = 19;
/** A graph wider than the screen is drawn this much smaller at most; beyond that its box scrolls. */
const LEAST_SCALE = 0.75;

/** The graph; `only`, if given, names the node whose neighbourhood is shown. */
export function graph({ nodes, edges }, only = null) {
  const shown = only ? neighbourhood(nodes, edges, only) : nodes;
  const { width, height, ...drawn } = layout(shown, edges);
  return h("div", { class: "graph-box", tabindex: 0, role: "region", "aria-label": "Graph of pipelines" },
    s("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", style: atLeast(width) },
      drawn.edges.map((edge) => line(edge)),
      drawn.nodes.map((node) => box(node, node.id === only, edges))));
}

const atLeast = (width) => ({ "min-width": `${LEAST_SCALE * width}px` });

function neighbourhood(nodes, edges, name) {
  const near = new Set([name]);
  for (const { from, to } of edges) {
    if (to === name) near.add(from);
    if (from === name) near.add(to);
  }
  return nodes.filter((node) => near.has(node.id));
}

function line({ from, to, points }) {
  const [start, ...rest] = points;
  let path = `M${start}`;
  let last = start;
  for (const [x, y] of rest) {
    const bend = (last[0] + x) / 2;
    path += `C${bend},${last[1]} ${bend},${y} ${x},${y}`;
    last = [x, y];
  }
  const [x, y] = last;
  return s("g", { key: `${from}→${to}` },
    s("path", { class: "edge", d: path }),
    s("path", { class: "edge-tip", d: `M${x - 7},${y - 4}L${x},${y}L${x - 7},${y + 4}Z` }));
}

function box(node, here, edges) {
  const readers = edges.filter((edge) => edge.from === node.id).map((edge) => edge.to);
  const says = `${node.kind} ${node.id}${node.state ? `, ${node.state}` : ""}`
    + (readers.length ? `, read by ${readers.join(", ")}` : "");
  const content = [
    s("title", {}, says),
    s("rect", { width: BOX.width, height: BOX.height, rx: node.kind === "pipeline" ? 10 : 3 }),
    s("text", { class: "node-name", x: 14, y: 22 }, shortened(node.id)),
    secondLine(node),
  ];
  const look = `node ${node.kind}${here ? " here" : ""}`;
  const props = { class: look, transform: `translate(${node.x},${node.y})`, key: node.id };
  if (node.kind !== "pipeline") return s("g", { ...props, role: "img", "aria-label": says }, content);
  return s("a", { ...props, href: `/pipelines/${node.id}` }, content);
}

function secondLine(node) {
  const say = (text, tone) => s("text", { class: `node-kind ${tone}-text`, x: 14, y: 40 }, text);
  if (node.kind !== "pipeline") return say(node.kind === "cron" ? "◷ schedule" : "folder", "calm");
  const [sign, tone] = lookOf(node.state);
  return say(`${sign} ${node.state}`, tone);
}

const shortened = (name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name);
