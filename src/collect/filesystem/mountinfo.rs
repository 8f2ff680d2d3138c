//! `/proc/self/mountinfo`: what is mounted where, as this process sees it. Also how the control groups are found.
//!
//! Some microseconds for thirty mounts. A line that does not follow the format is counted and left out; the others
//! stand. Also which mount a path leads to, as what is mounted later covers what was there. Knows nothing of which mounts
//! are worth showing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::collect::Root;

/// One line: one mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collect) struct Mount {
    /// The number of this mount; given again once it is gone.
    pub(in crate::collect) id: u64,
    /// The number of the mount that it is mounted on.
    pub(in crate::collect) parent: u64,
    /// Major and minor number of the device; the same for all mounts of one file system.
    pub(in crate::collect) device: (u32, u32),
    /// What of the file system is mounted: `/` unless it is a bind mount.
    pub(in crate::collect) root: PathBuf,
    /// Where it is mounted.
    pub(in crate::collect) path: PathBuf,
    /// Whether it, or the file system under it, is read-only.
    pub(in crate::collect) read_only: bool,
    /// The type: `ext4`, `fuse.sshfs`.
    pub(in crate::collect) kind: String,
    /// What is mounted: `/dev/sda1`, `server:/export`, or any word.
    pub(in crate::collect) source: String,
    /// The options of the file system, separated by commas; for version 1 of the control groups the controllers.
    pub(in crate::collect) options: String,
}

/// The mounts of `content`, in its order, and how many lines were none.
pub(in crate::collect) fn parse(content: &[u8]) -> (Vec<Mount>, usize) {
    let mut malformed = 0;
    let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mounts = lines
        .filter_map(|line| {
            let mount = line_of(line);
            malformed += usize::from(mount.is_none());
            mount
        })
        .collect();
    (mounts, malformed)
}

/// `36 35 98:0 /root /mount/point rw,noatime master:1 … - ext4 /dev/sda1 rw,errors=continue`
fn line_of(line: &[u8]) -> Option<Mount> {
    // Separated by exactly one space: a source may be empty.
    let mut fields = line.split(|byte| *byte == b' ');
    let id = text(fields.next()?).parse().ok()?;
    let parent = text(fields.next()?).parse().ok()?;
    let device = text(fields.next()?);
    let (major, minor) = device.split_once(':')?;
    let root = path(fields.next()?);
    let mount_point = path(fields.next()?);
    let own_options = text(fields.next()?);
    fields.find(|field| *field == b"-")?;
    let kind = text(fields.next()?);
    let source = text(fields.next()?);
    let options = text(fields.next()?);
    if kind.is_empty() || !mount_point.is_absolute() {
        return None;
    }
    // A file system that met an error turns read-only as a whole, which the mount's own options do not tell.
    let read_only =
        [&own_options, &options].iter().any(|options| options.split(',').any(|word| word == "ro"));
    Some(Mount {
        id,
        parent,
        device: (major.parse().ok()?, minor.parse().ok()?),
        root,
        path: mount_point,
        read_only,
        kind,
        source,
        options,
    })
}

impl Root {
    /// Whether this process' list of mounts is of the system that the root is a folder of. A list under a folder in which
    /// nothing is mounted is right as it is: it was put there.
    pub(in crate::collect) fn is_of_this_system(&self, mounts: &[Mount]) -> bool {
        let folder = self.join("");
        mounts.iter().any(|mount| mount.path.starts_with(&folder))
    }
}

/// Where paths lead among the mounts of one list.
pub(in crate::collect) struct Tree<'m> {
    mounts: &'m [Mount],
    /// The last mount on a place of another; `None` stands for whatever is above the list.
    by_place: HashMap<(Option<u64>, &'m Path), usize>,
}

impl<'m> Tree<'m> {
    pub(in crate::collect) fn new(mounts: &'m [Mount]) -> Self {
        let known: HashSet<u64> = mounts.iter().map(|mount| mount.id).collect();
        let parent = |mount: &Mount| Some(mount.parent).filter(|id| *id != mount.id && known.contains(id));
        let places = mounts.iter().map(|mount| (parent(mount), mount.path.as_path()));
        Self { mounts, by_place: places.zip(0..).collect() }
    }

    /// The mount that `path` leads to; what is a link on the way has to be resolved before.
    pub(in crate::collect) fn holding(&self, path: &Path) -> Option<&'m Mount> {
        self.index_of(path).and_then(|index| self.mounts.get(index))
    }

    /// Those mounts that can be reached, as nothing covers them.
    pub(in crate::collect) fn reachable(&self) -> impl Iterator<Item = &'m Mount> {
        let mounts = self.mounts.iter().enumerate();
        mounts.filter(|(index, mount)| self.index_of(&mount.path) == Some(*index)).map(|(_, mount)| mount)
    }

    /// Follows `path` from the top, changing over to what is mounted at each step.
    fn index_of(&self, path: &Path) -> Option<usize> {
        let mut steps: Vec<&Path> = path.ancestors().collect();
        steps.reverse();
        let mut at: Option<usize> = None;
        for step in steps {
            let on = |at: Option<usize>| {
                let id = at.and_then(|index| self.mounts.get(index)).map(|mount| mount.id);
                self.by_place.get(&(id, step)).copied()
            };
            // A list that contradicts itself could lead in a circle.
            let mut left = self.mounts.len();
            let mut next = on(at).or_else(|| on(None));
            while let Some(index) = next.filter(|_| left > 0) {
                at = Some(index);
                left -= 1;
                next = on(at);
            }
        }
        at
    }
}

fn path(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescaped(field)))
}

/// The field as a label can show it: what is no UTF-8 becomes `�`.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescaped(field)).into_owned()
}

/// `\040` is a space; the kernel writes tab, line feed, backslash and `#` so too.
fn unescaped(mut field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    loop {
        field = match field {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest
            }
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
            [] => return bytes,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_line() {
        let (mounts, malformed) = parse(
            b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue\n",
        );
        assert_eq!(malformed, 0);
        let mount = Mount {
            id: 36,
            parent: 35,
            device: (98, 0),
            root: "/mnt1".into(),
            path: "/mnt2".into(),
            read_only: false,
            kind: "ext3".to_owned(),
            source: "/dev/root".to_owned(),
            options: "rw,errors=continue".to_owned(),
        };
        assert_eq!(mounts, [mount]);
    }

    #[test]
    fn decodes_what_the_kernel_escapes() {
        let (mounts, _) = parse(
            br"1 0 8:1 / /a\040b\011c\012d\134e\043f rw - ext4 //server/the\040share rw
2 0 8:2 / /not\0400\9\ rw - ext4  rw",
        );
        assert_eq!(mounts[0].path, Path::new("/a b\tc\nd\\e#f"));
        assert_eq!(mounts[0].source, "//server/the share");
        assert_eq!(mounts[1].path, Path::new("/not 0\\9\\"));
        assert_eq!(mounts[1].source, "", "a source may be empty");
    }

    #[test]
    fn a_name_that_is_no_text_costs_nobody_his_place() {
        let (mounts, malformed) =
            parse(b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /m\xfc rw - vfat /dev/sdb1 rw\n");
        assert_eq!(malformed, 0);
        assert_eq!(mounts[1].path, Path::new(OsStr::from_bytes(b"/m\xfc")));
        assert_eq!(mounts[1].path.to_string_lossy(), "/m\u{fffd}");
    }

    #[test]
    fn a_file_system_that_became_read_only_is_read_only() {
        let (mounts, _) = parse(
            b"1 0 8:1 / /a rw - ext4 x ro,errors=remount-ro\n2 0 8:1 / /b ro - ext4 x rw\n3 0 8:1 / /c rw - x x rw",
        );
        assert_eq!(mounts.iter().map(|mount| mount.read_only).collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn lines_that_are_none_are_counted() {
        let (mounts, malformed) = parse(
            b"\n1 0 8:1 / /\n1 0 8:1 / / rw ext4 x rw\nx 0 8:1 / / rw - ext4 x rw\n1 0 81 / / rw - ext4 x rw\n\
              1 0 8:1 / a rw - ext4 x rw\n1 0 8:1 / / rw -  x rw\n1 0 8:1 / / rw - ext4 x rw\n1 0 8:1 / / rw - ext4",
        );
        assert_eq!((mounts.len(), malformed), (1, 7));
    }

    fn places<'m>(mounts: &'m [Mount], paths: &[&str]) -> Vec<Option<u64>> {
        let tree = Tree::new(mounts);
        paths.iter().map(|path| tree.holding(Path::new(path)).map(|mount: &'m Mount| mount.id)).collect()
    }

    #[test]
    fn a_path_leads_to_what_was_mounted_last_on_the_way() {
        let (mounts, _) = parse(
            b"1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /data rw - ext4 b rw\n3 2 8:3 / /data/in rw - ext4 c rw\n\
              4 1 8:4 / /srv/deep rw - ext4 d rw\n5 1 8:5 / /srv rw - ext4 e rw\n6 2 8:6 / /data rw - ext4 f rw\n",
        );
        let paths = ["/", "/datas", "/data", "/data/in/x", "/srv", "/srv/deep", "/srv/deep/x"];
        assert_eq!(places(&mounts, &paths), [1, 1, 6, 6, 5, 5, 5].map(Some));
        let tree = Tree::new(&mounts);
        assert_eq!(tree.reachable().map(|mount| mount.id).collect::<Vec<_>>(), [1, 5, 6]);
        assert_eq!(places(&mounts[1..2], &["/", "/data/x"]), [None, Some(2)]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_this_machine() {
        let (mounts, malformed) = parse(&std::fs::read("/proc/self/mountinfo").unwrap());
        assert_eq!(malformed, 0);
        assert!(mounts.iter().any(|mount| mount.path == Path::new("/")));
    }

    proptest! {
        #[test]
        fn no_list_leads_in_a_circle(mounts in proptest::collection::vec((0_u64..4, 0_u64..4, "/[ab]?(/[ab])?"), 0..8)) {
            let lines = mounts.iter().map(|(id, parent, path)| format!("{id} {parent} 8:1 / {path} rw - ext4 x rw\n"));
            let (mounts, _) = parse(lines.collect::<String>().as_bytes());
            let tree = Tree::new(&mounts);
            prop_assert!(tree.reachable().count() <= mounts.len());
            let _ = tree.holding(Path::new("/a/b/c"));
        }

        #[test]
        fn garbage_is_left_out(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (mounts, malformed) = parse(&content);
            prop_assert!(mounts.len() + malformed <= content.len());
        }

        #[test]
        fn a_line_cut_short_is_no_mount_or_the_same(length in 0_usize..60) {
            let line = br"36 35 98:0 / /a\040b rw shared:1 - ext4 /dev/sda1 rw,relatime";
            let (mounts, _) = parse(&line[..length.min(line.len())]);
            prop_assert!(mounts.iter().all(|mount| mount.path == Path::new("/a b")));
        }

        #[test]
        fn any_path_comes_through(path in proptest::collection::vec(1_u8.., 0..40)) {
            let escape = |byte: &u8| match byte {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
                byte => vec![*byte],
            };
            let mut line = b"1 0 8:1 / /".to_vec();
            line.extend(path.iter().flat_map(escape));
            line.extend_from_slice(b" rw - ext4 x rw\n");
            let (mounts, malformed) = parse(&line);
            prop_assert_eq!((mounts.len(), malformed), (1, 0));
            prop_assert_eq!(&mounts[0].path.as_os_str().as_bytes()[1..], path);
        }
    }
}
