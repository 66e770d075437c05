//! Real files and real last words, mostly of a Redis 7.0.15 that was given damaged files.

use super::*;
use crate::Offset;

const REAL: &[u8] = include_bytes!("../../samples/redis-7.0.rdb");

#[test]
fn the_head_of_a_real_rdb() {
    let head = RdbHead::parse(REAL).unwrap();
    assert_eq!(head.format, RdbFormat::Redis(10));
    assert_eq!(head.engine.as_deref(), Some("7.0.15"));
    assert_eq!(head.created_s, Some(1_795_216_993));
    assert_eq!(
        head.replid.map(|replid| replid.0).as_deref(),
        Some("90318b24713864b43ba1a231f650de08c2c098b8")
    );
    assert_eq!(head.offset, Some(Offset(65)));
    assert!(!head.is_aof_base);
}

#[test]
fn every_cut_of_it_is_read_or_refused_without_a_panic() {
    for end in 0..REAL.len() {
        let head = RdbHead::parse(&REAL[..end]);
        assert_eq!(head.is_ok(), end >= 9, "{end}");
        if end < 150 {
            assert_eq!(head.ok().and_then(|head| head.offset), None, "{end}");
        }
    }
}

#[test]
fn every_flipped_byte_of_its_head_is_survived() {
    for at in 0..REAL.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bytes = REAL.to_vec();
            bytes[at] ^= flip;
            let _ = RdbHead::parse(&bytes);
        }
    }
}

#[test]
fn other_formats() {
    for (bytes, want) in [
        (b"VALKEY080\xfa".as_slice(), Ok(RdbFormat::Valkey(80))),
        (b"REDIS0012", Ok(RdbFormat::Redis(12))),
        (b"", Err(RdbError::Empty)),
        (b"REDIS", Err(RdbError::Cut { length: 5 })),
        (b"garbage..", Err(RdbError::Signature { start: "garbage..".to_owned() })),
        (b"REDIS00x1", Err(RdbError::Signature { start: "REDIS00x1".to_owned() })),
    ] {
        assert_eq!(RdbHead::parse(bytes).map(|head| head.format), want);
    }
    // An auxiliary field that asks for 4 GB.
    let huge = b"REDIS0011\xfa\x80\xff\xff\xff\xffx";
    assert_eq!(RdbHead::parse(huge).unwrap().engine, None);
}

#[test]
fn manifests() {
    let text = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                file appendonly.aof.3.incr.aof seq 3 type h\n\
                file appendonly.aof.4.incr.aof seq 4 type i startoffset 5913 endoffset 7000\n";
    let manifest = AofManifest::parse(text).unwrap();
    assert_eq!(manifest.base().map(|file| file.sequence), Some(1));
    assert_eq!(manifest.live().count(), 2);
    assert_eq!(manifest.files[2].start, Some(Offset(5913)));
    assert_eq!(manifest.files[2].end, Some(Offset(7000)));
    let ours = AofManifest::parse(&rdb_as_aof_base()).unwrap();
    assert_eq!(ours.base().map(|file| file.name.as_str()), Some(RDB_AS_AOF_BASE));
    let quoted = AofManifest::parse("file \"a b.incr.aof\" seq 1 type i\n").unwrap();
    assert_eq!(quoted.files[0].name, "a b.incr.aof");
}

#[test]
fn what_is_no_manifest() {
    let line = |line, why| ManifestError::Line { line, why };
    for (text, want) in [
        ("", ManifestError::Empty),
        ("file a seq 1 type h\n", ManifestError::Empty),
        ("rubbish\n", line(1, "a word without its value")),
        ("file a seq 1 type b\nfile b seq x type i\n", line(2, "not a number where one must be")),
        ("file a seq 1 type z\n", line(1, "a type other than b, i and h")),
        ("seq 1 type b\n", line(1, "no file in it")),
        ("file a type b\n", line(1, "no seq in it")),
        ("file a seq 1\n", line(1, "no type in it")),
        ("file ../../etc/x seq 1 type b\n", line(1, "a path in place of a file's name")),
        ("file \"a seq 1 type b\n", line(1, "a quote that does not end")),
    ] {
        assert_eq!(AofManifest::parse(text), Err(want), "{text:?}");
    }
}

/// What a 7.0.15 prints before the lines that matter.
const BEFORE: &str = "\
6076:C 20 Nov 2026 23:23:16.466 # Redis version=7.0.15, bits=64, commit=00000000
6076:C 20 Nov 2026 23:23:16.466 # Configuration loaded
6076:M 20 Nov 2026 23:23:16.467 * Running mode=standalone, port=46013.
6076:M 20 Nov 2026 23:23:16.467 # WARNING Memory overcommit must be enabled! Without it, a \
background save or replication may fail under low memory condition.
";

fn reason(lines: &str) -> Option<StartFailure> {
    let text = format!("{BEFORE}{lines}");
    StartFailure::find(text.lines())
}

/// Lines, what is damaged, and what the reason must repeat.
const DAMAGED: &[(&str, Damage, &str)] = &[
    (
        "6076:M 20 Nov 2026 23:23:16.468 # Internal error in RDB reading offset 0, function at \
             rdb.c:3249 -> Unexpected EOF reading RDB file\n[offset 0] Checking RDB file \
             dump.rdb\n--- RDB ERROR DETECTED ---\n[offset 88] Unexpected EOF reading RDB file\n",
        Damage::Rdb,
        "RDB ERROR DETECTED",
    ),
    (
        "[offset 165] Selecting DB ID 0\n--- RDB ERROR DETECTED ---\n[offset 187] RDB CRC error\n",
        Damage::Rdb,
        "RDB CRC error",
    ),
    (
        "6076:M 20 Nov 2026 23:23:16.468 # Can't handle RDB format version 99\n\
             6076:M 20 Nov 2026 23:23:16.468 # Fatal error loading the DB: Invalid argument.\n",
        Damage::RdbVersion,
        "Can't handle RDB format version 99",
    ),
    (
        "6076:M 20 Nov 2026 23:23:16.468 # Wrong signature trying to load DB from file\n\
             6076:M 20 Nov 2026 23:23:16.468 # Fatal error loading the DB: Invalid argument.\n",
        Damage::Rdb,
        "Wrong signature trying to load DB from file",
    ),
    (
        "6118:M 20 Nov 2026 23:23:16.545 * Reading RDB base file on AOF loading...\n\
             6118:M 20 Nov 2026 23:23:16.545 # Bad file format reading the append only file \
             appendonly.aof.1.incr.aof: make a backup of your AOF file, then use \
             ./redis-check-aof --fix <filename.manifest>\n",
        Damage::Aof,
        "Bad file format reading the append only file appendonly.aof.1.incr.aof",
    ),
    (
        "15041:M 20 Nov 2026 23:42:06.774 * Reading RDB base file on AOF loading...\n\
             15041:M 20 Nov 2026 23:42:06.774 # Short read or OOM loading DB. Unrecoverable \
             error, aborting now.\n",
        Damage::Aof,
        "Short read or OOM loading DB",
    ),
    (
        "15041:M 20 Nov 2026 23:42:06.774 * Reading RDB base file on AOF loading...\n\
             15041:M 20 Nov 2026 23:42:06.774 # Can't handle RDB format version 12\n",
        Damage::AofVersion,
        "Can't handle RDB format version 12",
    ),
    (
        "15052:M 20 Nov 2026 23:42:06.794 # Unknown command 'FOO' reading the append only \
             file appendonly.aof.1.incr.aof\n",
        Damage::Aof,
        "Unknown command 'FOO' reading the append only file",
    ),
    (
        "6128:M 20 Nov 2026 23:23:16.565 # Unable to obtain the AOF file \
             appendonly.aof.1.base.rdb length. stat: No such file or directory\n",
        Damage::AofManifest,
        "Unable to obtain the AOF file",
    ),
    (
        "6138:M 20 Nov 2026 23:23:16.586 # \n*** FATAL AOF MANIFEST FILE ERROR ***\n\
             6138:M 20 Nov 2026 23:23:16.586 # >>> 'rubbish'\n\
             6138:M 20 Nov 2026 23:23:16.586 # Invalid AOF manifest file format\n",
        Damage::AofManifest,
        "FATAL AOF MANIFEST FILE ERROR",
    ),
];

#[test]
fn damaged_files() {
    for (lines, damage, said) in DAMAGED {
        let failure = reason(lines).unwrap_or_else(|| panic!("{lines}"));
        assert_eq!(failure.damage(), Some(*damage), "{lines}");
        assert_eq!(damage.is_in_aof(), format!("{damage:?}").starts_with("Aof"));
        let text = failure.to_string();
        assert!(text.contains(said) && !text.contains("20 Nov"), "{text}");
        assert_eq!(failure.is_wrong_signature(), said.starts_with("Wrong signature"));
    }
}

#[test]
fn everything_else() {
    for (lines, want) in [
        (
            "6170:M 20 Nov 2026 23:23:17.654 # Warning: Could not create server TCP listening \
             socket 127.0.0.1:46014: bind: Address already in use\n\
             6170:M 20 Nov 2026 23:23:17.654 # Failed listening on port 46014 (TCP), aborting.\n",
            "it cannot listen on its port: Warning: Could not create server TCP listening socket \
             127.0.0.1:46014: bind: Address already in use",
        ),
        (
            "6157:M 20 Nov 2026 23:23:16.633 # Module /nonexistent.so failed to load: \
             /nonexistent.so: cannot open shared object file: No such file or directory\n\
             6157:M 20 Nov 2026 23:23:16.633 # Can't load module from /nonexistent.so: server \
             aborting\n",
            "a module could not be loaded: Module /nonexistent.so failed to load: \
             /nonexistent.so: cannot open shared object file: No such file or directory",
        ),
        (
            "7:M 20 Nov 2026 23:23:16.633 # Can't open or create append-only dir appendonlydir: \
             No space left on device\n",
            "its disk is full: Can't open or create append-only dir appendonlydir: No space left \
             on device",
        ),
        (
            "6195:M 20 Nov 2026 23:23:20.749 # Failed opening Unix socket: bind: No such file or \
             directory\n",
            "it may not use a file or directory: Failed opening Unix socket: bind: No such file \
             or directory",
        ),
        (
            "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at \
             line 1\n>>> 'maxmemory-policy bogus'\nargument(s) must be one of the following: \
             volatile-lru, noeviction\n",
            "it refuses the directive maxmemory-policy bogus: argument(s) must be one of the \
             following: volatile-lru, noeviction",
        ),
        (
            "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at \
             line 3\n>>> 'dir \"/nonexistent\"'\nNo such file or directory\n",
            "it may not use a file or directory: dir \"/nonexistent\": No such file or directory",
        ),
    ] {
        assert_eq!(reason(lines).map(|failure| failure.to_string()).as_deref(), Some(want));
    }
    assert_eq!(reason("6076:M 20 Nov 2026 23:23:16.467 * Ready to accept connections\n"), None);
    assert_eq!(StartFailure::find("".lines()), None);
}

#[test]
fn a_users_line_is_not_repeated() {
    let text = "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at \
                line 1\n>>> 'user foo on >hunter2 +badrule'\nError in user declaration \
                '>hunter2': Syntax error\n";
    let said = StartFailure::find(text.lines()).unwrap().to_string();
    assert!(!said.contains("hunter2"), "{said}");
}
