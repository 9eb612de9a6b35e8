//! How `drover serve` is, for whoever probes it.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use drover_shared::process::{Answers, Probe};
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_shared::queue::{Broker, Link};

use super::CommandError;

/// How the service is. Cheap to clone; all clones tell the same.
#[derive(Clone, Default)]
pub(super) struct Health {
    broker: Arc<OnceLock<RabbitMq>>,
}

impl Health {
    /// From now on the service is at work, as long as the broker is there.
    pub(super) fn begun(&self, broker: &RabbitMq) {
        self.broker.get_or_init(|| broker.clone());
    }

    /// Listens at the address, if there is one; what is returned answers for ever.
    pub(super) async fn answer(
        self,
        listen: Option<SocketAddr>,
    ) -> Result<impl Future<Output = Infallible>, CommandError> {
        let probe = match listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(async move {
            match probe {
                Some(probe) => probe.serve(self.answers()).await,
                None => pending().await,
            }
        })
    }

    fn answers(&self) -> Answers {
        let (ready, measured) = (self.clone(), self.clone());
        Answers {
            ready: Box::new(move || judge(ready.link())),
            metrics: Box::new(move || measure(measured.link().as_ref())),
        }
    }

    fn link(&self) -> Option<Link> {
        self.broker.get().map(Broker::link)
    }
}

async fn bind(address: SocketAddr) -> Result<Probe, CommandError> {
    Probe::bind(address)
        .await
        .map_err(|source| CommandError::System {
            what: "listen on the address of --listen",
            source,
        })
}

/// Whether jobs are seen through; if not, why.
fn judge(link: Option<Link>) -> Result<(), String> {
    match link {
        None => Err("starting".to_owned()),
        Some(Link::Up) => Ok(()),
        Some(Link::Down { why }) => Err(format!("the broker is out of reach: {why}")),
        Some(Link::Blocked { why }) => Err(format!("the broker is blocked: {why}")),
    }
}

/// In Prometheus' text format, under the name that workers have for it.
fn measure(link: Option<&Link>) -> String {
    let is_up = i32::from(matches!(link, Some(Link::Up)));
    format!(
        "# HELP drover_queue_link Whether the connection to the broker is there: 1, or 0.\n\
         # TYPE drover_queue_link gauge\ndrover_queue_link {is_up}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_once_it_has_begun_and_while_the_broker_is_there() {
        let down = Link::Down { why: "cut".into() };
        let blocked = Link::Blocked {
            why: "memory".into(),
        };
        let rows = [
            (None, Some("starting"), 0),
            (Some(Link::Up), None, 1),
            (Some(down), Some("the broker is out of reach: cut"), 0),
            (Some(blocked), Some("the broker is blocked: memory"), 0),
        ];
        for (link, why_not, measured) in rows {
            let line = format!("\ndrover_queue_link {measured}\n");
            assert!(measure(link.as_ref()).ends_with(&line), "{link:?}");
            assert_eq!(judge(link.clone()).err().as_deref(), why_not, "{link:?}");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_told() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = Health::default().answer(taken.local_addr().ok()).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains("--listen"), "{error}");
    }
}
