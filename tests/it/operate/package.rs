//! The Debian package, installed, upgraded and taken away by `dpkg` itself, on a copy of this machine
//! that is thrown away: an overlay over `/`, in a mount namespace of its own.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use super::release::{self, has};
use super::root;
use crate::support::template::Directory;

/// What an operator has who set the server up: its settings, its root key and its data.
const SET_UP: &str = "
    echo 'issuer = \"https://login.bank.example\"' > /etc/countersign/countersign.toml
    chown root:countersign /etc/countersign/countersign.toml
    chmod 0640 /etc/countersign/countersign.toml
    install -m 0400 /dev/null /etc/countersign/root.key && echo secret > /etc/countersign/root.key
    install -o countersign -g countersign -m 0600 /dev/null /var/lib/countersign/countersign.db
    echo data > /var/lib/countersign/countersign.db";

/// Everything of it, with owners, modes and contents.
const KEPT: &str = "
    getent passwd countersign
    find /etc/countersign /var/lib/countersign -printf '%p %u:%g %m %T@\\n' | sort
    cat /etc/countersign/* /var/lib/countersign/*";

#[test]
fn it_makes_account_folders_and_unit_and_starts_nothing() {
    let Some(machine) = Copy::make() else { return };
    let said = machine.types("dpkg -i /package.deb");
    assert!(said.contains("operate/bare-metal.md"), "{said}");
    let found = "stat --format '%n %U:%G %a' /usr/bin/countersign \
                 /lib/systemd/system/countersign.service /etc/countersign /var/lib/countersign";
    assert_eq!(
        machine.types(found),
        "/usr/bin/countersign root:root 755\n\
         /lib/systemd/system/countersign.service root:root 644\n\
         /etc/countersign root:countersign 750\n\
         /var/lib/countersign countersign:countersign 700\n"
    );
    let account = machine.types("getent passwd countersign");
    let fields: Vec<_> = account.trim().split(':').collect();
    assert!(fields[2].parse::<u32>().unwrap() < 1000, "{account}");
    assert_eq!(fields[5..], ["/var/lib/countersign", "/usr/sbin/nologin"]);
    // Nobody signs in by it, and no file of the package is another than it came.
    let locked = machine.types("getent shadow countersign");
    assert!(locked.split(':').nth(1).unwrap().starts_with(['!', '*']));
    assert_eq!(machine.types("dpkg --verify countersign"), "");
    let version = machine.types("countersign --version");
    assert_eq!(
        version.trim(),
        concat!("countersign ", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(machine.asked(), ["daemon-reload"]);
}

#[test]
fn another_version_touches_no_settings_and_no_data() {
    let Some(machine) = Copy::make() else { return };
    machine.types("dpkg -i /package.deb");
    machine.types(SET_UP);
    let before = machine.types(KEPT);
    machine.types(
        "dpkg-deb -R /package.deb /newer && cd /newer
         sed -i 's/^Version: .*/Version: 999/' DEBIAN/control
         echo '# newer' >> lib/systemd/system/countersign.service
         echo '# newer' >> usr/share/doc/countersign/countersign.example.toml
         dpkg-deb -Znone -b /newer /newer.deb",
    );
    // And back: the previous version runs on what the newer one left.
    for (package, newer) in [("/newer.deb", true), ("/package.deb", false)] {
        let said = machine.types(&format!("dpkg -i {package}"));
        assert!(!said.contains("not set up"), "{said}");
        assert_eq!(machine.types(KEPT), before);
        let unit = machine.types("cat /lib/systemd/system/countersign.service");
        assert_eq!(unit.contains("# newer"), newer);
        assert_eq!(machine.types("dpkg --verify countersign"), "");
    }
    // Neither stopped nor started: that is the operator's to choose.
    assert_eq!(machine.asked(), ["daemon-reload"; 3]);
}

#[test]
fn taking_it_away_stops_it_and_leaves_all_that_cannot_be_made_again() {
    let Some(machine) = Copy::make() else { return };
    machine.types("dpkg -i /package.deb");
    machine.types(SET_UP);
    let before = machine.types(KEPT);
    let gone = "ls /usr/bin/countersign /lib/systemd/system/countersign.service \
                /usr/share/doc/countersign 2> /dev/null || true";
    for (act, says) in [("-r", false), ("-P", true)] {
        let said = machine.types(&format!("dpkg {act} countersign"));
        assert_eq!(
            said.contains("are left; remove them yourself"),
            says,
            "{said}"
        );
        assert_eq!(machine.types(gone), "", "{act}");
        assert_eq!(machine.types(KEPT), before, "{act}");
    }
    let asked = machine.asked();
    assert!(
        asked.contains(&"disable --now countersign".to_owned()),
        "{asked:?}"
    );
    let known = machine.types("dpkg-query --show countersign 2> /dev/null || true");
    assert_eq!(known, "");
    // Whoever installs it again goes on where he was, with the account that was there.
    machine.types("dpkg -i /package.deb");
    assert_eq!(machine.types(KEPT), before);
}

#[test]
fn a_machine_without_the_service_manager_takes_it_too() {
    let Some(machine) = Copy::make() else { return };
    machine.types("rm -r /run/systemd /usr/local/bin/systemctl");
    machine.types("dpkg -i /package.deb\ndpkg -P countersign\ntest -d /var/lib/countersign");
}

/// A copy of this machine, with the package in its root. What is written stays in a folder of ours.
struct Copy(Directory);

/// The real service manager is not asked: what it would be stands in a file.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$@\" >> /asked\n";

/// Nothing of it is seen outside, and the kernel takes it away with the last process.
const AROUND: &str = r#"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$HERE/written,workdir=$HERE/work" "$HERE/machine"
    mount --rbind /dev "$HERE/machine/dev"
    exec chroot "$HERE/machine" bash -euo pipefail -c "$TYPED"
"#;

impl Copy {
    /// `None`, and a word, where there is no Debian, or nobody may make such a copy.
    fn make() -> Option<Self> {
        let needed = ["dpkg", "dpkg-deb", "adduser", "unshare"];
        if let Some(missing) = needed.into_iter().find(|program| !has(program)) {
            eprintln!("not tried: {missing} is missing");
            return None;
        }
        let copy = Self(Directory::new());
        for folder in [
            "written/run/systemd/system",
            "written/usr/local/bin",
            "work",
            "machine",
        ] {
            fs::create_dir_all(copy.path(folder)).unwrap();
        }
        let systemctl = copy.path("written/usr/local/bin/systemctl");
        fs::write(&systemctl, SYSTEMCTL).unwrap();
        fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        if !copy.output("true").status.success() {
            eprintln!("not tried: only root, where it may mount an overlay, copies this machine");
            return None;
        }
        fs::copy(&*PACKAGE.1, copy.path("written/package.deb")).unwrap();
        Some(copy)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn output(&self, typed: &str) -> Output {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "bash", "-euo", "pipefail", "-c", AROUND])
            .env("HERE", self.0.path())
            .env("TYPED", typed)
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        command.output().unwrap()
    }

    /// Types what must succeed; gives what was printed.
    #[track_caller]
    fn types(&self, typed: &str) -> String {
        let output = self.output(typed);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{typed}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the service manager was asked.
    fn asked(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.path("written/asked")).unwrap();
        asked.lines().map(str::to_owned).collect()
    }
}

/// The package as it is released; where cargo-deb is missing, one of the same files and scripts.
static PACKAGE: LazyLock<(Directory, PathBuf)> = LazyLock::new(|| {
    let folder = Directory::new();
    let package = if has("cargo-deb") {
        release::debian_package()
    } else {
        put_together(folder.path())
    };
    (folder, package)
});

fn put_together(folder: &Path) -> PathBuf {
    eprintln!("cargo-deb is missing: the package is put together here");
    let tree = folder.join("tree");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, manifest) = manifest.split_once("\nassets = [\n").unwrap();
    let (assets, _) = manifest.split_once("\n]").unwrap();
    let mut typed = String::from("umask 022\n");
    for asset in assets.lines() {
        let asset = asset.trim().trim_end_matches(',');
        let [from, to, mode]: [String; 3] = serde_json::from_str(asset).unwrap();
        let from = from.replace(
            "target/release/countersign",
            env!("CARGO_BIN_EXE_countersign"),
        );
        writeln!(typed, "install -D -m {mode} -t $TREE/{to} {from}").unwrap();
    }
    let control = format!(
        "Package: countersign\nVersion: {}\nArchitecture: all\nDepends: adduser\n\
         Maintainer: Nobody <nobody@localhost>\nDescription: as the tests put it together\n",
        env!("CARGO_PKG_VERSION")
    );
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    typed.push_str(
        "strip $TREE/usr/bin/countersign || true\n\
         install -m 755 packaging/debian/* $TREE/DEBIAN\n\
         dpkg-deb -Znone --root-owner-group -b $TREE $TREE.deb",
    );
    let mut command = Command::new("bash");
    command.args(["-euc", &typed]).current_dir(root());
    let status = command.env("TREE", &tree).status().unwrap();
    assert!(status.success());
    fs::remove_dir_all(&tree).unwrap();
    folder.join("tree.deb")
}

#[test]
fn a_container_is_built_from_all_that_the_build_reads() {
    // What lies beside it and no build reads.
    const OTHER: [&str; 13] = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Dockerfile",
        "README.md",
        "SECURITY.md",
        "clippy.toml",
        "deny.toml",
        "docker-compose.yml",
        "docs",
        "packaging",
        "rustfmt.toml",
        "target",
    ];
    let ignore = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let sent: Vec<&str> = ignore
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .map(|line| line.trim_end_matches('/'))
        .collect();
    for name in &sent {
        assert!(root().join(name).exists(), "there is no {name}");
    }
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with('.') || OTHER.contains(&name.as_str()) {
            continue;
        }
        assert!(
            sent.contains(&name.as_str()),
            ".dockerignore keeps {name} back"
        );
    }
}
