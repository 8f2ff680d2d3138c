//! Collector `file_descriptors`: how many open files this machine has, and may have. Off unless asked for.
//!
//! From `/proc/sys/fs/file-nr`, one small read. How many this process has open is `process`'.

use crate::config::Fields;
use crate::model::{Definition, Instrument};

use super::numbers::whole;
use super::proc_file::ProcFile;
use super::{Collector, Root, Sheet, Source};

static COUNT: Definition = Definition {
    name: "vitalsign.host.file_descriptors",
    instrument: Instrument::Gauge,
    unit: "{file_descriptor}",
    attributes: &[],
    help: "Number of open files on this machine",
};

static DEFINITIONS: &[&Definition] = &[&COUNT, &LIMIT];
static LIMIT: Definition = Definition {
    name: "vitalsign.host.file_descriptors.limit",
    instrument: Instrument::Gauge,
    unit: "{file_descriptor}",
    attributes: &[],
    help: "Number of files that may be open on this machine; absent where there is no limit",
};

/// See the module.
pub(super) struct FileDescriptors;

struct FileDescriptorCollector(ProcFile);

impl Source for FileDescriptors {
    fn name(&self) -> &'static str {
        "file_descriptors"
    }

    fn about(&self) -> &'static str {
        "Reads how many open files this machine has, and may have."
    }

    fn enabled(&self) -> bool {
        false
    }

    fn definitions(&self) -> &'static [&'static Definition] {
        DEFINITIONS
    }

    fn build(&self, root: &Root, _fields: &mut Fields<'_>) -> Option<Box<dyn Collector>> {
        Some(Box::new(FileDescriptorCollector(ProcFile::new(root, "proc/sys/fs/file-nr"))))
    }
}

impl Collector for FileDescriptorCollector {
    fn name(&self) -> &'static str {
        FileDescriptors.name()
    }

    fn collect(&mut self, sheet: &mut Sheet) {
        self.0.read(sheet, |text, sheet| {
            let (count, limit) = parse(text)?;
            sheet.set(&COUNT, &[], count as f64);
            // The kernel's word for no limit is the largest signed number.
            if i64::try_from(limit).is_ok_and(|limit| limit < i64::MAX) {
                sheet.set(&LIMIT, &[], limit as f64);
            }
            Some(())
        });
    }
}

/// How many there are, then always 0, then how many there may be.
fn parse(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.split_ascii_whitespace();
    let count = whole(fields.next())?;
    whole(fields.next())?;
    Some((count, whole(fields.next())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::trial::{Trial, survives};

    #[test]
    fn shows_how_many_and_the_limit() {
        let path = "proc/sys/fs/file-nr";
        let mut trial = Trial::new(&FileDescriptors, "{}");
        trial.write(path, "866\t0\t2466177\n");
        let page = trial.read();
        assert_eq!(page.value("vitalsign_host_file_descriptors"), Some(866.0));
        assert_eq!(page.value("vitalsign_host_file_descriptors_limit"), Some(2_466_177.0));
        trial.write(path, "866\t0\t9223372036854775807\n");
        assert_eq!(trial.read().len(), 1);
        survives(&FileDescriptors, "{}", &[(path, "866\t0\t2466177\n")]);
    }
}
