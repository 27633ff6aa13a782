//! The socket of a process: by name and without a file where the system has such (Linux), otherwise in a private folder.

use std::io;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use self::by_file::address;
#[cfg(any(target_os = "linux", target_os = "android"))]
use self::by_name::address;
use crate::code::own_user;

/// The listening end of this process; fails if it has one already.
pub fn listen() -> io::Result<UnixListener> {
    let address = address(own_user(), std::process::id())?;
    forget(&address);
    UnixListener::bind_addr(&address)
}

/// A connection to a process of the same user.
pub fn connect(process: u32) -> io::Result<UnixStream> {
    UnixStream::connect_addr(&address(own_user(), process)?)
}

/// Makes a listener's `accept` fail, and whoever still connects.
pub fn close(listener: &UnixListener) {
    if let Ok(address) = listener.local_addr() {
        forget(&address);
    }
    // A listening socket can be shut down like a connected one; the type only matters for its methods.
    let socket = listener.try_clone().map(|listener| UnixStream::from(std::os::fd::OwnedFd::from(listener)));
    let _ = socket.and_then(|socket| socket.shutdown(std::net::Shutdown::Both));
}

/// Removes the file of a socket, if it has one.
fn forget(address: &SocketAddr) {
    if let Some(path) = address.as_pathname() {
        // There may be none.
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod by_name {
    use std::io;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    /// Nothing on disk, and gone with the process.
    pub fn address(user: u32, process: u32) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(format!("vaisjit-{user}-{process}"))
    }
}

#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
mod by_file {
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::os::unix::net::SocketAddr;

    /// A file in a folder that nobody else can look into.
    pub fn address(user: u32, process: u32) -> io::Result<SocketAddr> {
        let folder = std::env::temp_dir().join(format!("vaisjit-{user}"));
        // It is there already after the first time.
        let _ = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        let found = std::fs::symlink_metadata(&folder)?;
        if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the folder of the sockets is not private"));
        }
        SocketAddr::from_pathname(folder.join(process.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_sockets_is_private() {
        let address = by_file::address(own_user(), 0).expect("a folder");
        let folder = address.as_pathname().and_then(|path| path.parent()).expect("it lies in a folder");
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(folder).expect("it exists"));
        assert_eq!(mode & 0o777, 0o700);
        // Of another user nothing is believed.
        assert!(by_file::address(own_user() + 1, 0).is_err());
    }

    #[test]
    fn closing_ends_the_wait_for_a_connection() {
        let listener = UnixListener::bind_addr(&address(own_user(), u32::MAX).expect("a name")).expect("a socket");
        let waiting = listener.try_clone().expect("a second handle");
        let waiter = std::thread::spawn(move || waiting.accept().is_err());
        close(&listener);
        assert!(waiter.join().expect("no panic"));
    }
}
