//! The longest files and functions: a place to look, not a limit.

use super::source::Source;

const SHOWN: usize = 5;

/// A function and its length from signature to closing brace.
struct Function<'a> {
    name: &'a str,
    path: &'a str,
    line: usize,
    lines: usize,
}

pub fn print_longest(sources: &[Source]) {
    let shipped: Vec<&Source> = sources
        .iter()
        .filter(|source| source.is_shipped())
        .collect();
    let mut files = shipped.clone();
    files.sort_by_key(|source| std::cmp::Reverse(source.code_lines));
    println!("longest files, without their tests:");
    for source in files.iter().take(SHOWN) {
        println!("  {:>5}  {}", source.code_lines, source.path);
    }
    let mut functions: Vec<Function> = shipped
        .iter()
        .flat_map(|source| functions(source))
        .collect();
    functions.sort_by_key(|function| std::cmp::Reverse(function.lines));
    println!("longest functions:");
    for Function {
        name,
        path,
        line,
        lines,
    } in functions.iter().take(SHOWN)
    {
        println!("  {lines:>5}  {name}  {path}:{line}");
    }
}

/// Relies on rustfmt: a function ends at the first brace with its own indentation.
fn functions(source: &Source) -> Vec<Function<'_>> {
    let lines = &source.lines[..source.code_lines];
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let indentation = line.len() - line.trim_start().len();
        let end = lines[start..]
            .iter()
            .position(|line| line.trim_start() == "}" && line.len() - 1 == indentation);
        if let Some(length) = end {
            found.push(Function {
                name,
                path: &source.path,
                line: start + 1,
                lines: length + 1,
            });
        }
    }
    found
}

/// The name, if a function with a body may begin on this line.
fn function_name(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let (before, after) = text.split_once("fn ")?;
    let is_signature = before.split_whitespace().all(|word| {
        word.starts_with("pub")
            || ["const", "async", "unsafe", "extern", "\"C\"", "in"].contains(&word)
    });
    let name = after
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .next()?;
    (is_signature && !name.is_empty() && !text.ends_with(';') && !text.ends_with('}'))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_measured_from_signature_to_brace() {
        let text = "\
impl X {
    pub async fn first(
        &self,
    ) -> bool {
        if true {
        }
        true
    }

    fn short(&self) -> bool { true }
    pub(crate) fn declared(&self);
}
// a fn of words
fn last() {
}
";
        let source = Source::of("crates/a/src/lib.rs", text);
        let measured: Vec<(&str, usize, usize)> = functions(&source)
            .iter()
            .map(|f| (f.name, f.line, f.lines))
            .collect();
        assert_eq!(measured, [("first", 2, 7), ("last", 14, 2)]);
    }
}
