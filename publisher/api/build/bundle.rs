//! Joins ES modules into one. Each module becomes a function with the exports as its result, called once, after the imported
//! modules.
//!
//! The modules keep to a few forms, and every other form is an error: `import { a, b as c } from "./x.js";`,
//! `import * as x from "./x.js";`, and `export` before a `function`, `async function`, `class` or `const`.

use std::collections::BTreeMap;

/// Source of each module by its path.
pub(crate) type Modules = BTreeMap<String, String>;

/// The module `main` with all imported ones. Only `main` may await at its top.
pub(crate) fn bundle(main: &str, modules: &Modules) -> Result<String, String> {
    let mut bundled = String::new();
    let mut begun = Vec::new();
    let mut done = Vec::new();
    add(main, modules, &mut begun, &mut done, &mut bundled)?;
    Ok(bundled)
}

fn add(
    name: &str,
    modules: &Modules,
    begun: &mut Vec<String>,
    done: &mut Vec<String>,
    bundled: &mut String,
) -> Result<(), String> {
    if done.iter().any(|each| each == name) {
        return Ok(());
    }
    if begun.iter().any(|each| each == name) {
        return Err(format!(
            "the modules import each other in a circle: {begun:?}"
        ));
    }
    begun.push(name.to_owned());
    let source = modules
        .get(name)
        .ok_or_else(|| format!("there is no module {name}"))?;
    let module = Module::read(name, source)?;
    for import in &module.imports {
        add(import, modules, begun, done, bundled)?;
    }
    begun.pop();
    done.push(name.to_owned());
    let Module { body, exports, .. } = module;
    if begun.is_empty() {
        bundled.push_str(&body);
    } else {
        let variable = variable(name);
        let exports = exports.join(", ");
        bundled.extend([
            "const ",
            &variable,
            " = (() => {\n",
            &body,
            "return { ",
            &exports,
            " };\n})();\n",
        ]);
    }
    Ok(())
}

/// A module with its imports and exports taken out.
struct Module {
    /// Paths of the imported modules.
    imports: Vec<String>,
    exports: Vec<String>,
    body: String,
}

impl Module {
    fn read(name: &str, source: &str) -> Result<Self, String> {
        let mut module = Self {
            imports: Vec::new(),
            exports: Vec::new(),
            body: String::new(),
        };
        let mut lines = source.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("import ") {
                let mut statement = line.to_owned();
                while !statement.ends_with(';') {
                    let next = lines
                        .next()
                        .ok_or(format!("{name}: an import has no end"))?;
                    statement.push(' ');
                    statement.push_str(next.trim());
                }
                let import = module.import(name, &statement);
                let import = import.ok_or(format!("{name}: an unusual import: {statement}"))?;
                module.body.push_str(&import);
            } else if let Some(declaration) = line.strip_prefix("export ") {
                let exported = declared(declaration);
                let exported = exported.ok_or(format!("{name}: an unusual export: {line}"))?;
                module.exports.push(exported.to_owned());
                module.body.push_str(declaration);
            } else if line.starts_with("//") {
                continue;
            } else {
                module.body.push_str(line);
            }
            module.body.push('\n');
        }
        Ok(module)
    }

    /// The statement in place of an import.
    fn import(&mut self, name: &str, statement: &str) -> Option<String> {
        let statement = statement.strip_prefix("import ")?.strip_suffix("\";")?;
        let (what, from) = statement.split_once(" from \"")?;
        let path = resolve(name, from)?;
        let from = variable(&path);
        self.imports.push(path);
        if let Some(alias) = what.strip_prefix("* as ") {
            return Some(format!("const {alias} = {from};"));
        }
        let names = what.strip_prefix('{')?.strip_suffix('}')?;
        Some(format!(
            "const {{{}}} = {from};",
            names.replace(" as ", ": ")
        ))
    }
}

/// The name that a declaration makes.
fn declared(declaration: &str) -> Option<&str> {
    let rest = ["async function ", "function ", "class ", "const "]
        .iter()
        .find_map(|kind| declaration.strip_prefix(kind))?;
    let end = rest.find(|each: char| !(each.is_alphanumeric() || each == '_'))?;
    (end > 0).then(|| &rest[..end])
}

/// The path of a module that the module `name` calls `from`.
fn resolve(name: &str, from: &str) -> Option<String> {
    let mut path: Vec<&str> = name.split('/').collect();
    path.pop();
    for part in from.split('/') {
        match part {
            "." => {}
            ".." => drop(path.pop()?),
            part => path.push(part),
        }
    }
    Some(path.join("/"))
}

/// The variable with the exports of a module.
fn variable(name: &str) -> String {
    let plain = |each: char| if each.is_alphanumeric() { each } else { '_' };
    format!("_{}", name.chars().map(plain).collect::<String>())
}
