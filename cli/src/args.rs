//! The command line, declared for `clap`; its only user.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Run a program, edit its source, save: the running program is the new program.
#[derive(Parser)]
#[command(name = "vaisjit", version, about, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  vaisjit run examples/hot_reload_simple.vais   run, and reload on every save
  vaisjit game.vais                             the same as `vaisjit run game.vais`
  vaisjit run --static game.vais                run without reloading, at full speed
  vaisjit check src/*.vais                      look for mistakes
  vaisjit check --against 4711 game.vais        what a save would do to a running program
  vaisjit watch game.vais --exec make -- test   check on every save, then run a command
  vaisjit explain E0301                         what a diagnostic code means
  vaisjit new wave                              a small project to start from
  vaisjit test                                  run the #[test] functions below this folder
  vaisjit fmt .                                 format all sources below this folder";

#[derive(Subcommand)]
pub enum Command {
    /// Run a program and reload it whenever one of its files is saved
    Run(RunOptions),
    /// Look for mistakes without running anything
    Check(CheckOptions),
    /// Check on every save, and run a command after each success
    Watch(WatchOptions),
    /// Explain a diagnostic code
    Explain(ExplainOptions),
    /// Run the functions marked #[test]
    Test(TestOptions),
    /// Format source files
    Fmt(FmtOptions),
    /// Make a small project to start from
    New(NewOptions),
    /// Show what the compiler made of a program
    Dump(DumpOptions),
    /// Print the completions of the command line for a shell
    Completions(CompletionsOptions),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit run game.vais
  vaisjit run game.vais -- level2 --fast        arguments for the program
  vaisjit run --events - game.vais 2>/dev/null  one JSON object a line for each reload

Keys, on a terminal, unless the program reads its input itself:
  r  reload now what is on disk, also after a rollback
  R  restart main, with the globals kept
  b  go back to the version before
  h  show the history
  p  hold: save freely, nothing is applied until p again
  q  quit
  ?  show the keys

Exit status: what main returned (modulo 256), 0 after q; 1 for mistakes in the program, 2 for wrong usage, 134 for a trap.")]
pub struct RunOptions {
    /// The program's root file
    pub file: PathBuf,
    /// Run without slots, safepoints and watching: all calls are direct
    #[arg(long = "static")]
    pub static_mode: bool,
    /// Treat every function as #[hot]
    #[arg(long)]
    pub all_hot: bool,
    /// How much to optimise
    #[arg(long, value_enum, default_value = "speed", value_name = "LEVEL")]
    pub opt: Opt,
    /// What to do when the program traps: pause if standard input and standard error are a terminal, else exit
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_trap: Option<OnTrap>,
    /// Write one JSON object a line for each event to FILE (- for standard output)
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    #[command(flatten)]
    pub saves: SaveOptions,
    /// Which warnings to show
    #[arg(long, value_enum, value_name = "WHICH")]
    pub warn: Option<Warn>,
    /// Say more about each reload
    #[arg(long, short)]
    pub verbose: bool,
    /// Say nothing but mistakes and traps
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    #[command(flatten)]
    pub color: ColorOption,
    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit check game.vais                       look for mistakes
  vaisjit check --against 4711 game.vais        what a save would do to the program that process 4711 runs
  vaisjit check --against 4711 --text - game.vais < draft
                                                the same, if game.vais had the text of standard input

Exit status: 0 without mistakes, 1 with. With --against: 0 if the program would go on as the files say, 1 if the save \
would be rejected or refused, 2 if there is nobody to ask or a file is no part of the program.")]
pub struct CheckOptions {
    /// The files to check, each with its imports
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Ask the `vaisjit run` with this process id what a save of the files would do to its program; nothing changes there
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "warn")]
    pub against: Option<u32>,
    /// Ask as if the file had the text of this one (- for standard input)
    #[arg(long, value_name = "FILE", requires = "against")]
    pub text: Option<PathBuf>,
    /// How to print what is found
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
    /// Which warnings to show
    #[arg(long, value_enum, value_name = "WHICH")]
    pub warn: Option<Warn>,
    #[command(flatten)]
    pub color: ColorOption,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit watch game.vais
  vaisjit watch game.vais --exec ./deploy.sh -- arg1 arg2")]
pub struct WatchOptions {
    /// The program's root file
    pub file: PathBuf,
    /// Run this command after each successful check, ending the one still running
    #[arg(long, value_name = "CMD")]
    pub exec: Option<OsString>,
    #[command(flatten)]
    pub saves: SaveOptions,
    /// Which warnings to show
    #[arg(long, value_enum, value_name = "WHICH")]
    pub warn: Option<Warn>,
    /// Say more
    #[arg(long, short)]
    pub verbose: bool,
    #[command(flatten)]
    pub color: ColorOption,
    /// Arguments for the command
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<OsString>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit explain                               all codes
  vaisjit explain E0301                         what one of them means")]
pub struct ExplainOptions {
    /// The code, such as E0301; without it all codes are listed
    pub code: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit test                                  all tests in the *.vais files below this folder
  vaisjit test physics.vais                     those of one file
  vaisjit test --filter bounce                  those with `bounce` in their name

A test is a function without parameters marked #[test]. It fails by a trap (a failed `assert`, a division by zero), by \
giving `false` or a number other than 0, or by ending the program. Each runs in a process of its own, so none sees what \
another did to the globals; what a failed one printed is shown.

Exit status: 0 if all passed, 1 if not, or if a file has mistakes.")]
pub struct TestOptions {
    /// A source file, or a folder to search for source files
    #[arg(default_value = ".", value_name = "FILE or FOLDER")]
    pub path: PathBuf,
    /// Run only tests whose name contains this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    #[command(flatten)]
    pub color: ColorOption,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit fmt game.vais                         format a file
  vaisjit fmt .                                 format all *.vais files below this folder
  vaisjit fmt --check .                         list those that are not formatted; status 1 if there are any
  vaisjit fmt - < game.vais                     from standard input to standard output

Line breaks, comments and blank lines stay (of several blank lines one); files with mistakes are left alone.")]
pub struct FmtOptions {
    /// Source files, folders to search for source files, or - for standard input
    #[arg(required = true, value_name = "FILE or FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; list the files that are not formatted, and give status 1 if there are any
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub color: ColorOption,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit new wave                              makes the folder `wave`
  cd wave && vaisjit run main.vais")]
pub struct NewOptions {
    /// The folder to make; its last part is the project's name
    pub name: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit dump --stage ast game.vais            the tree of a file
  vaisjit dump --stage mir game.vais update     the flow graph of one function
  vaisjit dump --stage asm --static game.vais   machine code as `run --static` makes it")]
pub struct DumpOptions {
    /// Which form of the program
    #[arg(long, value_enum)]
    pub stage: Stage,
    /// The program's root file
    pub file: PathBuf,
    /// Only this function: `f`, `Type.method` or `module.f`
    pub function: Option<String>,
    /// As compiled by `run --static`
    #[arg(long = "static")]
    pub static_mode: bool,
    /// How much to optimise
    #[arg(long, value_enum, default_value = "speed", value_name = "LEVEL")]
    pub opt: Opt,
    #[command(flatten)]
    pub color: ColorOption,
}

/// How saves are noticed.
#[derive(Args)]
pub struct SaveOptions {
    /// How long to wait for a save to settle before its mistakes are reported, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30)]
    pub debounce: u64,
    /// Poll the files instead of asking the system for events
    #[arg(long)]
    pub poll: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Stage {
    /// The tokens as the grammar sees them
    Tokens,
    /// The tree
    Ast,
    /// The tree with types
    Hir,
    /// The flow graph
    Mir,
    /// The code generator's input
    Clif,
    /// Machine code
    Asm,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  vaisjit completions bash > ~/.local/share/bash-completion/completions/vaisjit
  vaisjit completions zsh > ~/.zfunc/_vaisjit
  vaisjit completions fish > ~/.config/fish/completions/vaisjit.fish")]
pub struct CompletionsOptions {
    /// The shell
    pub shell: crate::completions::Shell,
}

#[derive(Args)]
pub struct ColorOption {
    /// When to use colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Opt {
    /// Compile as quickly as possible
    None,
    /// Make the program fast
    Speed,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnTrap {
    /// Report it, wait for a save that mends it, and make the failed call again
    Pause,
    /// Report it and end with status 134
    Exit,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Warn {
    /// All of them
    All,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// With the source text, for people
    Human,
    /// One line each: file:line:column: error[CODE]: text
    Short,
    /// One JSON object a line
    Json,
}

/// `vaisjit FILE` means `vaisjit run FILE`: puts the `run` in when the first argument is no command.
pub fn with_default_command(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    let Some(first) = args.get(1).and_then(|arg| arg.to_str()) else { return args };
    let known = Cli::command().get_subcommands().any(|command| command.get_name() == first) || first == "help";
    if !known && looks_like_a_file(first) {
        args.insert(1, "run".into());
    }
    args
}

fn looks_like_a_file(text: &str) -> bool {
    text.ends_with(".vais") || (!text.starts_with('-') && std::path::Path::new(text).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_alone_is_run() {
        let args = ["vaisjit", "game.vais", "--quiet"].map(OsString::from);
        assert_eq!(with_default_command(args.into_iter())[1], "run");
        let args = ["vaisjit", "check", "game.vais"].map(OsString::from);
        assert_eq!(with_default_command(args.into_iter())[1], "check");
    }
}
