//! Files of `/proc` and `/sys`, opened once and read again in place: opening costs more than reading.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The folder under which `/proc` and `/sys` are looked for: `/`, or where a container has the host's.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self(PathBuf::from("/"))
    }
}

impl Root {
    /// Files under `path`.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Whether it is the root of this process.
    pub(crate) fn is_whole(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// `path`, which has no leading slash, under the root.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.join(path)
    }

    /// The file at `path`, which has no leading slash, under the root; not opened yet.
    pub(crate) fn file(&self, path: impl AsRef<Path>) -> KernelFile {
        KernelFile::new(self.join(path))
    }
}

/// A file that the kernel makes up when it is read.
#[derive(Debug)]
pub(crate) struct KernelFile {
    path: PathBuf,
    open: Option<File>,
    content: Vec<u8>,
    /// A read that gives less, and could have given a page, was the last.
    last_below: usize,
}

impl KernelFile {
    const PAGE: usize = 4096;

    /// The kernel hands out as many whole lines as fit into a page: what is shorter than half of one has no further
    /// lines, unless those are longer than that.
    const HALF_PAGE: usize = 2048;

    /// The most that is read of one file; a longer one is an error, not a part of itself.
    const MOST: usize = 8 * 1024 * 1024;

    /// The file at `path`; not opened yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), open: None, content: Vec::new(), last_below: Self::HALF_PAGE }
    }

    /// The same file, whose lines may be of any length: it is read until it says that it has ended.
    pub(crate) fn of_long_lines(self) -> Self {
        Self { last_below: 0, ..self }
    }

    /// The same file, whose lines are a name and a number at most: what leaves room for one of them has ended. That
    /// spares a read, for which the kernel makes up all of the numbers again.
    pub(crate) fn of_short_lines(self) -> Self {
        const LONGEST: usize = 64;
        Self { last_below: Self::PAGE - LONGEST, ..self }
    }

    /// Its content now.
    ///
    /// # Errors
    /// What opening and reading give; the file is opened anew the next time then.
    pub(crate) fn read(&mut self) -> io::Result<&[u8]> {
        let file = match self.open.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        if self.content.is_empty() {
            self.content.resize(Self::PAGE, 0);
        }
        let mut length = 0;
        loop {
            if length == self.content.len() {
                if length > Self::MOST {
                    return Err(io::Error::new(
                        io::ErrorKind::FileTooLarge,
                        "longer than any file of the kernel",
                    ));
                }
                self.content.resize((length * 2).min(Self::MOST + 1), 0);
            }
            let rest = self.content.get_mut(length..).unwrap_or_default();
            let room = rest.len();
            match file.read_at(rest, length as u64) {
                Ok(0) => break,
                Ok(read) if read < self.last_below && room >= Self::PAGE => {
                    length += read;
                    break;
                }
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.open = Some(file);
        Ok(self.content.get(..length).unwrap_or_default())
    }

    /// Whether its content may be another than when it was last read. Asking costs a hundredth of reading a list of
    /// mounts, the file that knows; of any other file it may always be.
    pub(crate) fn may_have_changed(&self) -> bool {
        const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A list of mounts cannot be written; a file that does not know what polling is says that it can.
        let knows_not = PollFlags::OUT | PollFlags::PRI | PollFlags::ERR | PollFlags::NVAL;
        let Some(file) = &self.open else { return true };
        let mut asked = [PollFd::new(file, PollFlags::PRI | PollFlags::IN | PollFlags::OUT)];
        let told = poll(&mut asked, Some(&AT_ONCE));
        !told.is_ok_and(|_| asked.iter().all(|file| !file.revents().intersects(knows_not)))
    }

    /// Its content now, as text.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`InvalidData`](io::ErrorKind::InvalidData) where it is no text.
    pub(crate) fn text(&mut self) -> io::Result<&str> {
        let content = self.read()?;
        std::str::from_utf8(content).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_now_however_long() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let mut file = root.file("proc/stat");
        assert_eq!(file.read().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::create_dir(folder.path().join("proc")).unwrap();
        let mut short = root.file("proc/stat").of_short_lines();
        for content in
            ["short".to_owned(), "x".repeat(10_000), String::new(), "ü".to_owned(), "y".repeat(4_040)]
        {
            std::fs::write(root.join("proc/stat"), &content).unwrap();
            assert_eq!(file.text().unwrap(), content);
            assert_eq!(short.text().unwrap(), content);
        }
        std::fs::write(root.join("proc/stat"), [0xff, 0xfe]).unwrap();
        assert_eq!(file.text().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(file.read().unwrap(), [0xff, 0xfe]);
        assert!(file.may_have_changed(), "who knows");
    }

    #[test]
    fn a_file_that_is_too_long_is_an_error_and_not_a_part_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        let disk = File::create(&path).unwrap();
        let mut file = KernelFile::new(&path);
        let most = 8 * 1024 * 1024;
        for length in [most, most - 1, most + 1, 3 * most, 1] {
            disk.set_len(length).unwrap();
            let read = file.read().map(|content| content.len() as u64).map_err(|error| error.kind());
            let wanted = if length > most { Err(io::ErrorKind::FileTooLarge) } else { Ok(length) };
            assert_eq!(read, wanted, "{length}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_of_short_lines_is_read_as_far_as_any() {
        let names = |mut file: KernelFile| -> Vec<String> {
            let lines = file.text().unwrap().lines();
            lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
        };
        let file = || KernelFile::new("/proc/vmstat");
        assert_eq!(names(file().of_short_lines()), names(file().of_long_lines()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_list_of_mounts_says_that_it_is_the_same() {
        let mut file = KernelFile::new("/proc/self/mountinfo").of_long_lines();
        assert!(file.may_have_changed(), "it was never read");
        // Whatever else goes on here mounts things seldom.
        let same = (0..1_000).any(|_| {
            let before = file.read().unwrap().to_vec();
            !file.may_have_changed() && file.read().unwrap() == before
        });
        assert!(same);
    }
}
