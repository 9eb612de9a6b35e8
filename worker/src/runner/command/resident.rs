//! A command that stays for datum after datum: it is started once, and shown the next one when it asks.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::asks::{Ask, Asks};
use super::attempt::{Attempt, Outcome, over, told};
use super::feeder::Feeder;
use super::log::{Log, Stream};
use super::process::Process;
use super::supervise::{Supervisor, Watched, wait_for};
use crate::runner::hindrance::Hindrance;
use crate::runner::server::Pipes;
use crate::runner::tree::Tree;
use crate::runner::{Ending, Execution, Order};

/// A command between two datums, or before its first.
pub(in crate::runner) struct Resident {
    /// What it was started for.
    order: Order,
    process: Process,
    asks: Asks,
    /// Its question for the next datum, once it has asked.
    waiting: Option<Ask>,
}

/// How the time between two datums ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::runner) enum Rest {
    /// The worker has something to say.
    Request,
    /// The command ended, or has waited long enough.
    Over,
}

impl Resident {
    /// Whether it is what this order would start.
    pub(in crate::runner) fn suits(&self, order: &Order) -> bool {
        let own = &self.order;
        order.batch.is_some()
            && (&own.argv, &own.stdin) == (&order.argv, &order.stdin)
            && (&own.base, &own.env) == (&order.base, &order.env)
            && (&own.user, &own.working_dir) == (&order.user, &order.working_dir)
    }

    /// Waits until the worker has something to say, but no longer than `idle`. What the command writes meanwhile belongs
    /// to no datum.
    pub(in crate::runner) fn rest(&mut self, requests: &File, idle: Duration) -> io::Result<Rest> {
        let until = Instant::now() + idle;
        loop {
            let outputs: Vec<_> = self.process.outputs().collect();
            let mut watched = vec![
                PollFd::new(requests, PollFlags::IN),
                PollFd::from_borrowed_fd(self.process.ending(), PollFlags::IN),
            ];
            let pipes = outputs.iter().map(|&(_, pipe)| pipe);
            watched.extend(pipes.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
            wait_for(
                &mut watched,
                until.saturating_duration_since(Instant::now()),
            )?;
            let happened = |place: usize| !watched[place].revents().is_empty();
            if happened(0) {
                return Ok(Rest::Request);
            }
            if happened(1) || Instant::now() >= until {
                return Ok(Rest::Over);
            }
            let ready: Vec<Stream> = outputs
                .iter()
                .enumerate()
                .filter_map(|(place, &(stream, _))| happened(place + 2).then_some(stream))
                .collect();
            for stream in ready {
                self.process.take(stream, None);
            }
        }
    }

    /// Ends it, with all that it started.
    pub(in crate::runner) fn dismiss(mut self, tree: &mut Tree) -> io::Result<()> {
        self.process.end()?;
        tree.withdraw_next_datum();
        Ok(())
    }
}

impl Attempt<'_> {
    /// Gives the datum to `resident`, which is started if there is none, and waits until it asks for another. It
    /// stays then, and only then. `variables` are what it finds in `/pfs/.env`.
    pub(in crate::runner) fn serve(
        mut self,
        variables: &str,
        resident: &mut Option<Resident>,
        pipes: &mut Pipes,
    ) -> io::Result<Outcome> {
        let started = Instant::now();
        let mut log = self.log();
        let mut serving = match resident.take() {
            Some(resident) => resident,
            None => match self.begin() {
                Ok(begun) => begun?,
                Err(hindrance) => return Ok(self.give_up(hindrance)),
            },
        };
        // Whoever asked may have been ended while it waited; its command asks again, then.
        loop {
            if let Some(ask) = serving.waiting.take() {
                if let Err(hindrance) = self.tree.show_with(&self.order.inputs, variables) {
                    serving.dismiss(self.tree)?;
                    return Ok(self.give_up(hindrance));
                }
                if ask.hand_over() {
                    break;
                }
            }
            match self.watch(&mut serving, &mut log, None, pipes)? {
                Watched::Asked(ask, _) => serving.waiting = Some(ask),
                other => return self.lose(serving, other, log, started),
            }
        }
        let feeder = Feeder::arm(self.tree.fifos())?;
        match self.watch(&mut serving, &mut log, feeder, pipes)? {
            Watched::Asked(ask, failed) => {
                let ending = failed.map_or(Ending::Asked, Ending::GaveUp);
                serving.process.drain(&mut log)?;
                serving.waiting = Some(ask);
                *resident = Some(serving);
                Ok(Outcome::Ended(Execution {
                    output: self.tree.has_output(),
                    ..told(ending, log, started.elapsed())
                }))
            }
            other => self.lose(serving, other, log, started),
        }
    }

    /// Starts the command, with nothing at `/pfs` yet.
    fn begin(&mut self) -> Result<io::Result<Resident>, Hindrance> {
        self.tree.hide(&self.order.inputs, self.identity)?;
        let place = self.tree.provide_next_datum().map_err(Hindrance::Slot)?;
        let asks = Asks::listen(&place).map_err(|error| {
            Hindrance::Slot(format!("{} cannot be asked at: {error}", place.display()))
        })?;
        let process = self.launch()?;
        Ok(process.map(|process| Resident {
            order: self.order.clone(),
            process,
            asks,
            waiting: None,
        }))
    }

    /// Watches the command from now on; each time it asks, its time limit begins anew.
    fn watch(
        &self,
        serving: &mut Resident,
        log: &mut Log,
        feeder: Option<Feeder>,
        pipes: &mut Pipes,
    ) -> io::Result<Watched> {
        Supervisor::of(&mut serving.process, log, self.order, Instant::now())
            .feeding(feeder)
            .hearing(&serving.asks)
            .watch(&mut pipes.requests)
    }

    /// The command is over, and with it this attempt.
    fn lose(
        self,
        serving: Resident,
        watched: Watched,
        log: Log,
        started: Instant,
    ) -> io::Result<Outcome> {
        let outcome = over(watched, serving.process, log, started);
        self.tree.withdraw_next_datum();
        outcome
    }

    /// The command could not be given the datum.
    fn give_up(self, hindrance: Hindrance) -> Outcome {
        self.tree.withdraw_next_datum();
        hindrance.into()
    }
}
