//! Makes a failing program smaller.

use std::time::{Duration, Instant};

use super::{Program, Stmt};

/// Tries removing functions and statements as long as the program still fails and there is time.
pub fn shrink(mut program: Program, time: Duration, fails: &mut dyn FnMut(&Program) -> bool) -> Program {
    let end = Instant::now() + time;
    let mut chunk = size(&program) / 2;
    while chunk > 0 && Instant::now() < end {
        let mut at = 0;
        let before = size(&program);
        while at < size(&program) && Instant::now() < end {
            let smaller = (0..chunk).fold(program.clone(), |program, _| without(&program, at));
            if fails(&smaller) { program = smaller } else { at += chunk }
        }
        if chunk > 1 || size(&program) == before {
            chunk /= 2;
        }
    }
    program
}

/// Functions and statements.
fn size(program: &Program) -> usize {
    let mut changed = program.clone();
    let mut left = usize::MAX;
    changed.functions.iter_mut().for_each(|function| {
        left -= 1;
        remove(&mut function.body, &mut left);
    });
    usize::MAX - left
}

/// The program without one of its functions or statements, in the order of the text.
fn without(program: &Program, mut at: usize) -> Program {
    let mut smaller = program.clone();
    for index in 0..smaller.functions.len() {
        if at == 0 {
            smaller.functions.remove(index);
            break;
        }
        at -= 1;
        if remove(&mut smaller.functions[index].body, &mut at) {
            break;
        }
    }
    smaller
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
