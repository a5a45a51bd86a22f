"""Agreement with reality: what the compilers of Go and Rust make, several threads and connections among it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from compiled import compiled
from linux_guests import without_calls
from whole_machine import here, native_runs

pytestmark = pytest.mark.programs

GO_HELLO = """
package main
import ("fmt"; "os"; "sort")
func main() {
    words := map[string]int{"pear": 4, "fig": 3, "apple": 5}
    names := make([]string, 0, len(words))
    for name := range words { names = append(names, name) }
    sort.Strings(names)
    fmt.Println(names, os.Args[1:], 1.0/3)
    os.Exit(7)
}
"""
GO_ROUTINES = """
package main
import ("fmt"; "sync"; "time")
func main() {
    jobs, results := make(chan int), make(chan int)
    var group sync.WaitGroup
    for i := 0; i < 8; i++ {
        group.Add(1)
        go func() {
            defer group.Done()
            for n := range jobs { time.Sleep(time.Millisecond); results <- n * n }
        }()
    }
    go func() {
        for n := 1; n <= 100; n++ { jobs <- n }
        close(jobs); group.Wait(); close(results)
    }()
    sum := 0
    for n := range results { sum += n }
    select { case <-time.After(5 * time.Millisecond): fmt.Println("sum", sum) }
    defer func() { fmt.Println("recovered", recover() != nil) }()
    var nowhere *int
    *nowhere = 1
}
"""
GO_LOOPBACK = """
package main
import ("bufio"; "fmt"; "net")
func main() {
    listener, err := net.Listen("tcp", "127.0.0.1:0")
    if err != nil { panic(err) }
    go func() {
        for { c, err := listener.Accept(); if err != nil { return }
              go func() { line, _ := bufio.NewReader(c).ReadString('\\n'); fmt.Fprint(c, "got ", line); c.Close() }() }
    }()
    for i := 0; i < 5; i++ {
        c, err := net.Dial("tcp", listener.Addr().String())
        if err != nil { panic(err) }
        fmt.Fprintf(c, "message %d\\n", i)
        line, err := bufio.NewReader(c).ReadString('\\n')
        fmt.Printf("%q %v\\n", line, err)
    }
}
"""
RUST_THREADS = """
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
fn main() {
    let total = Arc::new(Mutex::new(0u64));
    let (sender, receiver) = mpsc::channel();
    let workers: Vec<_> = (0..6u64).map(|n| {
        let (total, sender) = (Arc::clone(&total), sender.clone());
        thread::spawn(move || {
            for i in 0..1000 { *total.lock().unwrap() += i * n; }
            sender.send(n * n).unwrap();
        })
    }).collect();
    drop(sender);
    for worker in workers { worker.join().unwrap(); }
    println!("{} {}", *total.lock().unwrap(), receiver.iter().sum::<u64>());
    println!("{}", thread::spawn(|| { if std::env::args().count() == 1 { panic!("meant") } }).join().is_err());
    std::process::exit(9);
}
"""


def build_go(source: str, folder: Path) -> Path:
    """Compile a Go program with the standard library alone; nothing is fetched."""
    if shutil.which("go") is None:
        pytest.skip("there is no go (Debian package golang-go)")
    text, program = folder / "program.go", folder / "program"
    text.write_text(source)
    environment = {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    compiled(["go", "build", "-o", str(program), str(text)], program, [text], environment).check_returncode()
    return program


def build_rust(source: str, folder: Path, *flags: str) -> Path:
    """Compile a Rust program."""
    if shutil.which("rustc") is None:
        pytest.skip("there is no rustc (Debian package rustc)")
    text, program = folder / "program.rs", folder / "program"
    text.write_text(source)
    compiled(["rustc", "-O", *flags, "-o", str(program), str(text)], program, [text]).check_returncode()
    return program


@pytest.mark.parametrize("source", [GO_HELLO, GO_ROUTINES, GO_LOOPBACK], ids=["hello", "goroutines", "loopback"])
def test_a_go_program_behaves_as_natively(source: str, tmp_path: Path) -> None:
    """Threads of the run time: the calls come in another order."""
    command = (str(build_go(source, tmp_path)), "a", "b")
    native, emulated = native_runs(command, tmp_path), here(command)
    assert emulated.output
    assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))


@pytest.mark.parametrize("flags", [(), ("-C", "target-feature=+crt-static")], ids=["dynamic", "static"])
def test_rust_threads_behave_as_natively(flags: tuple[str, ...], tmp_path: Path) -> None:
    command = (str(build_rust(RUST_THREADS, tmp_path, *flags)),)
    native, emulated = native_runs(command, tmp_path), here(command)
    assert emulated.exit_code == 9
    assert without_calls(emulated) == without_calls(native.like(emulated, without_calls))


@pytest.mark.parametrize("source", [GO_ROUTINES, GO_LOOPBACK], ids=["goroutines", "loopback"])
def test_two_runs_of_a_go_program_are_the_same(source: str, tmp_path: Path) -> None:
    command = (str(build_go(source, tmp_path)),)
    assert here(command) == here(command)
