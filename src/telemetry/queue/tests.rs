//! Lines into real pipes. That dropped lines are told is tested with the real program: it goes through its subscriber.

use std::io::{BufRead, BufReader, PipeReader, Read};

use super::*;

const SOON: Option<Duration> = Some(Duration::from_secs(60));

fn queue() -> (Queue, PipeReader, Store) {
    let (reader, writer) = io::pipe().unwrap();
    let store = Store::new();
    (Queue::to(writer, &store).unwrap(), reader, store)
}

fn dropped(store: &Store) -> u64 {
    let mut page = Vec::new();
    crate::metrics::render(&store.snapshot(), &mut page);
    let page = String::from_utf8(page).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix("vitalsign_log_lines_dropped_total "));
    line.unwrap().parse().unwrap()
}

fn line(number: usize) -> Vec<u8> {
    format!("{number:0100}\n").into_bytes()
}

#[test]
fn all_lines_come_out_in_their_order() {
    let (queue, reader, store) = queue();
    for number in 0..500 {
        queue.put(&line(number));
    }
    assert!(queue.flush(SOON));
    let read = BufReader::new(reader).lines().map(|line| line.unwrap().parse::<usize>().unwrap());
    assert!(read.take(500).eq(0..500));
    assert_eq!(dropped(&store), 0);
}

#[test]
fn where_nobody_reads_no_line_waits_and_what_is_lost_is_counted() {
    let (queue, reader, store) = queue();
    let all = 3 * LIMIT / line(0).len();
    for number in 0..all {
        queue.put(&line(number));
    }
    assert!(!queue.flush(Some(Duration::from_millis(10))), "the pipe is full");
    let lost = usize::try_from(dropped(&store)).unwrap();
    assert!(lost > all / 4, "{lost} of {all}");
    let read = BufReader::new(reader).lines().map(|line| line.unwrap().parse::<usize>().unwrap());
    let read: Vec<usize> = read.take(all - lost).collect();
    assert!(read.is_sorted_by(|one, next| one < next));
    // A line about them would be next; here no subscriber makes one.
    assert!(queue.flush(SOON));
    assert_eq!(dropped(&store), u64::try_from(lost).unwrap());
}

#[test]
fn lines_for_a_reader_that_has_gone_away_are_lost_and_counted() {
    let (queue, reader, store) = queue();
    drop(reader);
    for number in 0..5 {
        queue.put(&line(number));
    }
    assert!(queue.flush(SOON));
    assert_eq!(dropped(&store), 5);
}

#[test]
fn an_output_on_which_writing_does_not_wait_gets_every_line() {
    let (mut reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let queue = Queue::to(writer, &Store::new()).unwrap();
    let all: Vec<u8> = (0..5_000).flat_map(line).collect();
    queue.put(&all);
    let mut read = vec![0; all.len()];
    reader.read_exact(&mut read).unwrap();
    assert!(read == all);
}
