//! What would be deployed, and its weight.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The contents of a function's zip.
#[derive(Debug, Clone)]
pub struct Package {
    /// The function's own file.
    pub own: PathBuf,
    /// What that file is called in the zip.
    pub called: &'static str,
    /// Files and folders that it may bring along where Lambda's runtime has them too.
    pub libraries: Vec<PathBuf>,
}

/// The sizes of a zip, in MiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    /// Without the libraries.
    pub own: f64,
    /// With them.
    pub with_libraries: f64,
}

impl Package {
    /// Packs it, in memory.
    pub fn weigh(&self) -> anyhow::Result<Weight> {
        let mut own = Zip::new();
        own.add(&self.own, self.called)?;
        let mut all = Zip::new();
        all.add(&self.own, self.called)?;
        for library in &self.libraries {
            let name = library.file_name().map(|name| name.to_string_lossy()).context("a library has a name")?;
            all.add(library, &name)?;
        }
        Ok(Weight { own: own.size()?, with_libraries: all.size()? })
    }
}

struct Zip(ZipWriter<Cursor<Vec<u8>>>);

impl Zip {
    fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// A file, or all files of a folder; not what Python compiled, which depends on the Python.
    fn add(&mut self, path: &Path, name: &str) -> anyhow::Result<()> {
        if name.ends_with("__pycache__") {
            return Ok(());
        }
        if path.is_dir() {
            for entry in fs::read_dir(path).with_context(|| format!("listing {}", path.display()))? {
                let entry = entry.with_context(|| format!("listing {}", path.display()))?;
                self.add(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()))?;
            }
            return Ok(());
        }
        let content = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.0.start_file(name, options).with_context(|| format!("zipping {name}"))?;
        self.0.write_all(&content).with_context(|| format!("zipping {name}"))
    }

    fn size(self) -> anyhow::Result<f64> {
        let bytes = self.0.finish().context("zipping")?.into_inner().len();
        #[allow(clippy::cast_precision_loss, reason = "a zip is far smaller than 2^52 bytes")]
        Ok(bytes as f64 / 1_048_576.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_weigh_with_all_that_is_in_them_but_what_python_compiled() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            path
        };
        // It does not compress: each byte differs from what went before.
        let noise: Vec<u8> = (0..200_000_u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let own = file("function.py", b"pass");
        file("library/deep/data", &noise);
        let package = Package { own, called: "function.py", libraries: vec![folder.path().join("library")] };
        let before = package.weigh().unwrap();
        assert!(before.own < 0.001 && before.with_libraries > before.own, "{before:?}");
        file("library/__pycache__/data.pyc", &noise);
        assert_eq!(package.weigh().unwrap(), before);
    }
}
