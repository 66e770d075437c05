//! Reads, in tests only, which libraries and symbols the embedded shared object asks for.

const DYNAMIC_SECTION: u32 = 6;
const SYMBOL_SECTION: u32 = 11;
const TAG_NEEDED: u64 = 1;

/// One section header of a 64-bit little-endian ELF file.
struct Section {
    kind: u32,
    offset: usize,
    size: usize,
    link: usize,
}

/// How many libraries the object needs, by its dynamic section; `None` if it has no such section.
pub(crate) fn needed_libraries(elf: &[u8]) -> Option<usize> {
    let dynamic = sections(elf).into_iter().find(|section| section.kind == DYNAMIC_SECTION)?;
    let entries = elf[dynamic.offset..dynamic.offset + dynamic.size].chunks_exact(16);
    Some(entries.filter(|entry| number(entry, 0, 8) as u64 == TAG_NEEDED).count())
}

/// The symbols that the loader must find elsewhere, sorted.
pub(crate) fn undefined_symbols(elf: &[u8]) -> Vec<String> {
    let sections = sections(elf);
    let Some(symbols) = sections.iter().find(|section| section.kind == SYMBOL_SECTION) else {
        return Vec::new();
    };
    let names = sections[symbols.link].offset;
    let mut found: Vec<String> = elf[symbols.offset..symbols.offset + symbols.size]
        .chunks_exact(24)
        .filter(|symbol| number(symbol, 6, 2) == 0 && number(symbol, 0, 4) != 0)
        .map(|symbol| text(elf, names + number(symbol, 0, 4)))
        .collect();
    found.sort();
    found
}

fn sections(elf: &[u8]) -> Vec<Section> {
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file");
    let (start, size, count) = (number(elf, 0x28, 8), number(elf, 0x3a, 2), number(elf, 0x3c, 2));
    let section = |at: usize| Section {
        kind: number(elf, at + 4, 4) as u32,
        offset: number(elf, at + 0x18, 8),
        size: number(elf, at + 0x20, 8),
        link: number(elf, at + 0x28, 4),
    };
    (0..count).map(|index| section(start + index * size)).collect()
}

fn number(bytes: &[u8], at: usize, width: usize) -> usize {
    bytes[at..at + width].iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

fn text(elf: &[u8], at: usize) -> String {
    elf[at..].iter().take_while(|byte| **byte != 0).map(|byte| char::from(*byte)).collect()
}
