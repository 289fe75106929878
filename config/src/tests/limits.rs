//! `[http]`, `[limits]` and their values.

use std::time::Duration;

use super::*;
use crate::TotalMemory;

#[test]
fn every_limit_is_on_without_being_said() {
    let limits = good("").limits;
    assert_eq!((limits.memory, limits.value, limits.message), (256 << 20, 8 << 20, 1 << 20));
    assert_eq!((limits.body, limits.returned, limits.spool), (4 << 30, 32 << 20, 1 << 30));
    assert_eq!((limits.passed, limits.log_lines, limits.total_memory), (64 << 20, 1000, TotalMemory::Percent(75)));
    assert_eq!((limits.timeout, limits.backend_timeout), (Duration::from_secs(30), Duration::from_secs(10)));
    assert_eq!(limits.drain_timeout, Duration::from_secs(30));
    assert_eq!((limits.connections, limits.concurrency, limits.queue, limits.handles), (4096, 256, 1024, 1024));
}

#[test]
fn a_size_has_a_unit_or_is_a_number_of_bytes() {
    for (written, bytes) in
        [("'64KB'", 64_000), ("'64KiB'", 65_536), ("'1.5 GiB'", 3 << 29), ("4096", 4096), ("'7'", 7)]
    {
        assert_eq!(good(&format!("limits.value = {written}")).limits.value, bytes, "{written}");
    }
}

#[test]
fn the_memory_of_the_process_is_a_size_or_a_part_of_what_there_is() {
    for (written, total) in [
        ("'50%'", TotalMemory::Percent(50)),
        ("' 100 % '", TotalMemory::Percent(100)),
        ("'2GiB'", TotalMemory::Bytes(2 << 30)),
        ("1073741824", TotalMemory::Bytes(1 << 30)),
    ] {
        assert_eq!(good(&format!("limits.total-memory = {written}")).limits.total_memory, total, "{written}");
    }
    for written in ["0%", "101%", "-5%", "half", "7.5%"] {
        let mistake = mistake(&format!("limits.total-memory = '{written}'"));
        assert!(mistake.contains("such as \"75%\""), "{written}: {mistake}");
    }
    assert_eq!(TotalMemory::Percent(75).bytes(Some(4000)), Some(3000));
}

#[test]
fn a_duration_has_a_unit() {
    for (written, duration) in [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1m 30s", 90_000)] {
        let limits = good(&format!("limits.timeout = '{written}'")).limits;
        assert_eq!(limits.timeout, Duration::from_millis(duration), "{written}");
    }
    assert!(mistake("limits.timeout = '30'").ends_with("not \"30\": it needs a unit"));
}

#[test]
fn a_duration_is_at_most_a_year_wherever_it_is_read() {
    for written in ["1y", "12months", "52w", "366d"] {
        good(&format!("limits.timeout = '{written}'"));
    }
    for written in ["366d 1ns", "2y", "500000000000y", "99999999999999999999999y"] {
        for limit in ["timeout", "backend-timeout", "drain-timeout"] {
            let mistake = mistake(&format!("limits.{limit} = '{written}'"));
            assert!(
                mistake.ends_with(&format!("not \"{written}\": it must be at most a year (366 days)")),
                "{mistake}"
            );
        }
    }
    let subscription = "topics = ['a']\ngroup = 'g'\nvisibility = '2y'";
    let text = format!("messaging.default = 'memory'\n[[messaging.subscriptions]]\n{subscription}");
    assert!(mistake(&text).starts_with("5:14: \"visibility\" must be a duration"));
    let text = "[providers.redis]\nurl = 'u'\npatience = '2y'";
    assert!(mistake(text).ends_with("at most a year (366 days)"));
}

#[test]
fn zero_is_refused_where_it_makes_no_sense() {
    for limit in ["memory = 0", "memory = '0MiB'", "timeout = '0s'", "concurrency = 0", "handles = 0", "value = '0.1B'"]
    {
        let mistake = mistake(&format!("limits.{limit}"));
        assert!(mistake.contains("at least 1") || mistake.contains("more than zero"), "{mistake}");
    }
    assert_eq!(good("limits.queue = 0").limits.queue, 0);
}

#[test]
fn numbers_out_of_range_are_refused() {
    assert!(mistake("limits.queue = -1").ends_with("must be at least 0, not -1"));
    assert!(mistake("limits.queue = 4294967296").ends_with("must be at most 4294967295, not 4294967296"));
    assert!(mistake("limits.queue = 99999999999999999999").ends_with("this integer is too large"));
    assert!(mistakes("limits.queue = inf").first().unwrap().ends_with("infinite or too large"));
    assert!(mistake("limits.queue = 1.5").ends_with("must be an integer, not a number with a fraction"));
    assert!(mistake("limits.queue = 2020-01-01").ends_with("must be an integer, not a date"));
}

#[test]
fn numbers_may_be_written_in_every_way_of_toml() {
    for written in ["+1_024", "0x400", "0o2000", "0b100_0000_0000"] {
        assert_eq!(good(&format!("limits.queue = {written}")).limits.queue, 1024, "{written}");
    }
}

#[test]
fn listen_is_an_address_and_a_port() {
    assert_eq!(good("http.listen = '[::1]:0'").http.listen.to_string(), "[::1]:0");
    assert_eq!(good("http.listen = 'localhost:3000'").http.listen.to_string(), "127.0.0.1:3000");
    for (wrong, why) in [
        ("localhost", ""),
        ("localhost:x", "the port must be"),
        ("example.com:3000", ""),
        ("127.0.0.1", ""),
        ("3000", "a port alone"),
        (":3000", "there is no address"),
        ("127.0.0.1:99999", ""),
        ("", ""),
    ] {
        let mistake = mistake(&format!("http.listen = '{wrong}'"));
        assert!(mistake.contains("such as \"127.0.0.1:3000\"") && mistake.contains(why), "{wrong}: {mistake}");
    }
}

#[test]
fn a_small_number_needs_a_unit() {
    for key in ["memory", "total-memory", "value", "message", "body", "returned", "passed", "spool"] {
        assert_eq!(
            mistake(&format!("limits.{key} = 256")),
            format!(
                "1:{}: {key:?} is 256 bytes, since a number has no unit; write \"256MiB\" or \"256KiB\", or \"256B\" if \
                 it is meant",
                key.len() + 11
            )
        );
    }
    assert_eq!(good("limits.value = '256B'").limits.value, 256);
}

#[test]
fn a_memory_has_a_page_at_least() {
    for written in ["'1KiB'", "'256'", "65535"] {
        let mistake = mistake(&format!("limits.memory = {written}"));
        assert!(mistake.ends_with("must be at least \"64KiB\", which is one page: no instance has less"), "{mistake}");
    }
    assert_eq!(good("limits.memory = '64KiB'").limits.memory, 65536);
}

#[test]
fn a_delay_may_be_none_and_an_idle_connection_has_its_time() {
    let http = good("").http;
    assert_eq!((http.reuse_port, http.idle_timeout.as_secs(), http.shutdown_delay.as_secs()), (false, 60, 2));
    let http = good("http = { reuse-port = true, idle-timeout = '1m 30s', shutdown-delay = '0s' }").http;
    assert_eq!((http.reuse_port, http.idle_timeout.as_secs(), http.shutdown_delay.as_secs()), (true, 90, 0));
    let mistake = mistake("http.idle-timeout = '0s'");
    assert!(mistake.contains("it must be more than zero"), "{mistake}");
    for written in ["'-1s'", "'2'", "2", "'500y'"] {
        let text = format!("http.shutdown-delay = {written}");
        assert!(self::mistake(&text).contains(r#"a duration such as "2s", "500ms" or "0s""#), "{text}");
    }
}
