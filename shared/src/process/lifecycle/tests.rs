use std::sync::Arc;

use rustix::process::{Signal as Number, getpid, kill_process};
use tokio::sync::Mutex;

use super::*;

/// Signals reach the whole test process, so these tests run one at a time.
static TURN: Mutex<()> = Mutex::const_new(());

fn send(signal: Number) {
    kill_process(getpid(), signal).unwrap();
}

/// A task that ends as requested by the soft and the hard token.
fn obedient(life: &Lifecycle) -> (JoinHandle<&'static str>, Arc<tokio::sync::Notify>) {
    let tokens = life.tokens();
    let done = Arc::new(tokio::sync::Notify::new());
    let finish = Arc::clone(&done);
    let task = tokens.tracker.clone().spawn(async move {
        tokio::select! {
            () = async { tokens.soft.cancelled().await; finish.notified().await } => "finished",
            () = tokens.hard.cancelled() => "cut short",
        }
    });
    (task, done)
}

#[tokio::test]
async fn one_signal_lets_the_tasks_finish() {
    let _turn = TURN.lock().await;
    for signal in [Number::TERM, Number::INT] {
        let life = Lifecycle::new(Duration::from_secs(600)).unwrap();
        let (task, done) = obedient(&life);
        send(signal);
        done.notify_one();
        assert_eq!(life.run().await, ShutdownOutcome::Drained);
        assert_eq!(task.await.unwrap(), "finished");
    }
}

#[tokio::test]
async fn a_second_signal_cuts_them_short() {
    let _turn = TURN.lock().await;
    let life = Lifecycle::new(Duration::from_secs(600)).unwrap();
    let (task, _done) = obedient(&life);
    let soft = life.tokens().soft;
    #[expect(
        clippy::disallowed_methods,
        reason = "the lifecycle cannot wait for itself"
    )]
    let run = tokio::spawn(life.run());
    send(Number::TERM);
    soft.cancelled().await;
    send(Number::INT);
    assert_eq!(run.await.unwrap(), ShutdownOutcome::CutShort);
    assert_eq!(task.await.unwrap(), "cut short");
}

#[tokio::test]
async fn the_end_of_the_grace_cuts_them_short() {
    let _turn = TURN.lock().await;
    let life = Lifecycle::new(Duration::from_millis(10)).unwrap();
    let (task, _done) = obedient(&life);
    send(Number::TERM);
    assert_eq!(life.run().await, ShutdownOutcome::CutShort);
    assert_eq!(task.await.unwrap(), "cut short");
}

#[tokio::test]
async fn the_end_of_a_main_task_is_the_end_of_all() {
    let _turn = TURN.lock().await;
    let life = Lifecycle::new(Duration::from_secs(600)).unwrap();
    let (task, done) = obedient(&life);
    done.notify_one();
    let main = life.spawn_main(async { 42 });
    assert_eq!(life.run().await, ShutdownOutcome::Finished);
    assert_eq!(main.await.unwrap(), 42);
    assert_eq!(task.await.unwrap(), "finished");
}

#[tokio::test]
async fn a_main_task_that_panics_ends_all() {
    let _turn = TURN.lock().await;
    let life = Lifecycle::new(Duration::from_secs(600)).unwrap();
    let main = life.spawn_main(async { assert!(std::hint::black_box(false), "as intended") });
    assert_eq!(life.run().await, ShutdownOutcome::Finished);
    assert!(main.await.unwrap_err().is_panic());
}

#[tokio::test]
async fn a_part_ends_with_the_whole_but_not_the_whole_with_the_part() {
    let whole = Tokens::new();
    let part = whole.child();
    part.soft.cancel();
    part.hard.cancel();
    assert!(!whole.soft.is_cancelled() && !whole.hard.is_cancelled());
    let part = whole.child();
    whole.soft.cancel();
    assert!(part.soft.is_cancelled() && !part.hard.is_cancelled());
    whole.hard.cancel();
    assert!(part.hard.is_cancelled());
}
