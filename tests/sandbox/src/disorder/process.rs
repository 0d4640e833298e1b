//! The process at the other end of a connection, and its end.
//!
//! Only a function's process is ever killed: one that ministack started, which is in the process group of whoever listens at
//! ministack's address, or descends from it.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpgid, pidfd_open, pidfd_send_signal};

/// A killed process is gone as soon as the kernel comes to it.
const GONE_WITHIN: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Where the sandbox listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) door: SocketAddr,
    pub(crate) ministack: SocketAddr,
}

/// Kills the process that holds the connection from `peer` to the front door, and waits until it is gone.
pub(crate) async fn kill_caller(addresses: Addresses, peer: SocketAddr) -> Result<(), String> {
    let killed = tokio::task::spawn_blocking(move || {
        let (pid, handle) = find(addresses, peer)?;
        end(&handle).map_err(|error| format!("killing process {pid}: {error}"))
    });
    killed.await.map_err(|error| error.to_string())?
}

fn end(process: &OwnedFd) -> std::io::Result<()> {
    pidfd_send_signal(process, Signal::KILL)?;
    // A process file descriptor is readable once the process has ended (pidfd_open(2)).
    let mut ended = [PollFd::new(process, PollFlags::IN)];
    match poll(&mut ended, Some(&GONE_WITHIN))? {
        0 => Err(std::io::Error::other("it got SIGKILL and is still there")),
        _ => Ok(()),
    }
}

/// The function's process at `peer`, with a handle that stays its own if the process ends and another gets its number.
fn find(addresses: Addresses, peer: SocketAddr) -> Result<(u32, OwnedFd), String> {
    let sockets = sockets();
    let at_other_end = |socket: &&Socket| socket.local == peer && socket.remote == addresses.door;
    let listens = |socket: &&Socket| socket.local == addresses.ministack && socket.is_listening;
    let inode = |wanted: &dyn Fn(&&Socket) -> bool| sockets.iter().find(wanted).map(|socket| socket.inode);
    let socket = inode(&at_other_end).ok_or_else(|| format!("no socket on this machine is at {peer} any more"))?;
    let listener = inode(&listens).ok_or_else(|| format!("nobody listens at ministack's {}", addresses.ministack))?;
    let ministack = holders(listener);
    let groups: Vec<Pid> = ministack.iter().filter_map(|pid| group(*pid)).collect();
    let is_function = |pid: u32| {
        !ministack.contains(&pid)
            && (group(pid).is_some_and(|group| groups.contains(&group))
                || ancestors(pid).any(|ancestor| ministack.contains(&ancestor)))
    };
    let all = holders(socket);
    for pid in &all {
        let Some(handle) = raw(*pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { continue };
        // Looked at only now that the handle is there: the number may have gone to another process before.
        if holds(*pid, socket) && is_function(*pid) {
            return Ok((*pid, handle));
        }
    }
    let names: Vec<_> = all.iter().map(|pid| format!("{pid} ({})", name(*pid))).collect();
    if names.is_empty() {
        return Err(format!("no process holds the connection from {peer}"));
    }
    Err(format!("the caller is process {}: no function of this sandbox, so it is not killed", names.join(", ")))
}

/// A line of /proc/net/tcp or tcp6.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    remote: SocketAddr,
    is_listening: bool,
    inode: u64,
}

fn sockets() -> Vec<Socket> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().filter_map(|path| fs::read_to_string(path).ok());
    tables.flat_map(|table| table.lines().skip(1).filter_map(Socket::read).collect::<Vec<_>>()).collect()
}

impl Socket {
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some(Self {
            local: address(fields.get(1)?)?,
            remote: address(fields.get(2)?)?,
            // TCP_LISTEN of the kernel's net/tcp_states.h.
            is_listening: *fields.get(3)? == "0A",
            inode: fields.get(9)?.parse().ok()?,
        })
    }
}

/// `0100007F:1F90`: words of four bytes in the machine's own order, and the port (the kernel's `proc_net_tcp.rst`).
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words: Vec<u8> = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            // An IPv4 connection of an IPv6 socket is the same one as the front door sees.
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words).ok()?)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

/// The processes that have the socket open.
fn holders(inode: u64) -> BTreeSet<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| holds(*pid, inode)).collect()
}

fn holds(pid: u32, inode: u64) -> bool {
    let socket = format!("socket:[{inode}]");
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == socket.as_str())
}

fn group(pid: u32) -> Option<Pid> {
    getpgid(Some(raw(pid)?)).ok()
}

/// Its parent, its parent's parent, …
fn ancestors(pid: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(pid), |pid| parent(*pid)).skip(1)
}

fn parent(pid: u32) -> Option<u32> {
    // `PID (NAME) STATE PARENT …`, and the name may contain anything (proc_pid_stat(5)).
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    (parent != 0).then_some(parent)
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| "gone".to_owned(), |name| name.trim().to_owned())
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn lines_of_the_kernels_tables_are_read() {
        let little = |v4: &str, v6: &str| if cfg!(target_endian = "little") { v4.to_owned() } else { v6.to_owned() };
        let line = format!(
            "   3: {}:9C4A {}:1F90 01 00000000:00000000 00:00000000 00000000  1000  0 41873 1 0 20 4 30 10 -1",
            little("0100007F", "7F000001"),
            little("0100007F", "7F000001"),
        );
        let socket = Socket::read(&line).unwrap();
        assert_eq!(socket.local, "127.0.0.1:40010".parse().unwrap());
        assert_eq!(socket.remote, "127.0.0.1:8080".parse().unwrap());
        assert_eq!((socket.is_listening, socket.inode), (false, 41873));
        let mapped = little("0000000000000000FFFF00000100007F", "00000000000000000000FFFF7F000001");
        assert_eq!(address(&format!("{mapped}:0050")), Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(address("not an address"), None);
        assert_eq!(Socket::read("  sl  local_address rem_address"), None);
    }

    /// This very test is at the other end: found, and not taken for a function.
    #[test]
    fn who_is_no_function_of_the_sandbox_is_spared() {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (door, ministack) = (listen(), listen());
        let addresses = Addresses { door: door.local_addr().unwrap(), ministack: ministack.local_addr().unwrap() };
        let connection = TcpStream::connect(addresses.door).unwrap();
        let refusal = find(addresses, connection.local_addr().unwrap()).unwrap_err();
        assert!(refusal.contains(&std::process::id().to_string()) && refusal.contains("not killed"), "{refusal}");
        let nobody = find(addresses, "127.0.0.1:1".parse().unwrap()).unwrap_err();
        assert!(nobody.contains("no socket"), "{nobody}");
    }
}
