//! What literals mean: numbers, escapes, and the brace groups of strings.

use crate::Span;
use crate::ast::FormatSpec;

/// Why a number is none.
#[derive(Debug)]
pub(crate) struct WrongNumber {
    pub message: String,
    pub text: &'static str,
    pub help: Option<String>,
}

fn wrong(message: impl Into<String>, text: &'static str, help: Option<String>) -> WrongNumber {
    WrongNumber { message: message.into(), text, help }
}

/// `42 1_000_000 0xff 0b1010 0o17`
pub(crate) fn int(text: &str) -> Result<u128, WrongNumber> {
    if let Ok(value) = text.parse() {
        return Ok(value);
    }
    let (radix, digits, name) = match text.get(..2) {
        Some("0x" | "0X") => (16, &text[2..], "hexadecimal"),
        Some("0b" | "0B") => (2, &text[2..], "binary"),
        Some("0o" | "0O") => (8, &text[2..], "octal"),
        _ => (10, text, "decimal"),
    };
    let plain: String = digits.chars().filter(|c| *c != '_').collect();
    if plain.is_empty() {
        return Err(wrong(format!("`{text}` has no digits"), "digits are missing", None));
    }
    if let Some(bad) = plain.chars().position(|c| !c.is_digit(radix)) {
        return Err(not_a_digit(text, &plain, bad, radix, name));
    }
    u128::from_str_radix(&plain, radix)
        .map_err(|_| wrong(format!("`{text}` is too large"), "does not fit into any integer type", None))
}

fn not_a_digit(text: &str, plain: &str, bad: usize, radix: u32, name: &str) -> WrongNumber {
    let rest = &plain[bad..];
    let exponent = |rest: &str| rest.starts_with(['e', 'E']) && rest[1..].bytes().all(|byte| byte.is_ascii_digit());
    if radix == 10 && bad > 0 && exponent(rest) {
        let help = format!("write `{}.0{rest}`", &plain[..bad]);
        return wrong(
            format!("`{text}` lacks a point"),
            "a float needs a digit on both sides of the point",
            Some(help),
        );
    }
    if radix == 10 && bad > 0 && is_number_type(rest) {
        let help = format!("write `{} as {rest}`, or give the variable its type", &plain[..bad]);
        return wrong(format!("`{text}` has a type suffix"), "numbers have no suffixes", Some(help));
    }
    let first = rest.chars().next().unwrap_or(' ');
    wrong(format!("`{first}` is no {name} digit"), "not a number", Some("names start with a letter or `_`".to_string()))
}

fn is_number_type(text: &str) -> bool {
    let digits = text.trim_start_matches(['i', 'u', 'f']);
    text.len() == digits.len() + 1 && matches!(digits, "8" | "16" | "32" | "64" | "128" | "size")
}

/// `3.14 1.0e10 2.5e-3`
pub(crate) fn float(text: &str) -> Result<f64, WrongNumber> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Ok(value) = plain.parse() {
        return Ok(value);
    }
    let end = plain.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(plain.len());
    let (number, rest) = plain.split_at(end);
    let help = is_number_type(rest).then(|| format!("write `{number} as {rest}`, or give the variable its type"));
    Err(wrong(format!("`{text}` is not a number"), "digits, a point, digits, and maybe an exponent", help))
}

/// A string's text with its escapes resolved.
#[derive(Debug)]
pub(crate) struct Unescaped {
    pub text: String,
    pub map: Map,
    /// Where in `text` the braces stand that were written `\{` and `\}`.
    pub escaped_braces: Vec<usize>,
    pub wrong: Vec<WrongEscape>,
}

impl Unescaped {
    pub fn plain(&self) -> String {
        self.text.clone()
    }
}

#[derive(Debug)]
pub(crate) struct WrongEscape {
    pub span: Span,
    pub message: String,
}

/// Where in the item the bytes of a text come from.
#[derive(Clone, Debug)]
pub(crate) enum Map {
    /// All in a row from here.
    Shift(u32),
    /// One by one, and the end.
    Table(Vec<u32>),
}

impl Map {
    pub fn offset(&self, at: u32) -> u32 {
        match self {
            Map::Shift(base) => base + at,
            Map::Table(table) => table.get(at as usize).or(table.last()).copied().unwrap_or(0),
        }
    }

    pub fn span(&self, span: Span) -> Span {
        Span { start: self.offset(span.start), end: self.offset(span.end) }
    }

    fn part(&self, range: std::ops::Range<usize>) -> Map {
        match self {
            Map::Shift(base) => Map::Shift(base + range.start as u32),
            Map::Table(table) => Map::Table(table[range.start..=range.end].to_vec()),
        }
    }
}

/// Resolves the escapes of a string whose contents begin at `start`.
pub(crate) fn unescape(inner: &str, start: u32) -> Unescaped {
    let mut result =
        Unescaped { text: String::new(), map: Map::Shift(start), escaped_braces: Vec::new(), wrong: Vec::new() };
    if !inner.contains('\\') {
        result.text.push_str(inner);
        return result;
    }
    let mut table = Vec::with_capacity(inner.len() + 1);
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        let at = start + (inner.len() - rest.len()) as u32;
        let length = if c == '\\' { escape(rest, at, &mut result) } else { c.len_utf8() };
        if c != '\\' {
            result.text.push(c);
        }
        table.resize(result.text.len(), at);
        rest = &rest[length..];
    }
    table.push(start + inner.len() as u32);
    result.map = Map::Table(table);
    result
}

/// Resolves one escape, and says how long it is.
fn escape(rest: &str, at: u32, result: &mut Unescaped) -> usize {
    let mut fail = |length: usize, message: String| {
        result.wrong.push(WrongEscape { span: Span { start: at, end: at + length as u32 }, message });
        length
    };
    let Some(c) = rest[1..].chars().next() else {
        return fail(1, "a `\\` needs a character after it".to_string());
    };
    let plain = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        '\\' | '"' => c,
        '{' | '}' => {
            result.escaped_braces.push(result.text.len());
            c
        }
        'x' => {
            let Some(code) = rest.get(2..4).and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                return fail(2, "`\\x` needs two hexadecimal digits after it".to_string());
            };
            result.text.push(code as char);
            return 4;
        }
        'u' => {
            let digits = rest[2..].strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(digits, _)| digits);
            let Some(digits) = digits.filter(|digits| digits.len() <= 8) else {
                return fail(2, "`\\u` needs a number in braces after it, like `\\u{1F600}`".to_string());
            };
            let length = digits.len() + 4;
            let Some(c) = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) else {
                return fail(length, format!("`{digits}` is not the number of a character"));
            };
            result.text.push(c);
            return length;
        }
        c => return fail(1 + c.len_utf8(), format!("there is no escape `\\{c}`")),
    };
    result.text.push(plain);
    1 + c.len_utf8()
}

/// A piece of a string before its expressions are looked at.
#[derive(Debug)]
pub(crate) enum Group {
    Text(String),
    Hole { code: String, map: Map, spec: FormatSpec, span: Span },
}

/// Cuts a string at its brace groups; an error is where and what is wrong with one.
pub(crate) fn groups(string: &Unescaped) -> Result<Vec<Group>, (Span, String)> {
    let text = string.text.as_str();
    if !text.contains(['{', '}']) {
        return Ok(Vec::new());
    }
    let is_brace = |at: usize, brace: u8| {
        text.as_bytes().get(at) == Some(&brace) && string.escaped_braces.binary_search(&at).is_err()
    };
    let (mut groups, mut plain, mut at) = (Vec::new(), String::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        if is_brace(at, b'{') && !is_brace(at + 1, b'{') {
            let Some(end) = group_end(text, at) else {
                if starts_no_name(&text[at + 1..]) {
                    plain.push('{');
                    at += 1;
                    continue;
                }
                return Err((string.map.span(Span::new(at, at + 1)), "this `{` is never closed".to_string()));
            };
            if !plain.is_empty() {
                groups.push(Group::Text(std::mem::take(&mut plain)));
            }
            groups.push(hole(string, at, end)?);
            at = end;
        } else {
            let doubled = is_brace(at, b'{') || is_brace(at, b'}') && is_brace(at + 1, b'}');
            plain.push(c);
            at += c.len_utf8() + usize::from(doubled);
        }
    }
    if groups.is_empty() && plain == text {
        return Ok(groups);
    }
    if !plain.is_empty() {
        groups.push(Group::Text(plain));
    }
    Ok(groups)
}

/// Is an unclosed `{` before this text certainly meant as text, `print("{\n")`?
fn starts_no_name(rest: &str) -> bool {
    rest.trim_start().chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '(')
}

/// One past the `}` of the group that starts at `at`; braces and strings within it are skipped.
fn group_end(text: &str, at: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut skip) = (0usize, false, false);
    for (offset, byte) in text.as_bytes()[at..].iter().enumerate() {
        match byte {
            _ if skip => skip = false,
            b'\\' if quoted => skip = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn hole(string: &Unescaped, at: usize, end: usize) -> Result<Group, (Span, String)> {
    let inner = &string.text[at + 1..end - 1];
    let colon = spec_start(inner);
    let span = string.map.span(Span::new(at, end));
    let spec = match colon {
        Some(colon) => format_spec(&inner[colon + 1..])
            .ok_or_else(|| (span, format!("`{}` is not a format", &inner[colon + 1..])))?,
        None => FormatSpec::default(),
    };
    let length = colon.unwrap_or(inner.len());
    let map = string.map.part(at + 1..at + 1 + length);
    Ok(Group::Hole { code: inner[..length].to_string(), map, spec, span })
}

/// The colon between the expression and its format: the first that belongs to no bracket, path or ternary.
fn spec_start(inner: &str) -> Option<usize> {
    let bytes = inner.as_bytes();
    let (mut depth, mut questions, mut quoted, mut at) = (0i32, 0u32, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b'?' if depth == 0 && !matches!(bytes.get(at + 1), Some(b':' | b'.' | b')') | None) => questions += 1,
            b':' if bytes.get(at + 1) == Some(&b':') => at += 1,
            b':' if depth == 0 && questions > 0 => questions -= 1,
            b':' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// `[[fill]align][+][#][0][width][.precision][kind]`
fn format_spec(text: &str) -> Option<FormatSpec> {
    let mut spec = FormatSpec::default();
    let mut chars = text.chars().peekable();
    let mut ahead = text.chars();
    let (first, second) = (ahead.next(), ahead.next());
    let is_align = |c: Option<char>| matches!(c, Some('<' | '>' | '^'));
    if is_align(second) {
        spec.fill = chars.next();
        spec.align = chars.next();
    } else if is_align(first) {
        spec.align = chars.next();
    }
    spec.sign = chars.next_if_eq(&'+').is_some();
    spec.alternate = chars.next_if_eq(&'#').is_some();
    spec.zero = chars.next_if_eq(&'0').is_some();
    spec.width = digits(&mut chars)?;
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(digits(&mut chars)??);
    }
    spec.kind = chars.next_if(|c| "xXboe?".contains(*c));
    chars.next().is_none().then_some(spec)
}

/// Some digits, if any; `None` if the number is absurd.
fn digits(chars: &mut std::iter::Peekable<std::str::Chars>) -> Option<Option<u32>> {
    let mut value = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        let next = value.unwrap_or(0) * 10 + digit;
        if next > 10_000 {
            return None;
        }
        value = Some(next);
        chars.next();
    }
    Some(value)
}
