//! Address and access of the page and the HTTP API.

use std::convert::Infallible;
use std::future::pending;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::args::{self, Http, Serve};
use crate::commands::{CommandError, Context};
use drover_api::{Access, Api, Server, Token};

/// Default address of the page.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7600);

/// Binds the server of the page, unless `--http none` is given. Without `--http`, an occupied port is only a warning.
pub(crate) async fn bind(typed: &Serve, context: &Context) -> Result<Option<Server>, CommandError> {
    let address = match typed.http {
        Some(Http::Off) => return Ok(None),
        Some(Http::At(address)) => address,
        None => ADDRESS,
    };
    let access = access(typed)?;
    access.suffices(address)?;
    match Server::bind(address, access).await {
        Ok(server) => Ok(Some(server)),
        Err(error) if typed.http.is_none() && error.kind() == ErrorKind::AddrInUse => {
            context.console.message(format!(
                "warning: {address} is in use, perhaps by another `drover serve`; continuing without the page (--http ADDRESS gives another address)"
            ));
            Ok(None)
        }
        Err(source) => Err(CommandError::Page { address, source }),
    }
}

/// Serves the page, if there is a server.
pub(crate) async fn show(
    server: Option<Server>,
    api: Api,
    context: &Context,
) -> Result<Infallible, CommandError> {
    let Some(server) = server else {
        return pending().await;
    };
    let address = server.address()?;
    context
        .console
        .message(format!("the page is at http://{address}/"));
    Ok(server.serve(api).await)
}

/// Tokens of the API.
fn access(typed: &Serve) -> Result<Access, CommandError> {
    let known = args::api_tokens();
    let full = token(typed.token_file.as_deref(), "DROVER_TOKEN", known.full)?;
    let read = token(
        typed.read_token_file.as_deref(),
        "DROVER_READ_TOKEN",
        known.read,
    )?;
    Ok(Access::new(full, read)?)
}

/// The token of the file, else of the variable.
fn token(
    file: Option<&Path>,
    variable: &str,
    known: Option<String>,
) -> Result<Option<Token>, CommandError> {
    let (place, text) = match (file, known) {
        (Some(file), _) => {
            let place = file.display().to_string();
            match std::fs::read_to_string(file) {
                Ok(text) => (place, text.trim_end().to_owned()),
                Err(error) => {
                    let problem = format!("the token cannot be read: {error}");
                    return Err(CommandError::Token { place, problem });
                }
            }
        }
        (None, Some(text)) => (variable.to_owned(), text),
        (None, None) => return Ok(None),
    };
    match text.parse() {
        Ok(token) => Ok(Some(token)),
        Err(problem) => Err(CommandError::Token {
            place,
            problem: problem.to_owned(),
        }),
    }
}
