//! A try to deliver an event to a receiver.

use drover_shared::pipeline::{Notification, Receiver};
use drover_shared::process::WebClient;

use super::cloud_event::EventView;
use super::decide::TryOutcome;
use super::{NotifySettings, command, webhook};

/// Sends events.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) settings: NotifySettings,
    pub(super) client: WebClient,
}

impl Sender {
    pub(super) async fn send(&self, to: &Notification, event: &EventView) -> TryOutcome {
        let body = match event.to_json() {
            Ok(body) => body,
            Err(error) => return TryOutcome::Hopeless(error.to_string()),
        };
        match &to.receiver {
            Receiver::Command(_) if !self.settings.allow_commands => TryOutcome::Hopeless(
                "this service runs no commands of specs: start it with --allow-notify-commands, or name a webhook".to_owned(),
            ),
            Receiver::Command(command) => command::run(command, event, body, to.timeout).await,
            Receiver::Webhook { url, signing_key } => {
                let key = signing_key.as_ref().map(|name| self.settings.key(name));
                match key.transpose() {
                    Ok(key) => {
                        webhook::post(&self.client, url, key.as_ref(), &event.id, body, to.timeout)
                            .await
                    }
                    Err(problem) => TryOutcome::Failed(problem),
                }
            }
        }
    }
}
