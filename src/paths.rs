//! Names of files beside other files, and the folders that files lie in.

use std::path::{Path, PathBuf};

/// The folder that a file lies in: `.` when none is named.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        None => path,
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
    }
}

/// A file whose name is that of another with something after it: `x.db` and `.lock` make `x.db.lock`.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_folder() {
        for (path, folder) in [
            ("x.db", "."),
            ("a/x.db", "a"),
            ("/x.db", "/"),
            ("/a/x.db", "/a"),
            ("/", "/"),
        ] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
    }

    #[test]
    fn a_name_is_lengthened_whatever_ending_it_has() {
        assert_eq!(beside(Path::new("a/x.db"), "-wal"), Path::new("a/x.db-wal"));
    }
}
