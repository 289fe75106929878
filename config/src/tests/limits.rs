//! `[http]`, `[limits]` and their values.

use std::time::Duration;

use super::*;

#[test]
fn every_limit_is_on_without_being_said() {
    let limits = good("").limits;
    assert_eq!((limits.memory, limits.value, limits.message), (256 << 20, 8 << 20, 1 << 20));
    assert_eq!((limits.body, limits.returned, limits.spool), (4 << 30, 32 << 20, 1 << 30));
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
fn a_duration_has_a_unit() {
    for (written, duration) in [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1m 30s", 90_000)] {
        let limits = good(&format!("limits.timeout = '{written}'")).limits;
        assert_eq!(limits.timeout, Duration::from_millis(duration), "{written}");
    }
    assert!(mistake("limits.timeout = '30'").ends_with("not \"30\": it needs a unit"));
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
    for wrong in ["localhost:3000", "127.0.0.1", ":3000", "127.0.0.1:99999", ""] {
        assert!(mistake(&format!("http.listen = '{wrong}'")).contains("an address and a port"), "{wrong}");
    }
}
