//! Who is at the other end of a Unix socket.

use std::os::unix::net::UnixStream;

/// A process at the other end of a socket, as it was when it connected or began to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The user it acts for.
    pub user: u32,
    /// Its id, where the system tells.
    pub process: Option<u32>,
}

/// The user this process acts for.
pub fn own_user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// On this thread, writing to a closed pipe or socket is an error from now on and not the end of the process.
pub fn outlive_closed_pipes() {
    // SAFETY: the set is initialised before it is used, and only this thread's mask changes.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Asks the system, not the peer. `None` where it does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn peer_of(stream: &UnixStream) -> Option<Peer> {
    use std::os::fd::AsRawFd;
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as the stream is borrowed, and at most `length` bytes are written to `found`.
    let status = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut length,
        )
    };
    let whole = status == 0 && length as usize == size_of::<libc::ucred>();
    whole.then_some(Peer { user: found.uid, process: u32::try_from(found.pid).ok().filter(|process| *process > 0) })
}

/// Asks the system, not the peer. `None` where it does not tell.
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
pub fn peer_of(stream: &UnixStream) -> Option<Peer> {
    use std::os::fd::AsRawFd;
    let (mut user, mut group) = (0, 0);
    // SAFETY: the descriptor is open as long as the stream is borrowed, and both numbers are written.
    let status = unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut user, &raw mut group) };
    (status == 0).then_some(Peer { user, process: None })
}

/// Nobody knows how to ask here: the answer is always `None`.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub fn peer_of(_: &UnixStream) -> Option<Peer> {
    None
}
