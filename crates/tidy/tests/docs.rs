//! The pages' claims: what they name exists, and every promised number names what measures it.

use std::collections::BTreeSet;

use tidy::{Findings, Text, ends, root, sources, text, texts};

/// The pages: the README and everything under docs/.
fn pages() -> Vec<Text> {
    texts().into_iter().filter(|text| is_page(&text.path)).collect()
}

fn is_page(path: &str) -> bool {
    ends(path, "md") && (path.starts_with("docs/") || !path.contains('/'))
}

/// What stands between back-ticks on a line.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Lines of a page that stand between fences of code.
fn fenced(page: &Text) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut lines = Vec::new();
    for (number, line) in page.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push((number, line));
        }
    }
    lines
}

/// The pieces of a page that claim to be something one can type or open.
fn claims(page: &Text) -> Vec<(usize, String)> {
    let mut claims: Vec<(usize, String)> = page
        .lines()
        .flat_map(|(number, line)| spans(line).map(move |span| (number, span.to_owned())))
        .collect();
    claims.extend(fenced(page).into_iter().map(|(number, line)| (number, line.trim().to_owned())));
    claims
}

/// `path.rs::function` → both, when a claim is one.
fn test_named(claim: &str) -> Option<(&str, &str)> {
    let (path, function) = claim.split_once("::")?;
    let name = function.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    (ends(path, "rs") && name && !function.is_empty()).then_some((path, function))
}

/// Why a named test is none; nothing when it is one.
fn fault_of_test(path: &str, function: &str) -> Option<String> {
    let Ok(body) = std::fs::read_to_string(root().join(path)) else {
        return Some(format!("there is no {path}"));
    };
    let mut lines = body.lines();
    let opening = [format!("fn {function}("), format!("fn {function}<")];
    let found = lines.any(|line| opening.iter().any(|fn_| line.contains(fn_.as_str())));
    (!found).then(|| format!("{path} has no test {function}"))
}

/// The words that come after `fn names`' scenarios and the verbs, as the code has them.
struct Vocabulary {
    verbs: BTreeSet<String>,
    scenarios: BTreeSet<String>,
    targets: BTreeSet<String>,
}

impl Vocabulary {
    fn read() -> Self {
        let arguments = text("crates/cli/src/args.rs");
        let mut verbs: BTreeSet<String> = BTreeSet::from(["help".to_owned()]);
        let verb = arguments.body.split("enum Verb {").nth(1).unwrap_or_default();
        let verb = verb.split("\n}").next().unwrap_or_default();
        for line in verb.lines().map(str::trim).filter(|line| line.ends_with("),")) {
            verbs.insert(line.split('(').next().unwrap_or_default().to_lowercase());
        }
        let mut scenarios = BTreeSet::new();
        for source in sources().iter().filter(|source| source.path.contains("trial/src/suites")) {
            let quoted = source.body.split('"').skip(1).step_by(2);
            scenarios.extend(quoted.filter(|word| is_name(word)).map(str::to_owned));
        }
        let makefile = text("Makefile");
        let targets = makefile
            .lines()
            .filter(|(_, line)| !line.starts_with(['\t', '#', '.', ' ']))
            .filter_map(|(_, line)| line.split_once(':'))
            .map(|(name, _)| name.trim().to_owned())
            .collect();
        assert!(
            verbs.len() > 10 && scenarios.len() > 5,
            "the code's words cannot be read any more"
        );
        Self { verbs, scenarios, targets }
    }

    /// What is wrong with a command line of a page; nothing when it can be typed.
    fn fault(&self, claim: &str) -> Option<String> {
        let command = claim.strip_prefix("$ ").unwrap_or(claim);
        let command = command.split('#').next().unwrap_or_default();
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["make", target, ..] if is_name(target) && !self.targets.contains(target) => {
                Some(format!("the Makefile has no {target}"))
            }
            ["interrex", verb, ..] if is_name(verb) && !self.verbs.contains(verb) => {
                Some(format!("interrex has no {verb}"))
            }
            ["interrex", "chaos", ..] => self.fault_of_chaos(&words),
            _ => None,
        }
    }

    fn fault_of_chaos(&self, words: &[&str]) -> Option<String> {
        let asked = words.windows(2).filter(|pair| pair[0] == "--only").map(|pair| pair[1]);
        let mut unknown = asked.filter(|name| is_name(name) && !self.scenarios.contains(*name));
        unknown.next().map(|name| format!("chaos has no scenario {name}"))
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

#[test]
fn every_test_that_a_page_names_exists() {
    let mut findings = Findings::default();
    for page in pages() {
        for (number, claim) in claims(&page) {
            let Some((path, function)) = test_named(&claim) else { continue };
            if let Some(fault) = fault_of_test(path, function) {
                findings.add(&page.path, number, &fault);
            }
        }
    }
    findings.judge("name the test that shows it now, or take the claim back");
}

#[test]
fn every_command_that_a_page_names_can_be_typed() {
    let vocabulary = Vocabulary::read();
    let mut findings = Findings::default();
    for page in pages() {
        for (number, claim) in claims(&page) {
            if let Some(fault) = vocabulary.fault(&claim) {
                findings.add(&page.path, number, &format!("`{claim}`: {fault}"));
            }
        }
    }
    findings.judge("correct the page: what it prints is what people type");
}

/// The rows of a page's tables, without heads and rules.
fn rows(page: &Text) -> Vec<(usize, &str)> {
    let lines: Vec<(usize, &str)> = page.lines().collect();
    let rule = |line: &str| line.starts_with("|-") || line.starts_with("| -");
    let head = |index: usize| lines.get(index + 1).is_some_and(|(_, next)| rule(next));
    let mut rows = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        if line.starts_with('|') && !rule(line) && !head(index) {
            rows.push((*number, *line));
        }
    }
    rows
}

/// Whether a row names something that measures or shows it.
fn is_backed(row: &str) -> bool {
    spans(row).any(|span| {
        test_named(span).is_some()
            || ["make ", "interrex ", "e2e/run "].iter().any(|p| span.starts_with(p))
    })
}

#[test]
fn every_promise_names_what_measures_it() {
    let mut findings = Findings::default();
    for path in ["docs/SPECIFICATION.md", "docs/FAILURES.md"] {
        let page = text(path);
        let rows = rows(&page);
        assert!(rows.len() >= 10, "{path} has only {} rows: is it still a table?", rows.len());
        for (number, row) in rows {
            if !is_backed(row) {
                findings.add(&page.path, number, "a row without a command or a test");
            }
        }
    }
    findings.judge("name `interrex …`, `make …` or `crates/…/file.rs::the_test` in the row");
}

#[test]
fn every_cure_has_its_row() {
    let page = text("docs/failover.md");
    let cures = text("crates/brain/src/cure.rs");
    let list = cures.body.split("pub enum Cure {").nth(1).unwrap_or_default();
    let list = list.split("\n}").next().unwrap_or_default();
    let mut findings = Findings::default();
    for name in list.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        let name = name.trim_end_matches(',');
        if !name.is_empty() && !page.body.contains(&format!("`{name}`")) {
            findings.add(&page.path, 1, &format!("the cure {name} has no row in section 5"));
        }
    }
    findings.judge("say which hole it closes and which test goes red without it");
}

#[test]
fn every_link_leads_somewhere() {
    let mut findings = Findings::default();
    for page in pages() {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in page.lines() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let path = target.split('#').next().unwrap_or_default();
                let elsewhere = path.contains("://") || path.is_empty();
                if !elsewhere && !root().join(folder).join(path).exists() {
                    findings.add(&page.path, number, &format!("a link to {target}"));
                }
            }
        }
    }
    findings.judge("correct the link");
}

#[test]
fn every_path_that_a_page_names_exists() {
    let mut findings = Findings::default();
    let ours = ["crates/", "docs/", "scripts/", "examples/"];
    for page in pages() {
        for (number, line) in page.lines() {
            for span in spans(line) {
                let path = span.split("::").next().unwrap_or_default();
                let plain = !path.contains([' ', '*', '<', '{', '…']);
                let named = plain && ours.iter().any(|folder| path.starts_with(folder));
                if named && !root().join(path).exists() {
                    findings.add(&page.path, number, &format!("there is no {path}"));
                }
            }
        }
    }
    findings.judge("the tree is as it is: correct the page");
}

/// The page that `words` names before a section's number.
fn sections(page: &Text) -> BTreeSet<String> {
    let heads = page.lines().filter_map(|(_, line)| line.trim_start_matches('#').strip_prefix(' '));
    heads
        .filter_map(|head| head.split_whitespace().next())
        .map(|number| number.trim_end_matches('.').to_owned())
        .filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

#[test]
fn every_section_that_the_code_cites_exists() {
    let mut findings = Findings::default();
    for (name, body) in
        [("failover.md", text("docs/failover.md")), ("engine.md", text("docs/engine.md"))]
    {
        let known = sections(&body);
        for source in sources() {
            for (number, line) in source.lines() {
                for rest in line.split(&format!("{name} ")).skip(1) {
                    let cited: String =
                        rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                    let cited = cited.trim_end_matches('.');
                    if !cited.is_empty() && !known.contains(cited) {
                        findings.add(&source.path, number, &format!("{name} has no {cited}"));
                    }
                }
            }
        }
    }
    findings.judge("correct the number, or write the section");
}

#[test]
fn every_page_that_the_code_cites_exists() {
    let mut findings = Findings::default();
    let names: BTreeSet<String> =
        pages().iter().filter_map(|page| page.path.rsplit('/').next().map(str::to_owned)).collect();
    for source in sources().iter().filter(|source| source.krate() != Some("tidy")) {
        for (number, line) in source.lines() {
            let apart = |c: char| !c.is_alphanumeric() && !"._-".contains(c);
            for word in line.split(apart).map(|word| word.trim_matches('.')) {
                if word.len() > 3 && ends(word, "md") && !names.contains(word) {
                    findings.add(&source.path, number, &format!("there is no page {word}"));
                }
            }
        }
    }
    findings.judge("name a page under docs/, or say it in the comment");
}
