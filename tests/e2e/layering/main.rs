//! Who may depend on whom: the rules under "Invariants" in ARCHITECTURE.md, over what `cargo metadata` says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

/// A package and what it depends on when it is built for use, not for its tests.
struct Package {
    name: String,
    /// Its folder below the project's; none for those from elsewhere.
    folder: Option<String>,
    dependencies: Vec<String>,
}

struct Packages(BTreeMap<String, Package>);

impl Packages {
    fn read() -> Self {
        let metadata: Value =
            serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--filter-platform", &host()])).unwrap();
        let root = slight_e2e::root();
        let mut packages: BTreeMap<String, Package> = list(&metadata["packages"])
            .map(|package| {
                let folder =
                    Path::new(text(&package["manifest_path"])).parent().and_then(|path| path.strip_prefix(&root).ok());
                let folder = folder.map(|path| path.to_string_lossy().replace('\\', "/"));
                let name = text(&package["name"]).to_owned();
                (text(&package["id"]).to_owned(), Package { name, folder, dependencies: Vec::new() })
            })
            .collect();
        for node in list(&metadata["resolve"]["nodes"]) {
            let used = list(&node["deps"])
                .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null()));
            let package = packages.get_mut(text(&node["id"])).expect("every node is a package");
            package.dependencies = used.map(|dependency| text(&dependency["pkg"]).to_owned()).collect();
        }
        Self(packages)
    }

    /// The packages of the project below this folder.
    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a Package> {
        self.ours().filter(move |package| package.is_below(folder))
    }

    fn ours(&self) -> impl Iterator<Item = &Package> {
        self.0.values().filter(|package| package.folder.is_some())
    }

    fn direct(&self, package: &Package) -> impl Iterator<Item = &Package> {
        package.dependencies.iter().map(|id| &self.0[id])
    }

    /// Everything that a package is built from, by name.
    fn all(&self, package: &Package) -> BTreeSet<&str> {
        let (mut found, mut open) = (BTreeSet::new(), vec![package]);
        while let Some(package) = open.pop() {
            for dependency in self.direct(package) {
                if found.insert(dependency.name.as_str()) {
                    open.push(dependency);
                }
            }
        }
        found
    }
}

impl Package {
    fn is_below(&self, folder: &str) -> bool {
        self.folder.as_deref().is_some_and(|own| own == folder || own.starts_with(&format!("{folder}/")))
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(slight_e2e::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The platform of this machine: what is for others need not be there.
fn host() -> String {
    let version = cargo(&["-vV"]);
    version.lines().find_map(|line| line.strip_prefix("host: ")).expect("cargo tells its host").to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn is_engine(name: &str) -> bool {
    name.starts_with("wasmtime") || name.starts_with("cranelift")
}

#[test]
fn the_contracts_need_no_engine_no_runtime_no_toml_and_no_sdk() {
    let packages = Packages::read();
    let capabilities = packages.below("capabilities").next().expect("there are contracts");
    let all = packages.all(capabilities);
    let foreign = |name: &&str| {
        is_engine(name)
            || ["tokio", "hyper", "reqwest", "rustls", "toml"].iter().any(|part| name.starts_with(part))
            || ["redis", "async-nats", "redb", "sled", "object_store"].contains(name)
            || name.starts_with("aws-")
            || name.starts_with("azure_")
    };
    let found: Vec<_> = all.iter().copied().filter(|name| foreign(name)).collect();
    assert!(found.is_empty(), "capabilities is built from {found:?}");
    assert!(all.len() < 50, "capabilities is built from {} packages: {all:?}", all.len());
}

#[test]
fn only_the_runtime_reaches_the_engine() {
    let packages = Packages::read();
    // The tests may compare with it, and an example is a host.
    let above = |package: &&Package| ["runtime", "tests", "examples"].iter().any(|folder| package.is_below(folder));
    for package in packages.ours().filter(|package| !above(package)) {
        let found: Vec<_> = packages.all(package).into_iter().filter(|name| is_engine(name)).collect();
        assert!(found.is_empty(), "{} is built from {found:?}", package.name);
    }
    assert!(packages.below("runtime").any(|package| packages.all(package).contains("wasmtime")));
}

#[test]
fn only_config_and_the_command_line_see_toml() {
    let packages = Packages::read();
    for package in packages.ours().filter(|package| !package.is_below("config") && !package.is_below("runtime/slight"))
    {
        assert!(packages.direct(package).all(|dependency| dependency.name != "toml"), "{} uses toml", package.name);
    }
    let config = packages.below("config").next().expect("there is the configuration");
    assert!(packages.direct(config).any(|dependency| dependency.name == "toml"));
}

#[test]
fn everything_stands_on_the_contracts_alone_but_the_command_line() {
    let packages = Packages::read();
    let ours = |package| -> BTreeSet<&str> {
        packages
            .direct(package)
            .filter(|dependency| dependency.folder.is_some())
            .map(|dependency| dependency.name.as_str())
            .collect()
    };
    let contracts = BTreeSet::from(["slight-capabilities"]);
    for folder in ["config", "runtime/host", "providers", "tests/conformance"] {
        for package in packages.below(folder) {
            let mut used = ours(package);
            if folder == "providers" {
                used.remove("slight-handover");
            }
            assert_eq!(used, contracts, "{}", package.name);
        }
    }
    assert_eq!(ours(packages.below("capabilities").next().expect("there are contracts")), BTreeSet::new());

    let command_line = packages.below("runtime/slight").next().expect("there is a command line");
    let mut allowed: BTreeSet<&str> = packages.below("providers").map(|package| package.name.as_str()).collect();
    assert!(!allowed.is_empty());
    allowed.extend(["slight-capabilities", "slight-config", "slight-runtime"]);
    let used = ours(command_line);
    assert!(used.is_subset(&allowed), "{used:?}");
}
