//! What earlier sandboxes left under `target/sandbox`: folders of runs, for their logs, and scripts of the `aws` CLI.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where runs have their folders unless told otherwise.
pub(crate) const RUNS: &str = "runs";

/// The scripts are called this and the port of their sandbox.
pub(crate) const SCRIPT: &str = "aws-";

/// How many runs that are over keep their logs.
const RUNS_KEPT: usize = 8;

/// The file in a run's folder that is locked while the run lasts.
const LOCK: &str = "lock";

/// Marks a run as going on for as long as the answer is kept (or the process lives).
pub(crate) fn hold(run: &Path) -> std::io::Result<File> {
    let lock = File::create(run.join(LOCK))?;
    lock.lock()?;
    Ok(lock)
}

/// Removes the folders of all but the newest runs that are over, and the scripts of sandboxes that were killed. What cannot be removed
/// (another sandbox may be at it too) is left to the next start.
pub(crate) fn clear(folder: &Path) {
    let mut runs: Vec<(SystemTime, PathBuf)> = entries(&folder.join(RUNS))
        .filter(|run| is_over(run))
        .filter_map(|run| Some((fs::metadata(&run).ok()?.modified().ok()?, run)))
        .collect();
    runs.sort();
    for (_, run) in runs.iter().rev().skip(RUNS_KEPT) {
        let _ = fs::remove_dir_all(run);
    }
    for script in entries(folder) {
        if port(&script).is_some_and(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()) {
            let _ = fs::remove_file(script);
        }
    }
}

/// The ports of the sandboxes that left a script, whether or not they still run.
pub(crate) fn ports(folder: &Path) -> Vec<u16> {
    entries(folder).filter_map(|script| port(&script)).collect()
}

fn port(script: &Path) -> Option<u16> {
    script.file_name()?.to_str()?.strip_prefix(SCRIPT)?.parse().ok()
}

/// Nobody holds its lock, or it never came to have one.
fn is_over(run: &Path) -> bool {
    File::open(run.join(LOCK)).map_or(true, |lock| lock.try_lock().is_ok())
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn only_what_is_over_goes() {
        let folder = tempfile::tempdir().unwrap();
        let serving = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ended = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let serving_script = folder.path().join(format!("{SCRIPT}{}", serving.local_addr().unwrap().port()));
        let ended_script = folder.path().join(format!("{SCRIPT}{ended}"));
        let other = folder.path().join("aws-notes");
        for file in [&serving_script, &ended_script, &other] {
            fs::write(file, "").unwrap();
        }
        for run in 0..RUNS_KEPT + 3 {
            fs::create_dir_all(folder.path().join(RUNS).join(run.to_string())).unwrap();
        }
        let going_on = folder.path().join(RUNS).join("0");
        let lock = hold(&going_on).unwrap();
        clear(folder.path());
        assert!(going_on.exists());
        drop(lock);
        clear(folder.path());
        assert!(serving_script.exists() && other.exists() && !ended_script.exists());
        assert_eq!(entries(&folder.path().join(RUNS)).count(), RUNS_KEPT);
    }
}
