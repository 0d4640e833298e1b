//! Container images, each standing for a local program (`images.toml`).

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    image: Vec<Image>,
}

/// What an image brings along.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    name: String,
    tag: String,
    #[serde(default)]
    pub(crate) entrypoint: Vec<String>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
}

/// All images there are: the registry.
pub(crate) struct Images {
    images: Vec<Image>,
    binaries: PathBuf,
}

impl Images {
    pub(crate) fn load(file: &Path, binaries: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading the map of images {}", file.display()))?;
        Self::read(&text, binaries).with_context(|| format!("reading the map of images {}", file.display()))
    }

    fn read(text: &str, binaries: &Path) -> anyhow::Result<Self> {
        let mut file: File = toml::from_str(text)?;
        let bin = binaries.display().to_string();
        for image in &mut file.image {
            for word in image.entrypoint.iter_mut().chain(&mut image.command) {
                *word = word.replace("{bin}", &bin);
            }
        }
        Ok(Self { images: file.image, binaries: binaries.to_owned() })
    }

    /// The image, or what ECS says when there is none.
    pub(crate) fn pull(&self, reference: &str) -> Result<&Image, String> {
        let (repository, tag) = split(reference);
        let found = self.images.iter().find(|image| {
            let named = repository.strip_suffix(&image.name).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
            named && matches(&image.tag, tag)
        });
        found.ok_or_else(|| {
            format!(
                "CannotPullContainerError: pull image manifest has been retried 5 time(s): \
                 failed to resolve ref {reference}: not found"
            )
        })
    }

    /// The PATH of containers.
    pub(crate) fn path(&self) -> String {
        format!("{}:/usr/local/bin:/usr/bin:/bin", self.binaries.display())
    }

    /// The program that `word` names, searched in the containers' PATH; `Err` is what a container runtime says.
    pub(crate) fn program(&self, word: &str) -> Result<PathBuf, String> {
        let path = self.path();
        let candidate = if word.contains('/') {
            Some(PathBuf::from(word))
        } else {
            path.split(':').map(|folder| Path::new(folder).join(word)).find(|file| file.is_file())
        };
        candidate.filter(|file| file.is_file()).ok_or_else(|| {
            format!(
                "CannotStartContainerError: exec: \"{word}\": executable file not found in {path} \
                 (the sandbox runs images as local programs: build the workspace, or correct images.toml)"
            )
        })
    }
}

/// The repository and the tag (or digest) of an image reference; the tag is `latest` when there is none.
fn split(reference: &str) -> (&str, &str) {
    if let Some((repository, digest)) = reference.split_once('@') {
        return (repository, digest);
    }
    match reference.rsplit_once(':') {
        // A colon before the last slash belongs to a registry's port.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (reference, "latest"),
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(head) else { return false };
    text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_the_end_of_its_repository_and_its_tag() {
        let text = "[[image]]\nname = 'agent'\ntag = 'v1.*'\nentrypoint = ['{bin}/agent']";
        let images = Images::read(text, Path::new("/b")).unwrap();
        assert_eq!(images.pull("registry.example:5000/team/agent:v1.2").unwrap().entrypoint, ["/b/agent"]);
        assert!(images.pull("agent:v1.").is_ok());
        for reference in ["agent:v2", "agent", "my-agent:v1.2", "registry.example:5000/agent"] {
            let error = images.pull(reference).unwrap_err();
            assert!(error.ends_with(&format!("failed to resolve ref {reference}: not found")), "{error}");
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in
            [("*", "", true), ("v*", "v1", true), ("v*0", "v10", true), ("v*0", "v11", false), ("a", "a", true)]
        {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_map_of_images_is_readable() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("images.toml");
        let images = Images::load(&file, Path::new("/b")).unwrap();
        assert!(images.pull("sample-agent:1").is_ok());
        assert!(images.program("sh").is_ok());
        assert!(images.program("no-such-program").unwrap_err().contains("not found"));
    }
}
