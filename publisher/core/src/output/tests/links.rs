//! Links in and in place of the output folder: nothing is written through a link, and nothing behind a link is touched.

use std::os::unix::fs::symlink;

use super::*;

/// A finished job with a file in a directory, a next one that changes the file, and a folder of a user with a file of the same name.
async fn published_next_and_users() -> (Fixture, JobId, tempfile::TempDir) {
    let fixture = Fixture::new().await;
    let first = fixture.job(&[wrote(&[("/d/a", "1"), ("/e", "1")])]).await;
    fixture.publish(first).await.unwrap();
    let next = fixture.job(&[wrote(&[("/d/a", "2"), ("/e", "2")])]).await;
    let users = tempfile::tempdir().unwrap();
    std::fs::write(users.path().join("a"), "precious").unwrap();
    (fixture, next, users)
}

fn assert_untouched(users: &tempfile::TempDir) {
    let files = std::fs::read_dir(users.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["a"]);
    let content = std::fs::read_to_string(users.path().join("a")).unwrap();
    assert_eq!(content, "precious");
}

#[tokio::test]
async fn a_directory_of_outputs_replaced_by_a_link_is_left_alone_and_named_with_the_way_out() {
    for is_dangling in [false, true] {
        let (fixture, next, users) = published_next_and_users().await;
        std::fs::remove_dir_all(fixture.path("d")).unwrap();
        let target = users.path().join(if is_dangling { "nowhere" } else { "" });
        symlink(&target, fixture.path("d")).unwrap();
        let error = fixture.publish(next).await.unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"out/d in the output folder is not Drover's, but a link, through which nothing is written; move it away, or give the pipeline another name, and run again: what is done is not done again");
        }
        assert_untouched(&users);
        assert_eq!(std::fs::read_link(fixture.path("d")).unwrap(), target);
        let other = std::fs::read_to_string(fixture.path("e")).unwrap();
        assert_eq!(other, "1", "a failed job publishes nothing");
        // The way out.
        std::fs::remove_file(fixture.path("d")).unwrap();
        fixture.publish(next).await.unwrap();
        assert_eq!(fixture.found(), holding(&[("/d/a", "2"), ("/e", "2")]));
        assert_untouched(&users);
    }
}

#[tokio::test]
async fn outputs_that_are_no_longer_wanted_are_not_removed_behind_a_link() {
    let (fixture, _, users) = published_next_and_users().await;
    std::fs::remove_dir_all(fixture.path("d")).unwrap();
    symlink(users.path(), fixture.path("d")).unwrap();
    let without = fixture.job(&[wrote(&[("/e", "3")])]).await;
    fixture.publish(without).await.unwrap();
    assert_untouched(&users);
}

#[tokio::test]
async fn an_interrupted_publication_is_not_taken_back_through_a_link() {
    let (fixture, next, users) = published_next_and_users().await;
    fixture.die_publishing(next, 2).await.unwrap_err();
    std::fs::remove_dir_all(fixture.path("d")).unwrap();
    symlink(users.path(), fixture.path("d")).unwrap();
    settle(&fixture.ledger, &fixture.pipeline).await.unwrap();
    assert_untouched(&users);
    let other = std::fs::read_to_string(fixture.path("e")).unwrap();
    assert_eq!(other, "1", "the rest is taken back");
}

#[tokio::test]
async fn a_link_in_place_of_the_output_folder_gives_no_file_of_a_user_away() {
    let (fixture, next, _) = published_next_and_users().await;
    let folder = fixture.folder.path().join("out");
    std::fs::remove_dir_all(&folder).unwrap();
    let of_user = tempfile::tempdir().unwrap();
    std::fs::write(of_user.path().join("e"), "precious").unwrap();
    symlink(of_user.path(), &folder).unwrap();
    let error = fixture.publish(next).await.unwrap_err();
    insta::assert_snapshot!(error, @"out/e in the output folder is not Drover's; move it away, or give the pipeline another name, and run again: what is done is not done again");
    let without = fixture.job(&[wrote(&[("/d/a", "2")])]).await;
    fixture.publish(without).await.unwrap();
    let content = std::fs::read_to_string(of_user.path().join("e")).unwrap();
    assert_eq!(content, "precious");
    // A folder that was moved goes on.
    let (fixture, next, users) = published_next_and_users().await;
    let folder = fixture.folder.path().join("out");
    let moved = users.path().with_extension("moved");
    std::fs::rename(&folder, &moved).unwrap();
    symlink(&moved, &folder).unwrap();
    fixture.publish(next).await.unwrap();
    let content = std::fs::read_to_string(moved.join("e")).unwrap();
    assert_eq!(content, "2");
    std::fs::remove_dir_all(&moved).unwrap();
}

#[tokio::test]
async fn an_output_folder_that_leads_nowhere_is_named_with_the_way_out() {
    let (fixture, next, users) = published_next_and_users().await;
    let folder = fixture.folder.path().join("out");
    std::fs::remove_dir_all(&folder).unwrap();
    symlink(users.path().join("nowhere"), &folder).unwrap();
    let error = fixture.publish(next).await.unwrap_err();
    insta::assert_snapshot!(error, @"the output folder out is a link that leads nowhere; restore its target, or remove the link, and run again: what is done is not done again");
    std::fs::remove_file(&folder).unwrap();
    // A link to itself, which the end of the job meets, too.
    symlink("out", &folder).unwrap();
    fixture.publish(next).await.unwrap_err();
    fixture.ledger.sync(&fixture.pipeline).await.unwrap();
    std::fs::remove_file(&folder).unwrap();
    std::fs::write(&folder, "mine").unwrap();
    let error = fixture.publish(next).await.unwrap_err();
    insta::assert_snapshot!(error, @"the output folder out is not a directory; move it away, and run again: what is done is not done again");
    assert_eq!(std::fs::read_to_string(&folder).unwrap(), "mine");
    assert_untouched(&users);
}

#[tokio::test]
async fn a_users_file_in_place_of_a_directory_of_outputs_or_in_place_of_a_file_is_in_the_way() {
    let (fixture, next, _users) = published_next_and_users().await;
    std::fs::remove_dir_all(fixture.path("d")).unwrap();
    std::fs::write(fixture.path("d"), "mine").unwrap();
    let error = fixture.publish(next).await.unwrap_err();
    insta::assert_snapshot!(error, @"out/d in the output folder is not Drover's; move it away, or give the pipeline another name, and run again: what is done is not done again");
    std::fs::remove_file(fixture.path("d")).unwrap();
    std::fs::remove_file(fixture.path("e")).unwrap();
    std::fs::create_dir(fixture.path("e")).unwrap();
    std::fs::write(fixture.path("e/notes"), "mine").unwrap();
    let error = fixture.publish(next).await.unwrap_err();
    insta::assert_snapshot!(error, @"out/e/notes in the output folder is not Drover's; move it away, or give the pipeline another name, and run again: what is done is not done again");
    assert_eq!(
        std::fs::read_to_string(fixture.path("e/notes")).unwrap(),
        "mine"
    );
}
