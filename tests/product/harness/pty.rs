//! A terminal that a test sits at: it types, reads what is shown, and looks at the settings.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr::null_mut;

use super::stream::Stream;
use super::{Project, Run};

/// A terminal of 120 columns and 24 lines.
pub struct Terminal {
    /// Everything that was written to it.
    pub screen: Stream,
    keyboard: File,
    /// The end that processes use; kept open, so that the settings can be looked at when they have ended.
    line: OwnedFd,
}

impl Terminal {
    /// Opens one.
    pub fn open() -> Terminal {
        let (mut own, mut line) = (-1, -1);
        let size = libc::winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the two numbers are written, the size is read, and null is allowed for the rest.
        let status = unsafe { libc::openpty(&mut own, &mut line, null_mut(), null_mut(), &size) };
        assert_eq!(status, 0, "a terminal can be opened");
        // SAFETY: both descriptors were opened above and belong to nobody else.
        let (own, line) = unsafe { (File::from_raw_fd(own), OwnedFd::from_raw_fd(line)) };
        let keyboard = own.try_clone().expect("the terminal's end can be shared");
        Terminal { screen: Stream::new("the terminal", Some(own)), keyboard, line }
    }

    /// Starts the command under test at this terminal, in a session of its own: it is the foreground process.
    pub fn run(&self, project: &Project, arguments: &[&str]) -> Run {
        self.run_with(project, |command| _ = command.args(arguments))
    }

    /// The same, with some of its files redirected.
    pub fn run_with(&self, project: &Project, prepare: impl FnOnce(&mut Command)) -> Run {
        Run::prepared(project, |command| {
            self.sit(command);
            prepare(command);
        })
    }

    /// Makes a command use the terminal.
    pub fn sit(&self, command: &mut Command) {
        let end = || self.line.try_clone().expect("the line can be shared");
        command.stdin(end()).stdout(end()).stderr(end());
        let line = self.line.as_raw_fd();
        // SAFETY: between fork and exec only system calls are made; the descriptor stays open in the child until then.
        unsafe {
            command.pre_exec(move || match libc::setsid() < 0 || libc::ioctl(line, libc::TIOCSCTTY as _, 0) < 0 {
                true => Err(std::io::Error::last_os_error()),
                false => Ok(()),
            });
        }
    }

    /// Types these characters.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes what is typed");
    }

    /// All settings there are, to be compared.
    pub fn settings(&self) -> Settings {
        // SAFETY: all zeroes is a valid value, and the call writes a whole one.
        let mut now: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, the settings are written.
        assert_eq!(unsafe { libc::tcgetattr(self.line.as_raw_fd(), &mut now) }, 0, "the settings can be read");
        let flags = [now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag];
        Settings { flags, characters: now.c_cc.to_vec() }
    }
}

/// The settings of a terminal.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    flags: [libc::tcflag_t; 4],
    characters: Vec<u8>,
}

impl Settings {
    fn has(&self, flags: libc::tcflag_t) -> bool {
        self.flags[3] & flags != 0
    }

    /// Does it give single keys, unseen? Signals and the processing of output must be left on.
    pub fn gives_keys(&self) -> bool {
        let keys = !self.has(libc::ICANON | libc::ECHO);
        assert!(self.has(libc::ISIG) && self.flags[1] & libc::OPOST != 0, "{self:?}");
        keys
    }
}

/// What a terminal shows in the end, colours left out: lines that were erased from below are not among them.
pub fn shown(written: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = written;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\n' => lines.push(String::new()),
            '\r' => {}
            '\u{1b}' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len() - 1);
                if let Some(up) = rest[..=end].strip_prefix('[').and_then(|rest| rest.strip_suffix('A')) {
                    let up: usize = up.parse().expect("a number of lines");
                    lines.truncate(lines.len() - 1 - up);
                    lines.push(String::new());
                }
                rest = &rest[end + 1..];
            }
            other => lines.last_mut().expect("there is a last line").push(other),
        }
    }
    lines
}
