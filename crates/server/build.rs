//! Lists the files of `web/citizen/dist` for the binary, each with its compressed forms. Whoever builds has built the application
//! before, with Node (`cargo xtask web`); where it was not, the list is empty, and the build and the binary say so.

use std::fmt::Write as _;
use std::path::Path;

const APPLICATION: &str = "../../web/citizen";

fn main() {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let application = Path::new(&crate_folder).join(APPLICATION);
    let dist = application.join("dist");
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        println!("cargo::rerun-if-changed={APPLICATION}/dist");
        collect(&dist, "", &mut files);
        files.sort();
    } else {
        // A path that is not there would build this crate anew each time; the folder around it changes when it comes.
        println!("cargo::rerun-if-changed={APPLICATION}");
        println!(
            "cargo::warning=the citizen's web application is not built and will not be served; it needs Node: cargo xtask web"
        );
    }

    // Copied, because the folder may be built anew while the crate is compiled.
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    for name in &files {
        let copy = out.join("application").join(name);
        let folder = copy.parent().expect("a folder around each file");
        std::fs::create_dir_all(folder).expect("a writable OUT_DIR");
        std::fs::copy(dist.join(name), copy).expect("a readable file");
    }
    let bytes =
        |name: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/application/{name}\"))");
    let compressed = |name: &str, ending: &str| {
        let name = format!("{name}{ending}");
        match files.contains(&name) {
            true => format!("Some({})", bytes(&name)),
            false => "None".to_owned(),
        }
    };
    let mut list = String::from("&[\n");
    let plain = |name: &&String| !name.ends_with(".br") && !name.ends_with(".gz");
    for name in files.iter().filter(plain) {
        writeln!(
            list,
            "    File {{ path: \"/{name}\", plain: {}, brotli: {}, gzip: {} }},",
            bytes(name),
            compressed(name, ".br"),
            compressed(name, ".gz"),
        )
        .expect("a string");
    }
    list.push_str("]\n");
    std::fs::write(out.join("application.rs"), list).expect("a writable OUT_DIR");
}

/// Names below `folder`, with `/` between.
fn collect(folder: &Path, before: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        let name = entry
            .file_name()
            .into_string()
            .expect("names of ASCII letters");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        assert!(
            name.bytes().all(is_plain),
            "{name}: a name that no address has"
        );
        let name = format!("{before}{name}");
        match entry.path().is_dir() {
            true => collect(&entry.path(), &format!("{name}/"), files),
            false => files.push(name),
        }
    }
}
