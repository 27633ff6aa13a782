//! Whole-product tests: the real binary, real files, saved as editors save them. What a person would see is what is
//! looked at: the program's own output, the events, standard error and the exit status.

mod against;
mod bad_input;
mod book;
mod cases;
mod check_command;
mod counter;
mod delivered;
mod editors;
mod examples;
mod explain_command;
mod fmt_command;
mod harness;
mod hooks;
mod hot_functions;
mod isolation;
mod keys;
mod keys_settings;
mod keys_status;
mod library;
mod mistakes;
mod new_command;
mod options;
mod output;
mod pause;
mod readme;
mod refused;
mod running_loops;
mod saves;
mod state;
mod statuses;
mod test_command;
mod threads;
mod tool_commands;
mod traps;
mod watch_command;
