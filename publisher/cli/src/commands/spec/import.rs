//! `drover import pachyderm`: makes specs of the output of `pachctl`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use drover_shared::pipeline::Finding;
use serde_json::Value;

use crate::args::{Format, Import, PachydermFiles};
use crate::commands::spec::pachyderm::{self, Imported};
use crate::commands::spec::sources;
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render::counted;

pub(crate) fn import(typed: &Import, context: &Context) -> anyhow::Result<Exit> {
    let Import::Pachyderm(files) = typed;
    let mut found = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    let texts = sources::read_all(&files.files)?;
    for source in &texts {
        match pachyderm::import(&source.file, &source.text) {
            Ok(imported) => found.extend(imported),
            Err(problem) => findings.push(problem),
        }
    }
    if found.is_empty() && findings.is_empty() {
        findings.push(pachyderm::nothing_found(&files.files));
    }
    let (good, refused): (Vec<Imported>, Vec<Imported>) = found
        .into_iter()
        .partition(|imported| imported.errors.is_empty());
    write(&good, files, context)?;
    for imported in &good {
        tell_of_lost_fields(imported, context);
    }
    findings.extend(refused.into_iter().flat_map(Imported::into_findings));
    if findings.is_empty() {
        return Ok(Exit::Success);
    }
    Err(UsageError::Spec {
        findings,
        // The findings are about translated specs, so lines of the input would not help.
        sources: Vec::new(),
    }
    .into())
}

/// Writes the specs into the directory, else prints them as documents of YAML.
fn write(imported: &[Imported], files: &PachydermFiles, context: &Context) -> anyhow::Result<()> {
    let Some(directory) = &files.into else {
        let mut out = context.console.data();
        for each in imported {
            match context.console.format {
                Format::Json => out.json(&each.spec)?,
                Format::Text => out.line(format!("---\n{}", yaml(&each.spec)?))?,
            }
        }
        return Ok(out.finish()?);
    };
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    for each in imported {
        let path = directory.join(format!("{}.yaml", each.name));
        create(&path, &format!("{}\n", yaml(&each.spec)?))?;
        context.console.message(format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Writes a new file.
fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let written = created.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| {
        format!(
            "cannot write {}; an existing file is left alone",
            path.display()
        )
    })
}

fn tell_of_lost_fields(imported: &Imported, context: &Context) {
    let Imported { name, lost, .. } = imported;
    if lost.is_empty() {
        return context
            .console
            .message(format!("{name}: everything has a counterpart"));
    }
    let head = format!(
        "{name}: {} without a counterpart, left out:",
        counted(lost.len() as u64, "field")
    );
    context.console.message(head);
    for field in lost {
        context.console.message(format!("  {field}"));
    }
}

fn yaml(spec: &Value) -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(spec).context("cannot show the spec")?;
    Ok(text.trim_end().to_owned())
}
