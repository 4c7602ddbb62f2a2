//! `kalshi guard` when nobody reads its messages.

use std::{
    io::{Read, Write, pipe},
    process::Stdio,
    time::Duration,
};

use kalshi_sdk::{Dollars, OutcomeSide, orders::NewOrder};
use tokio::time::timeout;

use super::{SUBACCOUNT, bot::TICKER, finish, setup};
use crate::harness::TestResult;

#[tokio::test]
async fn messages_that_nobody_reads_do_not_delay_cancelling() -> TestResult {
    let setup = setup().await?;
    let client = setup.exchange.client()?;
    let order = NewOrder::buy(TICKER, OutcomeSide::Yes, Dollars::from_cents(10), 1);
    drop(client.orders().place(order).await?);
    let (mut reader, writer) = pipe()?;
    let mut guard = setup.command(&format!("{SUBACCOUNT} -- /bin/sleep 2"));
    guard.stdout(Stdio::piped()).stderr(writer.try_clone()?);
    let guard = guard.spawn()?;
    let reading = tokio::task::spawn_blocking(move || {
        let mut written = Vec::new();
        while !String::from_utf8_lossy(&written).contains("the bot runs") {
            let mut bytes = [0; 1_024];
            let count = reader.read(&mut bytes)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            written.extend_from_slice(&bytes[..count]);
        }
        std::io::Result::Ok(reader)
    });
    let reader = timeout(Duration::from_secs(20), reading).await???;
    // The pipe is full from here on, as that of a terminal that ctrl-S holds.
    rustix::io::ioctl_fionbio(&writer, true)?;
    while (&writer).write(&[b'x'; 4_096]).is_ok() {}
    while (&writer).write(b"x").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false)?;
    let run = finish(guard).await?;
    assert_eq!(run.code, Some(0));
    assert_eq!(setup.resting(), 0);
    drop(reader);
    Ok(())
}
