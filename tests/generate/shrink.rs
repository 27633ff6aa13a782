//! Makes a failing program smaller.

use std::time::{Duration, Instant};

use super::{Function, Program, Stmt};

/// Tries removing entries, the bodies of functions and statements as long as the program still fails and there is time.
pub fn shrink(mut program: Program, time: Duration, fails: &mut dyn FnMut(&Program) -> bool) -> Program {
    let end = Instant::now() + time;
    let mut keep = |program: &mut Program, smaller: Program| {
        let kept = Instant::now() < end && fails(&smaller);
        if kept {
            *program = smaller;
        }
        kept
    };
    for index in (0..program.functions.len()).rev() {
        let mut smaller = program.clone();
        smaller.functions.remove(index);
        if !keep(&mut program, smaller) {
            let mut smaller = program.clone();
            hollow(&mut smaller.functions[index]);
            keep(&mut program, smaller);
        }
    }
    let mut chunk = size(&program) / 4;
    while chunk > 0 && Instant::now() < end {
        let (mut at, before) = (0, size(&program));
        while at < size(&program) && Instant::now() < end {
            let smaller = (0..chunk).fold(program.clone(), |program, _| without(program, at));
            if !keep(&mut program, smaller) {
                at += chunk;
            }
        }
        if chunk > 1 || size(&program) == before {
            chunk /= 2;
        }
    }
    program
}

/// Leaves of a function what it returns when the budget is spent.
fn hollow(function: &mut Function) {
    if let Some(Stmt::If(_, then, _)) = function.body.first() {
        function.body = then.clone();
    }
}

/// Number of statements.
fn size(program: &Program) -> usize {
    let mut left = usize::MAX;
    program.clone().functions.iter_mut().for_each(|function| {
        remove(&mut function.body, &mut left);
    });
    usize::MAX - left
}

/// The program without one of its statements, in the order of the text.
fn without(mut program: Program, mut at: usize) -> Program {
    let _ = program.functions.iter_mut().any(|function| remove(&mut function.body, &mut at));
    program
}

/// Removes a statement, or counts down those that are there.
fn remove(body: &mut Vec<Stmt>, at: &mut usize) -> bool {
    for index in 0..body.len() {
        if *at == 0 {
            body.remove(index);
            return true;
        }
        *at -= 1;
        let found = match &mut body[index] {
            Stmt::If(_, then, otherwise) => remove(then, at) || remove(otherwise, at),
            Stmt::For(_, _, _, body) | Stmt::While(_, _, _, body) => remove(body, at),
            Stmt::Match(_, _, arms) => arms.iter_mut().any(|arm| remove(&mut arm.body, at)),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}
