//! What makes a component run, and how that is told from its exports.

use crate::interfaces::{nearest_of, version_matches};

/// What makes a component run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// `wasi:cli/run`: once, at the start.
    Command,
    /// `wasi:http/incoming-handler` or `wasi:http/handler`: every request.
    Http,
    /// `wasi:messaging/incoming-handler`: every message of a subscription.
    Messages,
}

/// The exports that are called: interface, version (see [`version_matches`]), trigger.
const EXPORTS: [(&str, &str, Trigger); 5] = [
    ("wasi:cli/run", "0.2", Trigger::Command),
    ("wasi:cli/run", "0.3", Trigger::Command),
    ("wasi:http/incoming-handler", "0.2", Trigger::Http),
    ("wasi:http/handler", "0.3", Trigger::Http),
    ("wasi:messaging/incoming-handler", "0.2.0-draft", Trigger::Messages),
];

impl Trigger {
    /// What runs when a component exports this.
    pub(crate) fn of(export: &str) -> Option<Self> {
        let (interface, version) = export.split_once('@')?;
        let called = EXPORTS.iter().find(|(name, called, _)| *name == interface && version_matches(called, version));
        called.map(|(.., trigger)| *trigger)
    }

    /// How the command line and the configuration call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Http => "http",
            Self::Messages => "messaging",
        }
    }

    /// The exports that it stands for, as a message lists them.
    pub(crate) fn exports(self) -> &'static str {
        match self {
            Self::Command => "wasi:cli/run",
            Self::Http => "wasi:http/incoming-handler (0.2) or wasi:http/handler (0.3)",
            Self::Messages => "wasi:messaging/incoming-handler@0.2.0-draft",
        }
    }
}

/// What runs of a component where nobody chose. A handler goes before the command: compilers give every program one,
/// whether it has anything to do or not, and one that fails would end the server.
pub(crate) fn default_triggers(exported: &[Trigger]) -> Vec<Trigger> {
    let handlers: Vec<Trigger> = exported.iter().copied().filter(|one| *one != Trigger::Command).collect();
    if handlers.is_empty() { exported.to_vec() } else { handlers }
}

/// The export that is called whose name is most like this one: what its author may have meant.
pub(crate) fn nearest_export(export: &str) -> Option<String> {
    let full = |version: &str| if version.contains('-') { version.to_owned() } else { format!("{version}.0") };
    nearest_of(export, EXPORTS.iter().map(|(name, version, _)| format!("{name}@{}", full(version))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_follow_semantic_versions_as_imports_do() {
        for (export, trigger) in [
            ("wasi:cli/run@0.2.0", Some(Trigger::Command)),
            ("wasi:cli/run@0.2.99", Some(Trigger::Command)),
            ("wasi:cli/run@0.3.0", Some(Trigger::Command)),
            ("wasi:cli/run@0.3.2", Some(Trigger::Command)),
            ("wasi:http/handler@0.3.1", Some(Trigger::Http)),
            ("wasi:http/handler@0.3.17+build.5", Some(Trigger::Http)),
            ("wasi:http/incoming-handler@0.2.12", Some(Trigger::Http)),
            ("wasi:messaging/incoming-handler@0.2.0-draft", Some(Trigger::Messages)),
            ("wasi:messaging/incoming-handler@0.2.0", None),
            ("wasi:cli/run@0.2.0-rc-2023-11-10", None),
            ("wasi:cli/run@0.3.0-rc-2026-01-06", None),
            ("wasi:cli/run@0.4.0", None),
            ("wasi:cli/run@0.30.0", None),
            ("wasi:http/handler@0.2.0", None),
            ("wasi:cli/run", None),
        ] {
            assert_eq!(Trigger::of(export), trigger, "{export}");
        }
    }

    #[test]
    fn a_mistyped_export_has_a_nearest_one() {
        for (export, meant) in [
            ("wasi:http/incoming-hendler@0.2.0", "wasi:http/incoming-handler@0.2.0"),
            ("wasi:cli/run@0.3.0-rc-1", "wasi:cli/run@0.3.0"),
            ("wasi:messaging/incoming-handler@0.2.0-draft2", "wasi:messaging/incoming-handler@0.2.0-draft"),
        ] {
            assert_eq!(nearest_export(export).as_deref(), Some(meant));
        }
        assert_eq!(nearest_export("example:nothing/thing@1.0.0"), None);
    }

    #[test]
    fn handlers_run_before_the_command_where_nobody_chose() {
        use Trigger::{Command, Http, Messages};
        assert_eq!(default_triggers(&[Command]), [Command]);
        assert_eq!(default_triggers(&[Command, Http]), [Http]);
        assert_eq!(default_triggers(&[Command, Http, Messages]), [Http, Messages]);
        assert_eq!(default_triggers(&[]), []);
    }
}
