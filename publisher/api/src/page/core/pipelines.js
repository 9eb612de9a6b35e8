// The graph of pipelines, from the pipelines themselves. Pure.

/** Nodes and edges: pipelines, and the folders and clocks that they read. */
export function graphOf(pipelines) {
  const nodes = new Map();
  const edges = new Map();
  for (const { pipeline, state, inputs } of pipelines) {
    nodes.set(pipeline, { id: pipeline, kind: "pipeline", state });
    for (const { name, repo, from, kind } of inputs) {
      if (from === null && !nodes.has(repo)) nodes.set(repo, { id: repo, kind: kind === "cron" ? "cron" : "repo", state: null });
      edges.set(`${repo}→${pipeline}→${name}`, { from: repo, to: pipeline, input: name });
    }
  }
  const byId = (a, b) => (a.id < b.id ? -1 : 1);
  return { nodes: [...nodes.values()].sort(byId), edges: [...edges.values()] };
}
