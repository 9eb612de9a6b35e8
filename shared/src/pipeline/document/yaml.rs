//! YAML 1.2: one or several documents, with aliases expanded and `<<` merged.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{Content, DocumentError, Entry, MAX_DEPTH, MAX_NODES, Node, Position};

/// Reads all documents of a YAML text.
pub(super) fn read(text: &str) -> Result<Vec<Node>, DocumentError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| syntax_error(&error))?;
        builder.take(event, position(span))?;
    }
    Ok(builder.documents)
}

/// Builds documents from the events of the parser, without recursion.
#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A list or an object that is not closed yet.
struct Open {
    at: Position,
    anchor: usize,
    collection: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(String, Position)>,
    },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Position) -> Result<(), DocumentError> {
        match event {
            Event::DocumentEnd => self.anchors.clear(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    DocumentError::new(at, "an alias inside the anchor it names", "write it out")
                })?;
                self.count(&node, at)?;
                self.place(node)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let content = scalar(text.into_owned(), style, tag.as_deref(), at)?;
                self.finish(Node { at, content }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "seq", at)?;
                self.open(at, anchor, Collection::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "map", at)?;
                self.open(
                    at,
                    anchor,
                    Collection::Map {
                        entries: Vec::new(),
                        key: None,
                    },
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        at: Position,
        anchor: usize,
        collection: Collection,
    ) -> Result<(), DocumentError> {
        if self.open.len() > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(DocumentError::new(at, message, "is this a pipeline spec?"));
        }
        self.open.push(Open {
            at,
            anchor,
            collection,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), DocumentError> {
        let Some(Open {
            at,
            anchor,
            collection,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let content = match collection {
            Collection::List(items) => Content::List(items),
            Collection::Map { entries, .. } => Content::Map(merged(entries)?),
        };
        self.finish(Node { at, content }, anchor)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), DocumentError> {
        self.add(1, node.at)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    /// Adds a finished node to the innermost open collection, or to the documents.
    fn place(&mut self, node: Node) -> Result<(), DocumentError> {
        match self.open.last_mut().map(|open| &mut open.collection) {
            None => self.documents.push(node),
            Some(Collection::List(items)) => items.push(node),
            Some(Collection::Map { entries, key }) => match key.take() {
                Some((key, key_at)) => entries.push(Entry {
                    key,
                    key_at,
                    value: node,
                }),
                None => *key = Some((key_text(&node)?, node.at)),
            },
        }
        Ok(())
    }

    /// Counts the nodes of an expanded alias.
    fn count(&mut self, node: &Node, at: Position) -> Result<(), DocumentError> {
        let (nodes, depth) = extent(node);
        if self.open.len() + depth > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(DocumentError::new(at, message, "is this a pipeline spec?"));
        }
        self.add(nodes, at)
    }

    fn add(&mut self, nodes: usize, at: Position) -> Result<(), DocumentError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            let message =
                format!("the file holds more than {MAX_NODES} values, aliases written out");
            return Err(DocumentError::new(at, message, "is this a pipeline spec?"));
        }
        Ok(())
    }
}

fn scalar(
    text: String,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Position,
) -> Result<Content, DocumentError> {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    let is_core = |tag: &Tag| {
        tag.is_yaml_core_schema()
            && matches!(
                tag.suffix.as_str(),
                "str" | "int" | "float" | "bool" | "null"
            )
    };
    match tag {
        Some(tag) if !is_core(tag) => Err(unknown_tag(tag, at)),
        _ if style == ScalarStyle::Plain && !is_text => Ok(Content::Plain(text)),
        _ => Ok(Content::Quoted(text)),
    }
}

fn refuse_tag(tag: Option<&Tag>, expected: &str, at: Position) -> Result<(), DocumentError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == expected) => {
            Err(unknown_tag(tag, at))
        }
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, at: Position) -> DocumentError {
    DocumentError::new(at, format!("the tag {tag} means nothing here"), "remove it")
}

fn key_text(node: &Node) -> Result<String, DocumentError> {
    match &node.content {
        Content::Quoted(text) | Content::Plain(text) | Content::Literal(text) => Ok(text.clone()),
        Content::List(_) | Content::Map(_) => Err(DocumentError::new(
            node.at,
            "a list or an object cannot be a key",
            "put templates like {{ name }} in quotes",
        )),
    }
}

/// Expands `<<: *defaults`: keys of the object win, then those of earlier sources.
fn merged(entries: Vec<Entry>) -> Result<Vec<Entry>, DocumentError> {
    let (merges, mut entries): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.key == "<<");
    if merges.is_empty() {
        return Ok(entries);
    }
    let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for merge in merges {
        let sources = match merge.value.content {
            Content::List(sources) => sources,
            content => vec![Node {
                at: merge.value.at,
                content,
            }],
        };
        for source in sources {
            let Content::Map(defaults) = source.content else {
                let advice = "write `<<: *name` for an object anchored with `&name`";
                return Err(DocumentError::new(
                    source.at,
                    "`<<` merges objects only",
                    advice,
                ));
            };
            entries.extend(
                defaults
                    .into_iter()
                    .filter(|default| known.insert(default.key.clone())),
            );
        }
    }
    Ok(entries)
}

/// The number of nodes in a subtree, and its depth.
fn extent(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.content {
        Content::List(items) => items.iter().map(extent).collect(),
        Content::Map(entries) => entries.iter().map(|entry| extent(&entry.value)).collect(),
        _ => return (1, 0),
    };
    let nodes = children.iter().map(|(nodes, _)| nodes).sum::<usize>();
    let depth = children.iter().map(|(_, depth)| depth).max().unwrap_or(&0);
    (nodes + 1, depth + 1)
}

fn position(span: Span) -> Position {
    Position {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

fn syntax_error(error: &ScanError) -> DocumentError {
    let at = Position {
        line: error.marker().line(),
        column: error.marker().col() + 1,
    };
    let advice = if error.info().contains("anchor") {
        "`*` begins an alias: put a glob that begins with it in quotes"
    } else if error.info().contains("tabs") {
        "indent with spaces"
    } else {
        ""
    };
    DocumentError::new(at, format!("not YAML: {}", error.info()), advice)
}
