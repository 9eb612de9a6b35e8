//! The broker goes away in the middle of a job, in good order or not, and comes back.

use drover_tests::{Herd, Rabbit};

use crate::promise::{is_kept, noted};

#[test]
fn a_broker_restarted_in_the_middle_of_a_job_loses_nothing() {
    survives(Rabbit::restart);
}

#[test]
fn a_broker_that_comes_back_with_nothing_is_told_anew_what_is_left_to_do() {
    survives(|rabbit| {
        rabbit.lose_everything();
        rabbit.start_again();
    });
}

#[test]
fn a_broker_killed_in_the_middle_of_a_job_loses_nothing() {
    survives(|rabbit| {
        rabbit.kill();
        rabbit.start_again();
    });
}

fn survives(blow: fn(&Rabbit)) {
    let rabbit = Rabbit::start();
    let herd = Herd::at(rabbit.first_vhost());
    herd.place.numbered_files("in", 150);
    let mut service = herd.serve();
    let mut workers = [herd.worker("made"), herd.worker("made")];
    rabbit.remembers("made");
    let id = herd.publish(&noted());
    herd.told("runs", 30);
    blow(&rabbit);
    is_kept(&herd, &id, 150);
    assert!(!service.has_ended(), "{}", service.stderr());
    for worker in &mut workers {
        assert!(!worker.has_ended(), "{}", worker.stderr());
    }
    // And whoever was there takes up the next job.
    herd.place.numbered_files("in", 151);
    let next = herd.wait(&herd.publish(&noted()));
    assert_eq!(next.counts(), "151: 1 processed, 150 skipped");
}
