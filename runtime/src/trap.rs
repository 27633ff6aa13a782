//! Traps as values: why a program stopped, and where.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};
pub use vaisjit_abi::TrapCode;
use vaisjit_codegen::clif::frame::FrameLayout;
use vaisjit_semantics::types::{FloatKind, IntKind};
use vaisjit_semantics::{Ty, TyKind};

use crate::code::RawTrap;
use crate::report::Location;

/// How many frames a report lists; chosen by feel.
const SHOWN_FRAMES: usize = 16;

/// A program's run-time failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What kind.
    pub code: TrapCode,
    /// What happened, in a sentence without a full stop.
    pub message: String,
    /// The generated frames, innermost first.
    pub frames: Vec<TrapFrame>,
    /// How many frames below the last of `frames` were left out (deep recursion).
    pub omitted: usize,
    /// The source line at [`Trap::location`], for a code frame.
    pub line: Option<Box<str>>,
    /// The function whose call is made again after the next reload; `None` if the trap ended the call.
    pub paused: Option<String>,
    /// Traps in deferred blocks (`D`) of the calls that this one ended, in the order in which they came.
    pub deferred: Box<[Trap]>,
}

/// One function that was being called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapFrame {
    /// Its name.
    pub function: String,
    /// Where it was.
    pub at: Option<Location>,
    /// Columns the failing expression covers, if known.
    pub width: u32,
    /// The version of the program its code was compiled for.
    pub version: u64,
    /// Of the innermost frame: what its scalar variables and parameters held, as far as the machine still held them.
    pub locals: Vec<TrapLocal>,
}

/// A variable of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapLocal {
    /// Its name; of a field of a struct in registers with the path to it, `p.x`.
    pub name: String,
    /// Its value, as the language writes it; of pointers the address in hexadecimal digits.
    pub value: String,
}

impl Trap {
    /// Where the program stopped: the innermost place in a file of its own, if there is one outside the library.
    pub fn location(&self) -> Option<&Location> {
        self.shown_frame()?.at.as_ref()
    }

    fn shown_frame(&self) -> Option<&TrapFrame> {
        let own = self.frames.iter().find(|frame| frame.at.as_ref().is_some_and(|at| !at.is_library()));
        own.or_else(|| self.frames.first())
    }

    /// The file of the innermost frame.
    pub fn file(&self) -> Option<&PathBuf> {
        Some(&self.location()?.file)
    }

    /// The whole report, several lines.
    pub fn report(&self) -> String {
        let mut text = format!("trap: {}", self.message);
        if let (Some(at), Some(line)) = (self.location(), &self.line) {
            let number = at.line.to_string();
            let gutter = " ".repeat(number.len());
            let indent: String =
                line.chars().take(at.column as usize - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let marks = "^".repeat(self.shown_frame().map_or(1, |frame| frame.width.max(1)) as usize);
            let _ = write!(text, "\n{gutter} --> {}:{}:{}", at.file.display(), at.line, at.column);
            let _ = write!(text, "\n{gutter} |\n{number} | {line}\n{gutter} | {indent}{marks}");
            let locals = self.shown_frame().map_or(&[][..], |frame| &frame.locals);
            let held: Vec<String> = locals.iter().map(|local| format!("{} = {}", local.name, local.value)).collect();
            if !held.is_empty() {
                let _ = write!(text, "\n    with {}", held.join(", "));
            }
        }
        let shown = if self.frames.len() > SHOWN_FRAMES { SHOWN_FRAMES - 2 } else { self.frames.len() };
        for (index, frame) in self.frames.iter().take(shown).enumerate() {
            let _ = write!(text, "\n  {} {}", if index == 0 { "in" } else { "by" }, frame.function);
            if let Some(at) = &frame.at {
                let _ = write!(text, " at {at}");
            }
            let _ = write!(text, " (v{})", frame.version);
        }
        let left_out = self.frames.len() - shown + self.omitted;
        if left_out > 0 {
            let _ = write!(text, "\n  ... and {left_out} more calls");
        }
        for trap in &self.deferred {
            let _ = write!(text, "\nand in a deferred block, {}", trap.report());
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let frames: Vec<Value> = self
            .frames
            .iter()
            .map(|frame| json!({ "function": frame.function, "at": frame.at, "version": frame.version }))
            .collect();
        let locals = self.frames.first().map_or(&[][..], |frame| &frame.locals).iter();
        let locals: Vec<Value> = locals.map(|local| json!({ "name": local.name, "value": local.value })).collect();
        json!({
            "code": format!("{:?}", self.code),
            "message": self.message,
            "file": self.file(),
            "line": self.location().map(|at| at.line),
            "column": self.location().map(|at| at.column),
            "backtrace": frames,
            "locals": locals,
            "paused": self.paused,
            "deferred": self.deferred.iter().map(Trap::to_json).collect::<Vec<_>>(),
        })
    }
}

/// The variables whose values are known where a function has trapped; of several with one name the innermost.
pub(crate) fn locals(frame: &FrameLayout, location: u32, raw: &RawTrap) -> Vec<TrapLocal> {
    let shown = |number: usize| raw.shown.iter().find(|(shown, _)| *shown == number).map(|(_, bits)| *bits);
    let held = |number: usize| {
        let at = frame.faults.iter().find(|at| at.location == location && at.named as usize == number)?;
        raw.values.iter().find(|(label, _)| *label == at.label).map(|(_, bits)| *bits)
    };
    let known = frame.named.iter().enumerate().filter_map(|(number, named)| {
        let bits = shown(number).or_else(|| held(number))?;
        Some(TrapLocal { name: named.name.to_string(), value: value(named.ty, bits)? })
    });
    let mut locals: Vec<TrapLocal> = Vec::new();
    for local in known {
        locals.retain(|other| other.name != local.name);
        locals.push(local);
    }
    locals
}

/// The bits of a scalar as a report shows them.
fn value(ty: Ty, bits: u64) -> Option<String> {
    Some(match ty.kind() {
        TyKind::Bool => (bits as u8 != 0).to_string(),
        TyKind::Float(FloatKind::F32) => format!("{:?}", f32::from_bits(bits as u32)),
        TyKind::Float(FloatKind::F64) => format!("{:?}", f64::from_bits(bits)),
        TyKind::Pointer(_) => format!("{bits:#x}"),
        TyKind::Int(kind) => match kind {
            IntKind::I8 => (bits as i8).to_string(),
            IntKind::I16 => (bits as i16).to_string(),
            IntKind::I32 => (bits as i32).to_string(),
            IntKind::I64 => (bits as i64).to_string(),
            IntKind::U8 => (bits as u8).to_string(),
            IntKind::U16 => (bits as u16).to_string(),
            IntKind::U32 => (bits as u32).to_string(),
            IntKind::U64 => bits.to_string(),
            _ => return None,
        },
        _ => return None,
    })
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.location() {
            Some(at) => write!(f, " at {at}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Trap {}
