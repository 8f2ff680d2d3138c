//! Batches that wait, in memory and in real directories.

use super::*;
use std::fs::File;
use std::path::Path;

fn settings(directory: Option<&Path>) -> settings::Spool {
    settings::Spool { directory: directory.map(Path::to_owned), size: 1_000, age: Duration::from_secs(100) }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

/// A batch whose content and number of points tell which one it is.
fn append(spool: &mut Spool, batch: u8) {
    spool.append(at(batch.into()), batch.into(), vec![batch; 100]).unwrap();
}

/// Sends all that is young enough at `now`.
fn drain(spool: &mut Spool, now: SystemTime) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some((name, packed)) = spool.oldest(now) {
        assert_eq!(name.made_at(), at(packed[0].into()), "each has its own time");
        all.push(packed[0]);
        spool.remove(name);
    }
    assert_eq!(spool.level(), Level { bytes: Some(0), ..Level::default() });
    all
}

/// The files of batches in order.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "batch"));
    files.sort();
    files
}

#[test]
fn the_oldest_is_first_and_stays_until_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    for directory in [None, Some(folder.path())] {
        let mut spool = Spool::open(&settings(directory)).unwrap();
        assert_eq!(spool.oldest(at(9)), None);
        (1..=3).for_each(|batch| append(&mut spool, batch));
        assert_eq!((spool.level().batches, spool.level().oldest), (3, Some(at(1))));
        assert_eq!(spool.oldest(at(9)), spool.oldest(at(9)));
        assert_eq!(drain(&mut spool, at(9)), [1, 2, 3]);
        assert_eq!(spool.lost(), Lost::default());
    }
}

#[test]
fn a_full_spool_drops_the_oldest_that_is_not_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    for directory in [None, Some(folder.path())] {
        let mut spool = Spool::open(&settings(directory)).unwrap();
        append(&mut spool, 1);
        let on_its_way = spool.oldest(at(9)).unwrap().0;
        (2..=10).for_each(|batch| append(&mut spool, batch));
        let level = spool.level();
        assert!(level.bytes <= Some(1_000) && level.batches >= 8, "{level:?}");
        let first = 12 - u8::try_from(level.batches).unwrap();
        spool.remove(on_its_way);
        assert_eq!(drain(&mut spool, at(20)), (first..=10).collect::<Vec<_>>());
        let lost = spool.lost();
        let points = (2..u64::from(first)).sum();
        assert_eq!(lost.full, Loss { batches: u64::from(first) - 2, points });
        assert_eq!(spool.lost(), Lost::default(), "told once");
    }
}

#[test]
fn one_that_is_larger_than_everything_is_dropped() {
    let mut spool = Spool::open(&settings(None)).unwrap();
    spool.append(at(1), 7, vec![1; 1_001]).unwrap();
    assert_eq!((spool.oldest(at(1)), spool.lost().full), (None, Loss { batches: 1, points: 7 }));
}

#[test]
fn too_old_ones_are_dropped() {
    let mut spool = Spool::open(&settings(None)).unwrap();
    [1, 2, 50].into_iter().for_each(|batch| append(&mut spool, batch));
    assert_eq!(drain(&mut spool, at(103)), [50]);
    assert_eq!(spool.lost().expired, Loss { batches: 2, points: 3 });
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_too_old() {
    let mut spool = Spool::open(&settings(None)).unwrap();
    append(&mut spool, 50);
    assert_eq!(drain(&mut spool, at(0)), [50]);
}

#[test]
fn what_waits_on_disk_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    (1..=3).for_each(|batch| append(&mut spool, batch));
    assert_eq!(spool.only_in_memory(), 0);
    std::fs::write(folder.path().join("0000000000000009-1-1.new"), "vsot").unwrap();
    drop(spool);
    let mut again = Spool::open(&settings(Some(folder.path()))).unwrap();
    append(&mut again, 4);
    assert_eq!(drain(&mut again, at(9)), [1, 2, 3, 4]);
    assert_eq!(again.lost(), Lost::default());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "only the lock is left");
}

#[test]
fn broken_ones_are_skipped_and_told() {
    type Break = fn(&mut Vec<u8>);
    let ways: [Break; 5] = [
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| bytes.clear(),
        |bytes| bytes.push(0),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[3] ^= 1,
    ];
    for way in ways {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
        (1..=3).for_each(|batch| append(&mut spool, batch));
        let second = &files(folder.path())[1];
        let mut bytes = std::fs::read(second).unwrap();
        way(&mut bytes);
        std::fs::write(second, bytes).unwrap();
        assert_eq!(drain(&mut spool, at(9)), [1, 3]);
        assert_eq!(spool.lost().corrupt, Loss { batches: 1, points: 2 });
        assert!(files(folder.path()).is_empty(), "it is not found again");
    }
}

#[test]
fn one_that_was_renamed_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    append(&mut spool, 1);
    drop(spool);
    let file = &files(folder.path())[0];
    let renamed = file.to_str().unwrap().replace("-1.batch", "-2.batch");
    std::fs::rename(file, renamed).unwrap();
    let mut again = Spool::open(&settings(Some(folder.path()))).unwrap();
    assert_eq!(again.oldest(at(9)), None);
    assert_eq!(again.lost().corrupt, Loss { batches: 1, points: 2 });
}

#[test]
fn a_second_one_on_the_same_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = Spool::open(&settings(Some(folder.path()))).unwrap();
    let refused = Spool::open(&settings(Some(folder.path()))).unwrap_err().to_string();
    assert!(refused.contains("is in use by another process"), "{refused}");
    drop(first);
    assert!(Spool::open(&settings(Some(folder.path()))).is_ok());
}

#[test]
fn what_is_no_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let refused = Spool::open(&settings(Some(&path))).unwrap_err().to_string();
        assert!(refused.contains("file") && refused.ends_with("is not a directory"), "{refused}");
    }
}

#[test]
fn halves_stand_in_the_place_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    for directory in [None, Some(folder.path())] {
        let mut spool = Spool::open(&settings(directory)).unwrap();
        (1..=2).for_each(|batch| append(&mut spool, batch));
        for points in [4, 2] {
            let (name, _) = spool.oldest(at(9)).unwrap();
            assert!(spool.split(name, [(points / 2, vec![1; 9]), (points / 2, vec![1; 10])]).is_some());
        }
        if directory.is_some() {
            drop(spool);
            spool = Spool::open(&settings(directory)).unwrap();
        }
        let mut sizes = Vec::new();
        while let Some((name, packed)) = spool.oldest(at(9)) {
            sizes.push((name.points, packed.len(), name.made_at()));
            spool.remove(name);
        }
        assert_eq!(sizes, [(1, 9, at(1)), (1, 10, at(1)), (2, 10, at(1)), (2, 100, at(2))]);
    }
}

#[test]
fn splitting_ends_where_there_is_no_room() {
    let mut spool = Spool::open(&settings(None)).unwrap();
    append(&mut spool, 1);
    let half = || [(1, vec![1]), (1, vec![1])];
    let mut splits = 0;
    while let Some((name, _)) = spool.oldest(at(9)) {
        if spool.split(name, half()).is_none() {
            break;
        }
        splits += 1;
    }
    assert_eq!(splits, 20);
}

#[test]
fn a_batch_whose_process_ended_while_it_was_split_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    append(&mut spool, 1);
    let whole = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let whole = whole.into_iter().find(|path| path.extension().is_some()).unwrap();
    let content = std::fs::read(&whole).unwrap();
    let (name, packed) = spool.oldest(at(9)).unwrap();
    let [first, _] =
        spool.split(name, [(name.points / 2, vec![1; 9]), (name.points / 2, vec![1; 10])]).unwrap();
    // As it was a moment before the end of the split.
    std::fs::write(&whole, content).unwrap();
    drop(spool);
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    assert_eq!(spool.oldest(at(9)), Some((name, packed)), "the whole wins");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "whole, second half and lock, but not {first:?}: {left:?}");
}

/// Two batches, and this in the directory when they are found.
fn found_beside(foreign: impl FnOnce(&Path)) -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    (1..=2).for_each(|batch| append(&mut spool, batch));
    drop(spool);
    foreign(folder.path());
    let spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    (folder, spool)
}

/// Names as ours, before and after those of the two batches.
const FIRST: &str = "0000000000000001-1000000-7.batch";
const LAST: &str = "0000000000ffffff-1000000000-7.batch";

fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, mknodat};
    mknodat(CWD, path, FileType::Fifo, 0o600.into(), 0).unwrap();
}

#[test]
fn what_is_not_ours_is_left_alone_and_counts_for_nothing() {
    type Put = fn(&Path);
    let ways: [Put; 8] = [
        |path| std::fs::write(path, [b'x'; 5_000]).unwrap(),
        |path| File::create(path).unwrap().set_len(1 << 40).unwrap(),
        fifo,
        |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        |path| std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap(),
        |path| std::fs::create_dir(path).unwrap(),
        |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
        |path| std::fs::write(path, "hello, world, and nothing else").unwrap(),
    ];
    for (number, way) in ways.into_iter().enumerate() {
        for name in [FIRST, LAST, "0000000000000001-1-1.new", "notes.batch", "notes.new"] {
            let (folder, mut spool) = found_beside(|folder| way(&folder.join(name)));
            assert_eq!((spool.level().batches, spool.named.clone()), (2, vec![name.to_owned()]), "{number}");
            assert_eq!(drain(&mut spool, at(9)), [1, 2]);
            assert_eq!(spool.lost(), Lost::default());
            assert!(folder.path().join(name).symlink_metadata().is_ok(), "{number}: {name} was removed");
        }
    }
}

/// A batch that is read is opened as carefully as one that is found.
#[test]
fn what_takes_the_place_of_a_batch_is_neither_read_nor_removed() {
    type Put = fn(&Path);
    let ways: [Put; 3] = [
        fifo,
        |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        |path| std::fs::write(path, "hello, world, and nothing else").unwrap(),
    ];
    for way in ways {
        let (folder, mut spool) = found_beside(|_| {});
        let first = files(folder.path()).remove(0);
        std::fs::remove_file(&first).unwrap();
        way(&first);
        assert_eq!(drain(&mut spool, at(9)), [2]);
        assert_eq!(spool.lost().missing, Loss { batches: 1, points: 1 });
        assert!(first.symlink_metadata().is_ok());
    }
}

#[test]
fn damaged_ones_that_are_found_cost_themselves_alone() {
    type Break = fn(&mut Vec<u8>);
    let ways: [Break; 6] = [
        |bytes| bytes.truncate(50),
        |bytes| bytes.truncate(3),
        |bytes| bytes.clear(),
        |bytes| bytes.extend([0; 5_000]),
        |bytes| bytes[7] = 2,
        |bytes| bytes[10] ^= 0x80,
    ];
    for way in ways {
        let (folder, mut spool) = found_beside(|folder| {
            let first = &files(folder)[0];
            let mut bytes = std::fs::read(first).unwrap();
            way(&mut bytes);
            std::fs::write(first, bytes).unwrap();
        });
        assert_eq!((spool.level().batches, spool.lost().corrupt), (1, Loss { batches: 1, points: 1 }));
        assert_eq!(drain(&mut spool, at(9)), [2]);
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn a_batch_that_is_larger_than_the_spool_goes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let large = settings::Spool { size: 10_000, ..settings(Some(folder.path())) };
    let mut spool = Spool::open(&large).unwrap();
    append(&mut spool, 1);
    spool.append(at(2), 9, vec![2; 2_000]).unwrap();
    append(&mut spool, 3);
    drop(spool);
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    assert_eq!(spool.lost().full, Loss { batches: 1, points: 9 });
    assert_eq!(drain(&mut spool, at(9)), [1, 3]);
}

#[test]
fn a_directory_that_went_away_counts_no_more_and_is_locked_again() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, elsewhere) = (folder.path().join("spool"), folder.path().join("elsewhere"));
    let mut spool = Spool::open(&settings(Some(&directory))).unwrap();
    (1..=2).for_each(|batch| append(&mut spool, batch));
    std::fs::rename(&directory, &elsewhere).unwrap();
    append(&mut spool, 3);
    assert_eq!((spool.level().batches, spool.lost().missing), (1, Loss { batches: 2, points: 3 }));
    assert_eq!(files(&directory).len(), 1, "made again, and used");
    assert!(Spool::open(&settings(Some(&directory))).is_err(), "and locked");
    assert_eq!(files(&elsewhere).len(), 2, "what was moved away is left alone");

    // It comes back with what was in it.
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::rename(&elsewhere, &directory).unwrap();
    assert_eq!(drain(&mut spool, at(9)), [1, 2]);
    assert_eq!(spool.lost().missing, Loss { batches: 1, points: 3 });
}

#[test]
fn a_directory_that_another_process_has_meanwhile_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    append(&mut spool, 1);
    // Whoever tidies up takes the lock away; then another one comes.
    std::fs::remove_file(folder.path().join("lock")).unwrap();
    let mut other = Spool::open(&settings(Some(folder.path()))).unwrap();
    let refused = spool.append(at(2), 2, vec![2; 100]).unwrap_err();
    assert!(what_to_do(&refused).starts_with("is in use by another process"), "{refused}");
    assert_eq!((spool.level().batches, spool.lost().missing), (1, Loss { batches: 1, points: 1 }));
    assert_eq!(drain(&mut spool, at(9)), [2], "from memory");
    assert_eq!(drain(&mut other, at(9)), [1]);
    drop(other);
    append(&mut spool, 3);
    assert_eq!(spool.only_in_memory(), 0, "used again");
}

#[test]
fn files_that_others_removed_count_no_more_as_soon_as_one_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&settings(Some(folder.path()))).unwrap();
    (1..=4).for_each(|batch| append(&mut spool, batch));
    let all = files(folder.path());
    [0, 2].into_iter().for_each(|at| std::fs::remove_file(&all[at]).unwrap());
    assert!(spool.oldest(at(9)).is_some());
    assert_eq!((spool.level().batches, spool.lost().missing), (2, Loss { batches: 2, points: 4 }));
    assert_eq!(drain(&mut spool, at(9)), [2, 4]);
}

#[test]
fn a_lock_that_is_a_link_or_a_pipe_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    let directory = folder.path().join("spool");
    std::fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink(&victim, directory.join("lock")).unwrap();
    assert!(Spool::open(&settings(Some(&directory))).is_err());
    assert!(!victim.exists());
}
