//! `vaisjit dump --stage STAGE FILE [FUNCTION]`.

use std::process::ExitCode;

use vaisjit::render::Format;
use vaisjit::{DumpStage, Engine, Error};

use crate::FAILURE;
use crate::args::{DumpOptions, Stage};
use crate::status::say;

/// Prints what the compiler made of a program.
pub fn dump(options: &DumpOptions) -> ExitCode {
    let stage = match options.stage {
        Stage::Tokens => DumpStage::Tokens,
        Stage::Ast => DumpStage::Ast,
        Stage::Hir => DumpStage::Hir,
        Stage::Mir => DumpStage::Mir,
        Stage::Clif => DumpStage::Clif,
        Stage::Asm => DumpStage::Asm,
    };
    let engine = Engine::builder().static_mode(options.static_mode).opt_level(options.opt.level()).build();
    let text = engine.and_then(|engine| engine.dump(&options.file, stage, options.function.as_deref()));
    match text {
        Ok(text) => {
            // A closed pipe (`| head`) is nobody's mistake.
            let _ = vaisjit::write_to_stdout(&text);
            return ExitCode::SUCCESS;
        }
        Err(Error::Rejected(diagnostics)) => {
            say(diagnostics.render(Format::Human, options.color.on_stderr()).trim_end());
        }
        Err(error) => say(&format!("error: {error}")),
    }
    ExitCode::from(FAILURE)
}
