//! `packaging/release`: the archive is whole, says so, and installs without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use super::{Machine, blocks, root};
use crate::support::template::Directory;

/// Made once, from the binary of this build: how it is built is not what is tested here.
static RELEASE: LazyLock<Directory> = LazyLock::new(|| {
    let directory = Directory::new();
    let output = Command::new(root().join("packaging/release"))
        .args(["--binary", env!("CARGO_BIN_EXE_countersign"), "--out"])
        .arg(directory.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    directory
});

fn copied_to(machine: &Machine) {
    for entry in fs::read_dir(RELEASE.path()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, machine.path("work").join(path.file_name().unwrap())).unwrap();
    }
}

pub fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    found.unwrap().status.success()
}

#[test]
fn it_installs_where_there_is_no_network() {
    let machine = Machine::new();
    copied_to(&machine);
    let page = blocks("air-gapped.md").join("\n");
    // The machine is a folder.
    let root = machine.path("root");
    let page = page.replace(
        "./install\n",
        &format!("./install --root {}\n", root.display()),
    );
    machine.types(&page);
    for root in [root.as_path(), machine.path("image").as_path()] {
        for file in [
            "usr/local/bin/countersign",
            "etc/systemd/system/countersign.service",
            "usr/local/share/doc/countersign/operate/bare-metal.md",
            "usr/local/share/doc/countersign/nginx/countersign.conf",
            "usr/local/share/doc/countersign/postgresql/roles.sql",
            "usr/local/share/doc/countersign/countersign.example.toml",
            "usr/local/share/doc/countersign/LICENSE",
        ] {
            assert!(root.join(file).is_file(), "{file}");
        }
    }
    let unit = fs::read_to_string(root.join("etc/systemd/system/countersign.service")).unwrap();
    assert!(
        unit.contains("ExecStart=/usr/local/bin/countersign serve"),
        "{unit}"
    );
    let version = Command::new(root.join("usr/local/bin/countersign"))
        .arg("--version")
        .output();
    let version = String::from_utf8(version.unwrap().stdout).unwrap();
    assert_eq!(
        version.trim(),
        format!("countersign {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn an_archive_that_was_changed_is_noticed() {
    for spoil in [
        "echo >> countersign.service",
        "echo > extra",
        "echo > docs/SHA256SUMS",
        "ln -s /etc/hostname extra",
        "rm LICENSE",
        "mv docs/operate/README.md docs/operate/OTHER.md",
    ] {
        let machine = Machine::new();
        copied_to(&machine);
        machine.types("tar -xzf countersign-*-linux.tar.gz");
        let typed = format!(
            "cd countersign-*-linux\n./verify\n{spoil}\n! ./verify\n! ./install --root ../none"
        );
        machine.types(&typed);
        assert!(!machine.path("none").exists(), "{spoil}");
    }
}

#[test]
fn its_bill_of_materials_names_what_is_inside() {
    if !has("cargo-cyclonedx") {
        return eprintln!("not tried: cargo-cyclonedx is missing");
    }
    let file = |suffix: &str| {
        let mut files = fs::read_dir(RELEASE.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        files
            .find(|path| path.to_str().unwrap().ends_with(suffix))
            .unwrap()
    };
    let bill: serde_json::Value =
        serde_json::from_slice(&fs::read(file(".cdx.json")).unwrap()).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let names: Vec<_> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    for name in ["rustls", "aws-lc-rs", "sqlx", "tokio"] {
        assert!(names.contains(&name), "{name}");
    }
}

/// The package of this release, where there is cargo-deb.
pub fn debian_package() -> PathBuf {
    let mut files = fs::read_dir(RELEASE.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .unwrap()
}

#[test]
fn its_debian_package_has_everything_in_its_place() {
    if !has("cargo-deb") || !has("dpkg-deb") {
        return eprintln!("not tried: cargo-deb is missing");
    }
    let package = debian_package();
    let show = |option: &str, package: &Path| {
        let output = Command::new("dpkg-deb")
            .arg(option)
            .arg(package)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let contents = show("--contents", &package);
    for file in [
        "./usr/bin/countersign",
        "./lib/systemd/system/countersign.service",
        "./usr/share/doc/countersign/operate/bare-metal.md",
        "./usr/share/doc/countersign/postgresql/roles.sql",
        "./usr/share/doc/countersign/copyright",
    ] {
        assert!(contents.contains(file), "{file}: {contents}");
    }
    let info = show("--info", &package);
    assert!(
        info.contains("postinst") && info.contains("adduser"),
        "{info}"
    );
}
