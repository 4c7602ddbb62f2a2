//! Sanitises descriptions for rustdoc: code blocks become `text`, so they are never doctests, and
//! hidden characters are escaped.
//!
//! The output determines the block structure on its own, regardless of how a Markdown parser would read the input: a
//! code block is moved to the first column after an empty line, and nothing else may open one.

use crate::names::{is_hidden, visible};

/// Formats a value of a spec as inline code: one line of printable ASCII without backticks, other characters escaped.
pub(crate) fn inline_code(text: &str) -> String {
    let mut out = String::from("`");
    for c in text.chars() {
        match c {
            ' '..='~' if c != '`' => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out.push('`');
    out
}

/// Converts Markdown of a spec to documentation. Input without code blocks, HTML blocks or hidden
/// characters is returned unchanged.
pub(crate) fn markdown(text: &str) -> String {
    let text = sanitized(text);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let mut rest = lines.as_slice();
    while let Some((line, below)) = rest.split_first() {
        rest = below;
        let start = LineStart::parse(line);
        let after_blank = out.last().is_none_or(|line| is_blank(line));
        if let Some(fence) = Fence::parse(start.content) {
            let end = below.iter().position(|line| fence.is_closed_by(line));
            let (content, below) = below.split_at(end.unwrap_or(below.len()));
            let content: Vec<&str> = content
                .iter()
                .map(|line| without_prefix(line, start.prefix.chars().count()))
                .collect();
            push_code_block(&mut out, &content);
            rest = below.get(1..).unwrap_or_default();
        } else if is_blank(line) {
            out.push((*line).to_owned());
        } else if after_blank && content_column(line) >= INDENTED {
            let end = below
                .iter()
                .position(|line| !is_blank(line) && content_column(line) < INDENTED);
            let (content, after) = below.split_at(end.unwrap_or(below.len()));
            let trailing = content.iter().rev().take_while(|line| is_blank(line));
            let (content, blank) = content.split_at(content.len() - trailing.count());
            let content: Vec<&str> = std::iter::once(line)
                .chain(content)
                .map(|line| without_indent(line))
                .collect();
            push_code_block(&mut out, &content);
            out.extend(blank.iter().map(|line| (*line).to_owned()));
            rest = after;
        } else {
            out.push(start.plain());
        }
    }
    out.join("\n")
}

/// The column from which a line is an indented code block.
const INDENTED: usize = 4;

/// Writes a fenced code block whose fence is longer than any in its content.
fn push_code_block(out: &mut Vec<String>, content: &[&str]) {
    let longest = content.iter().map(|line| longest_run(line)).max();
    let fence = "`".repeat(longest.map_or(3, |run| 3.max(run + 1)));
    if out.last().is_some_and(|line| !is_blank(line)) {
        out.push(String::new());
    }
    out.push(format!("{fence}text"));
    out.extend(content.iter().map(|line| (*line).to_owned()));
    out.push(fence);
}

fn longest_run(line: &str) -> usize {
    let runs = line.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

/// Normalises line breaks to line feeds and escapes hidden characters.
fn sanitized(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if !text.contains(|c| is_hidden(c) && c != '\n' && c != '\t') {
        return text;
    }
    let lines = text.split('\n').map(|line| {
        let parts: Vec<_> = line.split('\t').map(|part| visible(part, false)).collect();
        parts.join("\t")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns `true` for a line that Markdown regards as blank. Other white space, such as a no-break space, is content.
fn is_blank(line: &str) -> bool {
    line.trim_matches([' ', '\t']).is_empty()
}

/// Returns the column at which the content of a line begins.
fn content_column(line: &str) -> usize {
    let mut column = 0;
    for c in line.chars() {
        match c {
            ' ' => column += 1,
            '\t' => column += INDENTED - column % INDENTED,
            _ => break,
        }
    }
    column
}

/// Returns a line of an indented block without its indentation.
fn without_indent(line: &str) -> &str {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    match line.get(spaces.min(INDENTED)..) {
        Some(rest) if spaces < INDENTED => rest.strip_prefix('\t').unwrap_or(rest),
        Some(rest) => rest,
        None => line,
    }
}

/// Returns a line of a block inside a quotation or a list without up to `length` characters of its prefix.
fn without_prefix(line: &str, length: usize) -> &str {
    let prefix = line
        .char_indices()
        .take(length)
        .take_while(|(_, c)| [' ', '\t', '>'].contains(c));
    let end = prefix.last().map_or(0, |(at, c)| at + c.len_utf8());
    line.get(end..).unwrap_or(line)
}

/// The start of a line: the markers of quotations, lists and footnotes, and what follows them.
struct LineStart<'a> {
    prefix: &'a str,
    content: &'a str,
}

impl<'a> LineStart<'a> {
    fn parse(line: &'a str) -> Self {
        let mut content = line.trim_start();
        while let Some(length) = marker(content) {
            let after = content.get(length..).unwrap_or_default();
            content = after.trim_start();
        }
        let prefix = line.get(..line.len() - content.len()).unwrap_or_default();
        Self { prefix, content }
    }

    /// Returns the line without anything that makes it code or HTML.
    fn plain(&self) -> String {
        let mut out = String::new();
        let mut spaces = String::new();
        for c in self.prefix.chars() {
            if c == ' ' || c == '\t' {
                spaces.push(c);
            } else {
                out.push_str(&narrow(&spaces, &out));
                spaces.clear();
                out.push(c);
            }
        }
        out.push_str(&narrow(&spaces, &out));
        if opens_html(self.content) {
            out.push('\\');
        }
        out.push_str(self.content);
        out
    }
}

/// Shortens white space so that it cannot begin a code block, given what precedes it on the line.
fn narrow(spaces: &str, before: &str) -> String {
    let is_narrow = spaces.chars().count() < INDENTED && !spaces.contains('\t');
    match (is_narrow, before.is_empty()) {
        (true, _) => spaces.to_owned(),
        // Stays inside a list that the previous line may belong to.
        (false, true) => "   ".to_owned(),
        (false, false) => " ".to_owned(),
    }
}

/// Returns the length of a marker that may contain a block: `>`, `-`, `1.`, `[ ]`, `[^1]:`, `:`.
fn marker(text: &str) -> Option<usize> {
    let is_end = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t']);
    if text.starts_with('>') {
        return Some(1);
    }
    if let Some(rest) = text.strip_prefix(['-', '+', '*', ':']) {
        return is_end(rest).then_some(1);
    }
    if let Some(rest) = text.strip_prefix("[^") {
        let (label, _) = rest.split_once("]:")?;
        return Some("[^".len() + label.len() + "]:".len());
    }
    if ["[ ]", "[x]", "[X]"]
        .iter()
        .any(|mark| text.starts_with(mark))
    {
        return Some(3);
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text.get(digits..)?.strip_prefix(['.', ')'])?;
    (digits > 0 && is_end(rest)).then_some(digits + 1)
}

/// Returns `true` if a line may begin an HTML block, whose end would be hard to predict. `<https://..>`
/// does not begin one.
fn opens_html(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('<') else {
        return false;
    };
    let scheme = rest.split(':').next().unwrap_or_default();
    let is_link = scheme.len() > 1
        && scheme.len() < rest.len()
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    !is_link && rest.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c))
}

/// The opening fence of a code block.
struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    fn parse(text: &str) -> Option<Self> {
        let mark = text.chars().next().filter(|c| ['`', '~'].contains(c))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        // Backticks on both sides are inline code.
        let opens = length >= 3 && !(mark == '`' && info.contains('`'));
        opens.then_some(Self { mark, length })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim_matches([' ', '\t', '>']);
        text.len() >= self.length && text.chars().all(|c| c == self.mark)
    }
}
