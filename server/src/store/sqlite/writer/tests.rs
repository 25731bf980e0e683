use std::sync::mpsc;

use tempfile::TempDir;

use super::*;

fn start() -> (TempDir, Arc<Writer>) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("keypool.db");
    let (connection, lock) = file::open_checked(&path).expect("a new store");
    connection
        .execute_batch("CREATE TABLE words (word TEXT PRIMARY KEY)")
        .expect("a table");
    (dir, Arc::new(Writer::start(path, connection, lock).expect("a writer")))
}

async fn write(writer: &Writer, word: impl Into<String>) -> Result<()> {
    let word = word.into();
    writer
        .run(move |connection| {
            connection.execute("INSERT INTO words VALUES (?1)", [word])?;
            Ok(())
        })
        .await
}

async fn words(writer: &Writer) -> i64 {
    writer
        .run(|connection| Ok(connection.query_row("SELECT count(*) FROM words", [], |row| row.get(0))?))
        .await
        .expect("a count")
}

/// Keeps the writer busy until the returned sender speaks.
async fn hold(writer: &Arc<Writer>) -> (mpsc::Sender<()>, tokio::task::JoinSet<Result<()>>) {
    let (go, gate) = mpsc::channel();
    let (entered, is_in) = oneshot::channel();
    let mut tasks = tokio::task::JoinSet::new();
    let held = Arc::clone(writer);
    tasks.spawn(async move {
        held.run(move |_| {
            let _ = entered.send(());
            gate.recv().map_err(|_| closed())
        })
        .await
    });
    is_in.await.expect("the writer is busy");
    (go, tasks)
}

fn commits(writer: &Writer) -> u64 {
    writer.commits.load(Ordering::Relaxed)
}

fn waiting(writer: &Writer) -> usize {
    writer
        .messages
        .as_ref()
        .map_or(0, |messages| messages.max_capacity() - messages.capacity())
}

#[tokio::test]
async fn writes_that_wait_together_are_committed_together() {
    let (_dir, writer) = start();
    let (go, mut tasks) = hold(&writer).await;
    for number in 0..1000 {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move { write(&writer, format!("word {number}")).await });
    }
    while waiting(&writer) < 1000 {
        tokio::task::yield_now().await;
    }
    go.send(()).expect("the writer waits");
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic").expect("written");
    }
    assert_eq!(
        commits(&writer),
        2,
        "one for the write that held the others, one for all of them"
    );
    assert_eq!(words(&writer).await, 1000);
}

#[tokio::test]
async fn a_failing_write_takes_back_its_own_work_only() {
    let (_dir, writer) = start();
    let (go, mut tasks) = hold(&writer).await;
    let (first, failing, last) = (Arc::clone(&writer), Arc::clone(&writer), Arc::clone(&writer));
    tasks.spawn(async move { write(&first, "first").await });
    tasks.spawn(async move {
        let half_done = failing.run(|connection| {
            connection.execute("INSERT INTO words VALUES ('half done')", [])?;
            Err::<(), _>(StoreError::Conflict { what: "A word" })
        });
        assert_eq!(half_done.await, Err(StoreError::Conflict { what: "A word" }));
        Ok(())
    });
    tasks.spawn(async move { write(&last, "last").await });
    while waiting(&writer) < 3 {
        tokio::task::yield_now().await;
    }
    go.send(()).expect("the writer waits");
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic").expect("written");
    }
    assert_eq!((commits(&writer), words(&writer).await), (2, 2));
}

#[tokio::test]
async fn a_transaction_that_is_lost_is_answered_as_lost_and_the_next_one_works() {
    let (_dir, writer) = start();
    write(&writer, "kept").await.expect("written");
    // What SQLite does by itself when the disk is full.
    let lost = writer.run(|connection| {
        connection.execute("INSERT INTO words VALUES ('lost')", [])?;
        Ok(connection.execute_batch("ROLLBACK")?)
    });
    assert!(matches!(lost.await, Err(StoreError::Unavailable(_))));
    write(&writer, "after").await.expect("the file was opened again");
    assert_eq!(words(&writer).await, 2);
}

#[tokio::test]
async fn closing_writes_what_waits_and_refuses_what_comes_after() {
    let (_dir, writer) = start();
    let (go, mut tasks) = hold(&writer).await;
    let early = Arc::clone(&writer);
    tasks.spawn(async move { write(&early, "early").await });
    while waiting(&writer) < 1 {
        tokio::task::yield_now().await;
    }
    let closing = Arc::clone(&writer);
    tasks.spawn(async move {
        closing.close().await;
        Ok(())
    });
    while waiting(&writer) < 2 {
        tokio::task::yield_now().await;
    }
    go.send(()).expect("the writer waits");
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic").expect("written");
    }
    assert_eq!(write(&writer, "late").await, Err(closed()));
    writer.close().await;
}
