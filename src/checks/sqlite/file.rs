//! The database file and the files beside it: how it can be read so that nothing is made, changed or taken from the
//! application.
//!
//! In WAL mode a reader needs the files `-wal` and `-shm`, and SQLite makes them where they are absent. They would be
//! ours, and the application could no longer write. So a database without `-wal`, which nobody has open, is read as if
//! it could not change; with both files there, `-shm` is only read as well. SQLite writes the log back into the database
//! when the last connection closes, but not through a file that is open for reading.
//!
//! A process that closes any descriptor of a file loses its locks on that file, those of SQLite too. So the file is held
//! open for as long as it is the one at the path, which also keeps its inode number from being given to another.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::checks::parameters::{self, Means};

/// Where the header of a database says how it is read, and what stands there in WAL mode.
const READ_VERSION: (u64, u8) = (19, 2);

/// The parameters of a URL for SQLite.
const PARAMETERS: [(&str, Means); 4] = [
    ("mode", Means::Same(&["ro", "rw", "rwc"])),
    ("cache", Means::Same(&["private", "shared"])),
    ("immutable", Means::Same(&["0", "false"])),
    ("vfs", Means::Instead("the file is read as the system has it")),
];

/// The path that the setting means, which may also be a URL such as `sqlite:///var/lib/shop.db?mode=rwc`.
pub(super) fn path(setting: &Path) -> Result<PathBuf, String> {
    let text = setting.to_string_lossy();
    let path = match text.strip_prefix("sqlite:").or_else(|| text.strip_prefix("sqlite3:")) {
        Some(url) => {
            let (path, query) = url.split_once('?').unwrap_or((url, ""));
            parameters::look(url::form_urlencoded::parse(query.as_bytes()), &PARAMETERS)?;
            let path = path.strip_prefix("//").unwrap_or(path);
            let path = percent_decode_str(path).decode_utf8();
            path.map_err(|_| "holds bytes that are not UTF-8")?.into_owned().into()
        }
        None if text.starts_with("file:") => {
            return Err("must be the path of the file, without file:".to_owned());
        }
        None => setting.as_os_str().to_owned(),
    };
    if path.is_empty() || path == ":memory:" {
        return Err("must be a file: a database in memory is seen by its own program only".to_owned());
    }
    Ok(path.into())
}

/// The file that was found at the path.
pub(super) struct Database {
    file: File,
    device: u64,
    inode: u64,
}

/// How a database is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// With locks, as any reader does.
    Locked,
    /// In WAL mode, with its files. A reader marks in `-shm` how far it reads; one that may not write there uses the mark
    /// of another, and the first writer sets one.
    Logged,
    /// In WAL mode while nobody has it open: as a file that cannot change.
    Alone,
}

/// Why the database is not read.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The system's error.
    Io(io::Error),
    /// It holds no byte.
    Empty,
    /// A file `-wal` that is not empty, without the file `-shm`.
    LoneLog,
}

impl From<io::Error> for Unfit {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Database {
    /// Opens what is at `path`; not what would have to be waited for, such as a pipe.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { file, device: metadata.dev(), inode: metadata.ino() })
    }

    /// Whether it is still what is at `path`.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
    }

    /// How to open it. A file of 0 bytes is a database without tables, if that is allowed.
    pub(super) fn manner(&self, path: &Path, allow_empty: bool) -> Result<Manner, Unfit> {
        if self.file.metadata()?.len() == 0 {
            return if allow_empty { Ok(Manner::Alone) } else { Err(Unfit::Empty) };
        }
        let (at, wal) = READ_VERSION;
        let mut version = [0];
        let read = self.file.read_at(&mut version, at)?;
        match size(&beside(path, "-wal"))? {
            None if read == 1 && version == [wal] => Ok(Manner::Alone),
            None => Ok(Manner::Locked),
            Some(_) if size(&beside(path, "-shm"))?.is_some() => Ok(Manner::Logged),
            Some(0) => Ok(Manner::Alone),
            // A reader would have to make the other file.
            Some(_) => Err(Unfit::LoneLog),
        }
    }
}

impl Manner {
    /// What SQLite is given as the name of the file.
    pub(super) fn uri(self, path: &Path) -> String {
        let parameters = match self {
            Self::Locked | Self::Logged => "mode=ro&readonly_shm=1",
            Self::Alone => "mode=ro&immutable=1",
        };
        format!("file:{}?{parameters}", percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The size of the file at `path`; `None` where there is none.
fn size(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_stand_in_a_url() {
        for (setting, expected) in [
            ("/var/shop ?#%.db", "/var/shop ?#%.db"),
            ("sqlite:///var/shop.db?mode=rwc&cache=shared", "/var/shop.db"),
            ("sqlite://shop%20two.db", "shop two.db"),
            ("sqlite:shop.db", "shop.db"),
        ] {
            assert_eq!(path(Path::new(setting)), Ok(expected.into()));
        }
        for wrong in [
            ":memory:",
            "sqlite::memory:",
            "sqlite://",
            "file:shop.db?mode=ro",
            "sqlite:a.db?mode=memory",
            "sqlite:a.db?immutable=1",
        ] {
            assert!(path(Path::new(wrong)).is_err(), "{wrong}");
        }
    }
}
