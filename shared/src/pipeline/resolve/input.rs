//! The tree of inputs.

use super::tree_context::TreeContext;
use super::{cron, leaf, names};
use crate::id::PipelineName;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::{Input, spec};

/// The kinds of input.
const KINDS: [&str; 6] = ["pfs", "cross", "union", "join", "group", "cron"];

/// Resolves the tree of inputs.
pub(super) fn input(
    spec: Option<&spec::Input>,
    pipeline: Option<&PipelineName>,
    report: &mut FindingCollector<'_>,
) -> Option<Input> {
    let path = Path::root().field("input");
    let Some(spec) = spec else {
        let advice = "say what to run over: `input: {pfs: {repo: texts, glob: \"/*\"}}`";
        if !report.holds(&Path::root().field("spout")) {
            report.missing(&path, advice);
        }
        return None;
    };
    let context = TreeContext {
        pipeline,
        join: false,
        group: false,
    };
    let mut tree = Tree { report, leaves: 0 };
    let input = tree.node(spec, &path, context)?;
    if tree.leaves > u32::from(u16::MAX) {
        let message = format!("combines more than {} inputs", u16::MAX);
        let advice = "put the files of several inputs into one repo";
        report.error(&path, message, advice);
    }
    names::refuse_shared_names(&input, &path, report);
    Some(input)
}

/// The walk through the tree, numbering leaves.
struct Tree<'walk, 'document> {
    report: &'walk mut FindingCollector<'document>,
    leaves: u32,
}

impl Tree<'_, '_> {
    fn node(&mut self, spec: &spec::Input, path: &Path, context: TreeContext<'_>) -> Option<Input> {
        self.refuse_several(spec, path)?;
        let joined = TreeContext {
            join: true,
            ..context
        };
        let grouped = TreeContext {
            group: true,
            ..context
        };
        if let Some(pfs) = &spec.pfs {
            let number = self.next_leaf();
            leaf::pfs(pfs, number, &path.field("pfs"), context, self.report).map(Input::Pfs)
        } else if let Some(cron) = &spec.cron {
            let number = self.next_leaf();
            cron::cron(cron, number, &path.field("cron"), context, self.report).map(Input::Cron)
        } else if let Some(children) = &spec.cross {
            self.children(children, &path.field("cross"), context)
                .map(Input::Cross)
        } else if let Some(children) = &spec.union {
            self.children(children, &path.field("union"), context)
                .map(Input::Union)
        } else if let Some(children) = &spec.join {
            self.children(children, &path.field("join"), joined)
                .map(Input::Join)
        } else {
            let children = spec.group.as_deref()?;
            self.children(children, &path.field("group"), grouped)
                .map(Input::Group)
        }
    }

    /// Continues only if exactly one kind of input is given.
    fn refuse_several(&mut self, spec: &spec::Input, path: &Path) -> Option<()> {
        match kinds(spec).as_slice() {
            [_] => return Some(()),
            [] if self.report.has_error_within(path) => {}
            [] => {
                let advice = "give one of `pfs`, `cross`, `union`, `join`, `group` and `cron`";
                self.report.error(path, "is empty", advice);
            }
            several => {
                let message = format!("is {} at once", several.join(" and "));
                let advice = "an input is one of them; list several under `cross` or `union`";
                self.report.error(path, message, advice);
            }
        }
        None
    }

    /// Resolves every child, so the findings of all children are reported.
    fn children(
        &mut self,
        specs: &[spec::Input],
        path: &Path,
        context: TreeContext<'_>,
    ) -> Option<Vec<Input>> {
        if specs.is_empty() && !self.report.has_error_within(path) {
            self.report
                .error(path, "combines nothing", "list the inputs to combine");
        }
        let mut children = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            children.push(self.node(spec, &path.index(index), context));
        }
        let children: Option<Vec<Input>> = children.into_iter().collect();
        children.filter(|children| !children.is_empty())
    }

    fn next_leaf(&mut self) -> u16 {
        let leaf = self.leaves;
        self.leaves += 1;
        u16::try_from(leaf).unwrap_or(u16::MAX)
    }
}

fn kinds(spec: &spec::Input) -> Vec<&'static str> {
    let given = [
        spec.pfs.is_some(),
        spec.cross.is_some(),
        spec.union.is_some(),
        spec.join.is_some(),
        spec.group.is_some(),
        spec.cron.is_some(),
    ];
    KINDS
        .into_iter()
        .zip(given)
        .filter_map(|(kind, given)| given.then_some(kind))
        .collect()
}
