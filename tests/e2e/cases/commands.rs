//! `wasi:cli/run`: run once, with the standard streams, files and exit code of the process.

use std::fs;

use slight_e2e::{Ended, run};

async fn cli(arguments: &[&str]) -> Ended {
    run("cli").guest_args(arguments.iter().copied()).end().await
}

#[tokio::test]
async fn a_command_prints_to_the_standard_output() {
    let ended = cli(&[]).await;
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "hello\n", ""));
}

#[tokio::test]
async fn arguments_after_two_dashes_are_the_guests() {
    let ended = cli(&["args", "one", "--two", "-c", "three four"]).await;
    assert_eq!(ended.stdout, "one\n--two\n-c\nthree four\n");
}

#[tokio::test]
async fn the_guest_has_the_variables_it_was_given_and_no_others() {
    let toml = "component.env = { A = \"file\", B = \"${env:OUTER}\" }";
    let command = run("cli").toml(toml).env("OUTER", "outer").arg("--env").arg("A=line").arg("--env").arg("C=x=y");
    let ended = command.guest_args(["env"]).end().await;
    let mut lines: Vec<&str> = ended.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["A=line", "B=outer", "C=x=y"], "{}", ended.stderr);
}

#[tokio::test]
async fn a_command_reads_the_standard_input() {
    let text = "line\n".repeat(50_000);
    let ended = run("cli").stdin(text.clone()).guest_args(["cat"]).end().await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout == text);
}

#[tokio::test]
async fn the_standard_error_of_the_guest_is_that_of_the_process() {
    let ended = cli(&["stderr", "a complaint"]).await;
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", "a complaint\n"));
}

#[tokio::test]
async fn output_without_a_line_end_is_not_lost() {
    assert_eq!(cli(&["partial", "no line end"]).await.stdout, "no line end");
}

#[tokio::test]
async fn the_exit_code_is_the_guests() {
    for code in [0, 1, 42] {
        assert_eq!(cli(&["exit", &code.to_string()]).await.code, Some(code));
    }
}

#[tokio::test]
async fn a_command_that_traps_exits_with_1_and_says_why() {
    let ended = cli(&["trap"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("error: the component failed"), "{}", ended.stderr);
    assert!(ended.stderr.contains("unreachable"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_command_that_eats_all_memory_exits_with_1_and_says_why() {
    let ended = cli(&["eat"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("limits.memory"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_command_has_clocks() {
    let ended = cli(&["clock"]).await;
    let (seconds, forward) = ended.stdout.trim().split_once(' ').expect("two words");
    // 2020 or later.
    assert!(seconds.parse::<u64>().unwrap() > 1_577_836_800);
    assert_eq!(forward, "true");
}

const READ_WRITE: &str = "[component]\nfiles = [{ guest = \"/data\", host = \"data\" }]";
const READ_ONLY: &str = "[component]\nfiles = [{ guest = \"/data\", host = \"data\", read-only = true }]";

#[tokio::test]
async fn a_directory_can_be_read_and_written() {
    let command = |arguments: &[&str]| {
        let app = run("cli").file("data/in.txt", "from the host").toml(READ_WRITE);
        app.guest_args(arguments.iter().copied())
    };
    assert_eq!(command(&["read", "/data/in.txt"]).end().await.stdout, "from the host");
    assert_eq!(command(&["list", "/data"]).end().await.stdout, "in.txt\n");

    let running = command(&["write", "/data/out.txt", "from the guest"]).spawn();
    slight_e2e::eventually("the end", async || (!running.is_alive()).then_some(())).await;
    assert_eq!(fs::read_to_string(running.dir().join("data/out.txt")).unwrap(), "from the guest");
}

#[tokio::test]
async fn a_directory_may_have_any_name_that_a_guest_looks_for() {
    for (name, path) in [(".", "in.txt"), (".", "./in.txt"), ("readonly", "readonly/in.txt"), ("a/b", "a/b/in.txt")] {
        let toml = format!("component.files = [{{ guest = \"{name}\", host = \"data\" }}]");
        let app = run("cli").file("data/in.txt", "from the host").toml(&toml);
        assert_eq!(app.guest_args(["read", path]).end().await.stdout, "from the host", "{name}");
    }
}

#[tokio::test]
async fn a_read_only_directory_cannot_be_written() {
    for arguments in
        [&["write", "/data/in.txt", "changed"][..], &["write", "/data/new", ""], &["remove", "/data/in.txt"]]
    {
        let app = run("cli").file("data/in.txt", "from the host").toml(READ_ONLY);
        let running = app.guest_args(arguments.iter().copied()).spawn();
        slight_e2e::eventually("the end", async || (!running.is_alive()).then_some(())).await;
        let data = running.dir().join("data");
        assert_eq!(fs::read_to_string(data.join("in.txt")).unwrap(), "from the host");
        assert!(!data.join("new").exists());
        assert_eq!(running.end().await.code, Some(1));
    }
    let app = run("cli").file("data/in.txt", "from the host").toml(READ_ONLY);
    assert_eq!(app.guest_args(["read", "/data/in.txt"]).end().await.stdout, "from the host");
}

#[tokio::test]
async fn what_is_outside_of_its_directories_does_not_exist_for_the_guest() {
    for path in ["/data/../secret.txt", "/secret.txt", "../secret.txt", "/etc/hostname"] {
        let app = run("cli").file("data/in.txt", "").file("secret.txt", "secret").toml(READ_WRITE);
        let ended = app.guest_args(["read", path]).end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{path}");
    }
    assert_eq!(cli(&["read", "/etc/hostname"]).await.code, Some(1));
}

#[cfg(unix)]
#[tokio::test]
async fn a_symbolic_link_does_not_lead_out_of_a_directory() {
    let app = run("cli").file("data/in.txt", "").file("secret.txt", "secret").toml(READ_WRITE);
    std::os::unix::fs::symlink("../secret.txt", app.path("data/link")).unwrap();
    let ended = app.guest_args(["read", "/data/link"]).end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn a_command_of_wasi_cli_0_3_runs() {
    let ended = run("cli-p3").guest_args(["one", "two"]).end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "one\ntwo\n"), "{}", ended.stderr);
    let ended = run("cli-p3").guest_args(["fail"]).end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "fail\n"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_command_that_is_interrupted_ends_at_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let running = run("cli").stdin_without_end("it runs\n").guest_args(["cat"]).spawn();
        running.wait_for_stdout("it runs").await;
        running.signal(signal);
        let ended = running.end().await;
        assert_eq!(ended.code, Some(code));
        assert!(ended.stderr.contains("the command is ended") && !ended.stderr.contains("may finish"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_command_whose_output_nobody_reads_gets_an_error_and_may_end() {
    let ended = run("cli").stdin("line\n".repeat(50_000)).guest_args(["cat"]).stdout_closed().end().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    // Which error it is depends on the libc that the guest was built with.
    assert!(ended.stderr.contains("(os error "), "{ended:?}");
}

#[tokio::test]
async fn without_a_place_for_compiled_code_a_component_runs_all_the_same() {
    let ended = run("cli").env("XDG_CACHE_HOME", "/dev/null/none").end().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "hello\n"), "{ended:?}");
    assert!(ended.stderr.contains("compiled components are not kept"), "{ended:?}");
}
