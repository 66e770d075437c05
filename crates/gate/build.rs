//! Compiles the engine module with the same compiler, to a shared object that needs no library.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/module.rs");
    println!("cargo::rustc-check-cfg=cfg(gate_embedded)");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let width = env::var("CARGO_CFG_TARGET_POINTER_WIDTH").unwrap_or_default();
    // Engines elsewhere have no CLOCK_BOOTTIME, and the module's C types are those of 64 bits.
    if system != "linux" || width != "64" {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    compile(&target, &out.join("interrex-gate.so"));
    println!("cargo::rustc-cfg=gate_embedded");
}

fn compile(target: &str, shared_object: &PathBuf) {
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc
        .args(["--edition=2024", "--crate-type=cdylib", "--crate-name=interrex_gate"])
        .args(["--target", target, "src/module.rs", "-o"])
        .arg(shared_object)
        .args(["-Cpanic=abort", "-Copt-level=2", "-Cstrip=symbols", "-Ccodegen-units=1"])
        // A static libc of the rest of the build must not reach the module: it uses the engine's.
        .args(["-Ctarget-feature=-crt-static", "-Crelocation-model=pic"])
        .args(["-Clink-arg=-nostdlib", "-Clink-arg=-nostartfiles"])
        .args(["-Clink-arg=-Wl,-z,now", "-Clink-arg=-Wl,--build-id=none"]);
    if target.contains("musl") {
        rustc.arg("-Clink-self-contained=no");
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("-Clinker=");
        option.push(linker);
        rustc.arg(option);
    }
    let status = rustc.status().expect("the compiler that cargo named can be started");
    assert!(status.success(), "compiling the engine module for {target} failed: {status}");
}
