//! Address and access of the page and the HTTP API.

use anyhow::Context as _;
use std::convert::Infallible;
use std::future::pending;
use std::io::{ErrorKind, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::args::{self, Http, Serve};
use crate::commands::{Context, UsageError};
use drover_api::{Access, Api, BasePath, Secret, Server, Token, stored_token};
use drover_shared::store::Store;

/// Default address of the page.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7600);

/// A bound page.
pub(crate) struct Page {
    server: Server,
    base: BasePath,
    /// Text of the token for the link, if it may be printed.
    link_token: Option<Secret>,
}

/// Binds the server of the page, unless `--http none` is given. Without `--http`, an occupied port is only a warning.
pub(crate) async fn bind(
    typed: &Serve,
    store: &Store,
    context: &Context,
) -> anyhow::Result<Option<Page>> {
    let address = match typed.http {
        Some(Http::Off) => return Ok(None),
        Some(Http::At(address)) => address,
        None => ADDRESS,
    };
    let (access, link_token) = access(typed, store).await?;
    access.suffices(address)?;
    match Server::bind(address, access).await {
        Ok(server) => Ok(Some(Page {
            server: server.below(typed.base_path.clone()),
            base: typed.base_path.clone(),
            link_token,
        })),
        Err(error) if typed.http.is_none() && error.kind() == ErrorKind::AddrInUse => {
            context.console.message(format!(
                "warning: {address} is in use, perhaps by another `drover serve`; continuing without the page (--http ADDRESS gives another address)"
            ));
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| {
            format!("cannot listen on {address} for the page; give --http another address, or none")
        }),
    }
}

/// Serves the page, if there is a server.
pub(crate) async fn show(
    page: Option<Page>,
    api: Api,
    context: &Context,
) -> anyhow::Result<Infallible> {
    let Some(Page {
        server,
        base,
        link_token,
    }) = page
    else {
        return pending().await;
    };
    let address = server.address()?;
    let fragment =
        link_token.map_or_else(String::new, |token| format!("#token={}", token.reveal()));
    context
        .console
        .message(format!("the page is at http://{address}{base}/{fragment}"));
    Ok(server.serve(api).await)
}

/// Tokens of the API from flags and variables, else the token of the store. Returns the text of a new token for the
/// link, and on a terminal also of a known one; logs never get the token again.
async fn access(typed: &Serve, store: &Store) -> anyhow::Result<(Access, Option<Secret>)> {
    let known = args::api_tokens();
    let full = token(typed.token_file.as_deref(), "DROVER_TOKEN", known.full)?;
    let read = token(
        typed.read_token_file.as_deref(),
        "DROVER_READ_TOKEN",
        known.read,
    )?;
    if full.is_some() || read.is_some() {
        return Ok((Access::new(full, read)?, None));
    }
    if typed.no_token {
        return Ok((Access::without_tokens()?, None));
    }
    let stored = stored_token(store).await?;
    let is_shown = stored.is_new || std::io::stderr().is_terminal();
    let access = Access::new(Some(stored.token), None)?;
    Ok((access, is_shown.then_some(stored.text)))
}

/// The token of the file, else of the variable.
fn token(
    file: Option<&Path>,
    variable: &str,
    known: Option<String>,
) -> anyhow::Result<Option<Token>> {
    let (place, text) = match (file, known) {
        (Some(file), _) => {
            let place = file.display().to_string();
            match std::fs::read_to_string(file) {
                Ok(text) => (place, text.trim_end().to_owned()),
                Err(error) => {
                    let problem = format!("the token cannot be read: {error}");
                    return Err(UsageError::Token { place, problem }.into());
                }
            }
        }
        (None, Some(text)) => (variable.to_owned(), text),
        (None, None) => return Ok(None),
    };
    match text.parse() {
        Ok(token) => Ok(Some(token)),
        Err(problem) => {
            let problem = problem.to_owned();
            Err(UsageError::Token { place, problem }.into())
        }
    }
}
